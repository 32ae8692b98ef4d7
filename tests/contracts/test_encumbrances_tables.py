"""What the tables of encumbrances refuse, whatever wrote the row."""

from datetime import date

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.encumbrances import service
from contracts.encumbrances.tables import Encumbrance
from tests.conftest import NOW
from tests.contracts.encumbrances_factory import declared
from tests.contracts.parties_factory import party
from tests.contracts.titles_factory import owned


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE encumbrance SET kind = 'clearance' WHERE id = :id",
        "UPDATE encumbrance SET territories = '{[1,2)}' WHERE id = :id",
        "UPDATE encumbrance SET beneficiary_id = declared_by WHERE id = :id",
        "UPDATE encumbrance SET state = 'lifted' WHERE id = :id",
        "DELETE FROM encumbrance WHERE id = :id",
    ],
)
async def test_what_was_declared_is_only_lifted(session: AsyncSession, change: str) -> None:
    owner, subject = await owned(session)
    row = await declared(session, subject, owner)
    with pytest.raises(DBAPIError):
        await session.execute(text(change), {"id": row.id})


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("kind", "'curse'"),
        ("state", "'asleep'"),
        ("media", "'{}'"),
        ("rights", "'{[1,2)}'"),
        ("reference", "NULL"),
        ("beneficiary_id", "NULL"),
        ("document_sha256", "'AB'"),
        ("start_at", "NULL"),
        ("start_event", "'delivery'"),
        ("end_event", "'delivery'"),
        ("end_at", "start_at"),
        ("lifted_at", "now()"),
        ("lifted_reason", "repeat('x', 501)"),
    ],
)
async def test_the_database_refuses_what_the_rules_would(
    session: AsyncSession, column: str, value: str
) -> None:
    owner, subject = await owned(session)
    bank = await party(session, now=NOW)
    row = await declared(
        session, subject, owner, kind="pledge", beneficiary_id=bank.id, reference="1"
    )
    names = [name for name in Encumbrance.model_fields if name not in ("id", column)]
    copied = ", ".join(names)
    with pytest.raises(DBAPIError, match="violates check constraint"):
        await session.execute(
            text(
                f"INSERT INTO encumbrance (id, {column}, {copied}) "
                f"SELECT :new, {value}, {copied} FROM encumbrance WHERE id = :old"
            ),
            {"new": ids.new(NOW), "old": row.id},
        )


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE work_event SET happened_on = '2020-01-01' WHERE work_id = :id",
        "DELETE FROM work_event WHERE work_id = :id",
    ],
)
async def test_the_day_of_an_event_changes_only_with_a_reason(
    session: AsyncSession, change: str
) -> None:
    owner, subject = await owned(session)
    await service.record_event(
        session, subject.id, "delivery",
        by=owner.id, happened_on=date(2026, 10, 1), reason=None, now=NOW,
    )  # fmt: skip
    with pytest.raises(DBAPIError):
        await session.execute(text(change), {"id": subject.id})
