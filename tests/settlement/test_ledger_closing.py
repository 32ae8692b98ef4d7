"""Closed periods and frozen accounts: what is over stays, and what is frozen does not move."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.refusal import IdReused, Unknown
from exchange import clock, worker
from exchange.context import Context
from exchange.db import Database
from settlement.ledger import closing, holds, queries
from settlement.ledger.closing import Decided
from settlement.ledger.holds import Wanted
from settlement.ledger.rules import (
    AccountNotMarkable,
    AccountNotOpen,
    AccountUnlimited,
    CloseNotLater,
    PeriodClosed,
)
from settlement.ledger.tables import LedgerHoldEnd
from tests.conftest import NOW
from tests.settlement import books_factory as books
from tests.settlement.books_factory import money
from tests.settlement.orders_factory import carried_out

WHY = Decided("test", "month end")


async def marked(session: AsyncSession, code: str, status: str) -> None:
    await closing.mark(
        session, ids.new(NOW), code=f"{code}:CNY", status=status, decided=WHY, now=NOW
    )


async def test_nothing_takes_effect_in_a_closed_period(session: AsyncSession) -> None:
    one = books.payee()
    before = NOW - timedelta(days=30)
    await books.owed(session, one, money(700), now=before)
    kept, new = await closing.close(session, ids.new(NOW), until=NOW, decided=WHY, now=NOW)
    assert new
    assert kept.journals >= 1
    await books.owed(session, one, money(1), now=NOW)
    with pytest.raises(PeriodClosed):
        await books.owed(session, one, money(1), now=NOW - timedelta(microseconds=1))


async def test_something_late_takes_effect_in_the_open_period_and_says_when_it_was(
    session: AsyncSession,
) -> None:
    one, late = books.payee(), NOW - timedelta(days=9)
    await closing.close(session, ids.new(NOW), until=NOW, decided=WHY, now=NOW)
    assert await closing.effective(session, late) == NOW
    assert await closing.effective(session, NOW + timedelta(days=1)) == NOW + timedelta(days=1)
    journal = await books.owed(
        session, one, money(700), now=await closing.effective(session, late), occurred_at=late
    )
    found = await session.execute(
        text("SELECT effective_at, occurred_at FROM ledger_journal WHERE id = :id"), {"id": journal}
    )
    assert tuple(found.one()) == (NOW, late)


async def test_the_books_are_closed_forwards_only_and_up_to_the_past(
    session: AsyncSession,
) -> None:
    close_id = ids.new(NOW)
    first, _ = await closing.close(session, close_id, until=NOW, decided=WHY, now=NOW)
    again, new = await closing.close(session, close_id, until=NOW, decided=WHY, now=NOW)
    assert (again is first, new) == (True, False)
    with pytest.raises(IdReused):
        await closing.close(session, close_id, until=NOW - timedelta(days=1), decided=WHY, now=NOW)
    with pytest.raises(CloseNotLater):
        await closing.close(
            session, ids.new(NOW), until=NOW + timedelta(days=1), decided=WHY, now=NOW
        )
    with pytest.raises(CloseNotLater):
        await closing.close(session, ids.new(NOW), until=NOW, decided=WHY, now=NOW)


async def test_a_journal_that_is_being_written_is_waited_for_and_counted(db: Database) -> None:
    """A close that overtook it would leave it out of the balances that it signs for."""
    one, until = books.payee(), datetime(2001, 3, 1, tzinfo=UTC)
    order: list[str] = []
    async with db.sessions() as closer, db.sessions() as writer:
        await books.owed(writer, one, money(700), now=until - timedelta(days=1))

        async def finish() -> None:
            await closing.close(closer, ids.new(NOW), until=until, decided=WHY, now=NOW)
            order.append("closed")

        waiting = asyncio.create_task(finish())
        await _until_it_waits(db)
        order.append("written")
        await writer.commit()
        await waiting
        found = await closer.execute(
            text("SELECT balances_sha256 = ledger_balances_at(until), journals FROM ledger_close "
                 "WHERE until = :until"), {"until": until},
        )  # fmt: skip
        same, journals = found.one()
        await closer.rollback()
    assert order == ["written", "closed"]
    assert same
    assert journals >= 1


async def _until_it_waits(db: Database) -> None:
    for _ in range(1_000):
        async with db.sessions() as session:
            found = await session.scalar(
                text(
                    "SELECT count(*) FROM pg_locks WHERE relation = 'ledger_journal'::regclass "
                    "AND mode = 'ShareLock' AND NOT granted"
                )
            )
        if found:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the close does not wait")


async def test_a_journal_that_slips_behind_a_close_is_found_by_the_check(
    session: AsyncSession,
) -> None:
    one = books.payee()
    await closing.close(session, ids.new(NOW), until=NOW, decided=WHY, now=NOW)
    journal = await books.owed(session, one, money(700))
    await session.execute(text("RESET ROLE"))
    await session.execute(text("SET LOCAL ROLE NONE"))
    await session.execute(text("ALTER TABLE ledger_journal DISABLE TRIGGER ledger_journal_stays"))
    await session.execute(
        text("UPDATE ledger_journal SET effective_at = :before WHERE id = :id"),
        {"before": NOW - timedelta(days=1), "id": journal},
    )
    assert any("closed at" in fault for fault in await queries.check(session))


async def test_sql_cannot_say_what_the_balances_were(session: AsyncSession) -> None:
    await session.execute(
        text("INSERT INTO ledger_close (id, until, journals, balances_sha256, reason, actor, "
             "closed_at) VALUES (:id, :now, 5, '\\x00', 'x', 'me', :now)"),
        {"id": ids.new(NOW), "now": NOW},
    )  # fmt: skip
    assert not [fault for fault in await queries.check(session) if "closed at" in fault]


async def test_a_frozen_account_takes_no_line_and_no_hold_until_it_is_opened_again(
    session: AsyncSession,
) -> None:
    one = books.payee()
    await books.owed(session, one, money(700))
    await marked(session, one.due, "frozen")
    for move in (books.paid, books.owed, books.held):
        with pytest.raises(AccountNotOpen):
            async with session.begin_nested():
                await move(session, one, money(100))
    await marked(session, one.due, "open")
    await books.paid(session, one, money(700))


async def test_a_hold_of_a_frozen_account_can_be_let_go_and_not_captured(
    session: AsyncSession,
) -> None:
    one = books.payee()
    await books.owed(session, one, money(700))
    hold_id = await books.held(session, one, money(700))
    await marked(session, one.due, "frozen")
    with pytest.raises(AccountNotOpen):
        async with session.begin_nested():
            await books.captured(session, hold_id, one, money(700))
    await session.execute(
        text("INSERT INTO ledger_hold_end VALUES (:id, 'released', 0, NULL, 'me', :now)"),
        {"id": hold_id, "now": NOW},
    )


async def test_an_account_is_closed_empty_and_for_good(session: AsyncSession) -> None:
    one = books.payee()
    await books.owed(session, one, money(700))
    with pytest.raises(AccountNotMarkable):
        async with session.begin_nested():
            await marked(session, one.due, "closed")
    await books.paid(session, one, money(700))
    await marked(session, one.due, "closed")
    with pytest.raises(AccountNotOpen):
        async with session.begin_nested():
            await books.owed(session, one, money(1))
    with pytest.raises(AccountNotMarkable):
        await marked(session, one.due, "open")


async def test_an_account_with_something_held_is_not_closed(session: AsyncSession) -> None:
    one = books.payee()
    await books.owed(session, one, money(700))
    await books.held(session, one, money(1))
    with pytest.raises(AccountNotMarkable):
        await marked(session, one.due, "closed")


async def test_the_record_of_a_bank_is_never_frozen(session: AsyncSession) -> None:
    one = books.payee()
    await books.owed(session, one, money(700))
    with pytest.raises(AccountUnlimited):
        await marked(session, one.clearing, "frozen")


async def test_marking_what_is_not_there_or_under_a_taken_id_is_refused(
    session: AsyncSession,
) -> None:
    one, mark_id = books.payee(), ids.new(NOW)
    await books.owed(session, one, money(700))
    with pytest.raises(Unknown):
        await marked(session, "payee:nobody:due", "frozen")
    for status, new in (("frozen", True), ("frozen", False)):
        _, made = await closing.mark(
            session, mark_id, code=f"{one.due}:CNY", status=status, decided=WHY, now=NOW
        )
        assert made is new
    with pytest.raises(IdReused):
        await closing.mark(
            session, mark_id, code=f"{one.due}:CNY", status="open", decided=WHY, now=NOW
        )


async def test_a_frozen_account_stays_frozen_against_sql(session: AsyncSession) -> None:
    one = books.payee()
    await books.owed(session, one, money(700))
    await marked(session, one.due, "frozen")
    with pytest.raises(DBAPIError, match="permission denied"):
        await session.execute(text("UPDATE ledger_account SET status = 'open'"))


async def test_limits_and_freezing_hold_against_a_posting_at_the_same_moment(
    db: Database,
) -> None:
    """Whoever waits for the balance reads the account afterwards."""
    one = books.payee()
    async with db.transaction() as session:
        await books.owed(session, one, money(700))
    async with db.sessions() as freezer:
        code = f"{one.due}:CNY"

        async def freeze(mark_id: UUID, by: str) -> None:
            why = Decided(by, "test")
            await closing.mark(freezer, mark_id, code=code, status="frozen", decided=why, now=NOW)

        what = {"account": code, "status": "frozen"}
        await carried_out(freezer, "mark", what, freeze, now=NOW)

        async def pay() -> None:
            async with db.transaction() as session:
                await books.paid(session, one, money(1))

        paying = asyncio.create_task(pay())
        await asyncio.sleep(0.05)
        await freezer.commit()
    with pytest.raises(AccountNotOpen):
        await paying


async def test_the_worker_lets_money_go_that_was_held_too_long_and_only_that(
    context: Context,
) -> None:
    one, made = books.payee(), clock.now() - timedelta(hours=2)
    old, fresh = ids.new(NOW), ids.new(NOW)
    async with context.db.transaction() as session:
        await books.owed(session, one, money(700))
        for hold_id, lasts in ((old, timedelta(hours=1)), (fresh, timedelta(days=1))):
            wanted = Wanted(one.due, money(350), "test", made + lasts)
            await holds.hold(session, hold_id, wanted, actor="test", now=made)
    await worker.expire_holds(context)
    async with context.db.sessions() as session:
        end = await session.get_one(LedgerHoldEnd, old)
        assert end.outcome == "expired"
        assert await session.get(LedgerHoldEnd, fresh) is None
