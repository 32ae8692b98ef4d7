"""Several rows written in one statement are what the unit of work would have written."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import col, select

from contracts import ids, writing
from contracts.parties.tables import Party
from exchange.db import Database
from settlement.stripe.tables import InboundEvent
from tests.conftest import NOW
from tests.contracts.parties_factory import party


def arrived(**change: Any) -> dict[str, Any]:
    values = {
        "id": ids.new(NOW), "provider": "stripe", "event_id": f"evt_{ids.new(NOW).hex}",
        "type": "payout.paid", "payment_intent": None, "payout": None, "account": None,
        "raw": b"{}", "received_at": NOW, "tries": 0, "next_at": NOW + timedelta(days=9),
    }  # fmt: skip
    return values | change


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    raws=st.lists(st.tuples(st.binary(max_size=40), TEXTS, st.none() | TEXTS), min_size=1),
    micros=st.integers(0, 10**12),
)
async def test_what_is_written_together_is_read_as_it_was_given(
    db: Database, raws: list[tuple[bytes, str, str | None]], micros: int
) -> None:
    at = NOW + timedelta(microseconds=micros)
    rows = [arrived(raw=raw, type=kind, payout=named, next_at=at) for raw, kind, named in raws]
    async with db.sessions() as session:
        await writing.write_new(session, InboundEvent, rows)
        wanted = select(InboundEvent).where(col(InboundEvent.id).in_([row["id"] for row in rows]))
        found = {row.id: row.model_dump() for row in await session.scalars(wanted)}
        await session.rollback()
    assert [{name: found[row["id"]][name] for name in row} for row in rows] == rows


async def stored(session: AsyncSession, count: int) -> list[InboundEvent]:
    rows = [arrived() for _ in range(count)]
    await writing.write_new(session, InboundEvent, rows)
    return [await session.get_one(InboundEvent, row["id"]) for row in rows]


async def read_anew(session: AsyncSession, event_id: UUID) -> tuple[Any, ...]:
    wanted = select(InboundEvent.tries, InboundEvent.next_at, InboundEvent.payout)
    found = await session.execute(wanted.where(col(InboundEvent.id) == event_id))
    return tuple(found.one())


async def test_rows_that_changed_each_in_its_own_way_are_written_by_one_statement(
    session: AsyncSession,
) -> None:
    first, second, third = await stored(session, 3)
    first.tries, second.payout = 4, "po_1"
    second.next_at = NOW + timedelta(days=1)
    said: list[str] = []

    def heard(_c: Any, _k: Any, statement: str, *_more: Any) -> None:
        said.append(statement)

    engine = session.get_bind()
    event.listen(engine, "before_cursor_execute", heard)
    try:
        await writing.write_changes(session, [first, second, third])
        await session.flush()  # nothing is left to write
    finally:
        event.remove(engine, "before_cursor_execute", heard)
    assert len(said) == 1
    at = NOW + timedelta(days=9)
    assert await read_anew(session, first.id) == (4, at, None)
    assert await read_anew(session, second.id) == (0, NOW + timedelta(days=1), "po_1")
    assert await read_anew(session, third.id) == (0, at, None)
    await writing.write_changes(session, [first, second, third])  # nothing changed since


async def test_what_else_waits_in_the_session_is_left_to_it(session: AsyncSession) -> None:
    [one] = await stored(session, 1)
    other = await party(session, now=NOW)
    other.name_en, one.tries = "Renamed", 1
    await writing.write_changes(session, [one])
    assert other in session.dirty
    await session.flush()
    wanted = select(Party.name_en).where(col(Party.id) == other.id)
    assert await session.scalar(wanted) == "Renamed"


async def test_a_row_that_is_gone_is_told(session: AsyncSession) -> None:
    kept, gone = await stored(session, 2)
    await session.execute(text("SET LOCAL ROLE NONE"))  # the application may delete nothing
    await session.execute(
        text("DELETE FROM inbound_event WHERE event_id = :id"), {"id": gone.event_id}
    )
    kept.tries = gone.tries = 1
    with pytest.raises(StaleDataError, match="2 rows to write"):
        await writing.write_changes(session, [kept, gone])


async def test_only_plain_values_are_written_together(session: AsyncSession) -> None:
    with pytest.raises(TypeError, match="a timedelta is not written"):
        await writing.write_new(session, InboundEvent, [arrived(tries=timedelta(1))])
