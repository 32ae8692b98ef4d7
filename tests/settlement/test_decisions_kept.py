"""What two people decide about money is kept by the database, for the application's role too."""

from dataclasses import dataclass

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from settlement.deposits.rules import RETURN, Move
from tests.conftest import NOW
from tests.settlement.bank_factory import files_of_a_bank
from tests.settlement.batches_factory import approver
from tests.settlement.test_deposits_service import prepared, received


@dataclass(frozen=True)
class Kept:
    """A table of what is prepared, and the names of its columns."""

    table: str
    maker: str
    content: str
    approved: str


TABLES = {
    "payment-file": Kept("payment_batch", "prepared_by", "document", "approved"),
    "suspense-release": Kept("recon_match", "proposed_by", "content", "approved"),
    "deposit-movement": Kept("deposit_movement", "prepared_by", "content", "approved"),
}


async def waiting(session: AsyncSession, kind: str) -> str:
    """The id of one thing of this kind that waits for its decision."""
    if kind == "deposit-movement":
        deposit = await received(session, 1_500)
        return str((await prepared(session, deposit, Move(RETURN, 500, "多付"))).id)
    made = await files_of_a_bank(session, now=NOW)
    return made["batch_id" if kind == "payment-file" else "release_id"]


@pytest.mark.parametrize("kind", TABLES)
async def test_neither_the_maker_nor_another_decides_without_an_approval(
    session: AsyncSession, kind: str
) -> None:
    kept, values = TABLES[kind], {"id": await waiting(session, kind)}
    second = await approver(session, now=NOW)
    await session.execute(text("SET LOCAL ROLE exchange_app"))
    update = f"UPDATE {kept.table} SET "
    gone = f"DELETE FROM {kept.table}"
    here = " WHERE id = :id"
    decided = f"state = '{kept.approved}', decided_at = now(), decided_by = "
    attacks = (
        (f"{update}{decided}{kept.maker}{here}", "is not decided by"),
        (f"{update}{decided}'{second}'{here}", "is not decided by"),
        (f"{update}{kept.content} = 'x'{here}", "never changes|is decided once"),
        (f"{update}{kept.maker} = '{second}'{here}", "never changes|is decided once"),
        (f"{gone}{here}", "stays|only ever|permission|kept"),
    )
    for attack, why in attacks:
        with pytest.raises(DBAPIError, match=why):
            async with session.begin_nested():
                await session.execute(text(attack), values)
