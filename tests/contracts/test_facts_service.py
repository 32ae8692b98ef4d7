from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.facts import service as facts
from exchange.db import Database
from tests.conftest import NOW


async def recorded(session: AsyncSession) -> UUID:
    party = ids.new(NOW)
    return await facts.record(
        session, "party.registered", party, {"party": str(party), "kind": "broadcaster"},
        parties=[party], now=NOW,
    )  # fmt: skip


async def test_a_recorded_fact_waits_for_its_number(session: AsyncSession) -> None:
    fact_id = await recorded(session)
    waiting = await session.execute(
        text("SELECT count(*) FROM fact_pending WHERE fact_id = :id"), {"id": fact_id}
    )
    assert waiting.scalar_one() == 1


@pytest.mark.parametrize(
    "change", ["UPDATE fact SET kind = 'x'", "DELETE FROM fact", "TRUNCATE fact CASCADE"]
)
async def test_a_fact_cannot_be_changed_by_the_application(
    session: AsyncSession, change: str
) -> None:
    await recorded(session)
    with pytest.raises(DBAPIError, match=r"permission denied|append-only"):
        await session.execute(text(change))


async def test_a_payload_that_does_not_fit_its_schema_is_a_bug(session: AsyncSession) -> None:
    with pytest.raises(ValueError, match="kind: missing"):
        await facts.record(session, "party.registered", ids.new(NOW), {"party": "x"}, now=NOW)


@pytest.mark.parametrize(
    "change",
    ["UPDATE fact SET recorded_at = now()", "DELETE FROM fact", "TRUNCATE fact CASCADE"],
)
async def test_not_even_the_owner_changes_a_fact(db: Database, change: str) -> None:
    async with db.transaction() as session:
        await recorded(session)
    owner = Database(db.url, role="postgres")
    try:
        async with owner.sessions() as session:
            with pytest.raises(DBAPIError, match="append-only"):
                await session.execute(text(change))
    finally:
        await owner.close()


@pytest.mark.parametrize(
    "table",
    [
        "fact", "log_entry", "log_node", "log_checkpoint", "ledger_journal", "ledger_posting",
        "settlement_line", "reaction_done", "deal_document", "bid", "paddle",
    ],
)  # fmt: skip
async def test_what_is_only_added_to_the_application_may_not_even_try_to_change(
    session: AsyncSession, table: str
) -> None:
    asked = {
        "INSERT": "has_any_column_privilege", "UPDATE": "has_any_column_privilege",
        "DELETE": "has_table_privilege",
    }  # fmt: skip
    for what, expected in (("INSERT", True), ("UPDATE", False), ("DELETE", False)):
        allowed = text(f"SELECT {asked[what]}('exchange_app', :table, :what)")
        found = await session.execute(allowed, {"table": table, "what": what})
        assert found.scalar_one() is expected, what
    found = await session.execute(allowed, {"table": table, "what": "TRUNCATE"})
    assert found.scalar_one() is False
