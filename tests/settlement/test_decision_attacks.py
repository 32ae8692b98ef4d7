"""Attacks on what takes two people, as the application's own role. A number stands for its attack.

They go on where `test_ledger_attacks` ends: marks, closes, exchanges and reversals that nobody
ordered, or otherwise than was ordered, and journals of decisions that nobody took.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import Money
from exchange.db import Database
from settlement.ledger import closing, exchanging, service
from settlement.ledger import rules as accounts
from settlement.ledger.closing import Decided
from settlement.orders import rules
from tests.conftest import NOW
from tests.settlement import books_factory as books
from tests.settlement.approvals_factory import decided
from tests.settlement.batches_factory import approver
from tests.settlement.books_factory import Payee, money
from tests.settlement.orders_factory import carried_out, journal, ordered, owed

LONG_AGO = datetime(2010, 1, 1, tzinfo=UTC)  # after what other tests closed, before their journals
Act = Callable[[AsyncSession, Payee, UUID, str], Awaitable[Any]]


async def at_commit(session: AsyncSession) -> None:
    """Make the checks of the commit at once, as the application's role."""
    await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))


async def frozen(session: AsyncSession, one: Payee, order_id: UUID, by: str) -> None:
    why = Decided(by, "test")
    code = f"{one.due}:CNY"
    await closing.mark(session, order_id, code=code, status="frozen", decided=why, now=NOW)


async def closed(session: AsyncSession, _: Payee, order_id: UUID, by: str) -> None:
    why = Decided(by, "test")
    await closing.close(session, order_id, until=LONG_AGO, decided=why, now=NOW)


async def changed(session: AsyncSession, one: Payee, order_id: UUID, by: str) -> int:
    quote = await books.quoted(session, "USD", "CNY", "7.1023")
    await books.owed(session, one, money(10_000, "USD"))
    return await exchanging.exchange(
        session, quote, give=(one.due, money(10_000, "USD")), into=(one.due, money(71_023)),
        idem_key=f"order:{order_id}", actor=by, deal_id=None, now=NOW,
    )  # fmt: skip


async def reversed_(session: AsyncSession, one: Payee, order_id: UUID, by: str) -> int:
    made = await books.owed(session, one, money(1))
    return await service.reverse(
        session, made, idem_key=f"order:{order_id}", actor=by, reason="test", now=NOW
    )


async def booked(session: AsyncSession, one: Payee, order_id: UUID, by: str) -> int:
    return await service.post(
        session, idem_key=f"order:{order_id}", kind=rules.MANUAL, actor=by, deal_id=None,
        lines=[(one.clearing, money(5)), (one.due, money(-5))], now=NOW, reason="test",
    )  # fmt: skip


ACTS: dict[str, Act] = {
    "freeze": frozen, "close": closed, "exchange": changed, "reversal": reversed_,
    "journal": booked,
}  # fmt: skip


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
async def test_a20_what_nobody_ordered_is_lost_with_its_transaction(
    session: AsyncSession, act: Act
) -> None:
    one = books.payee()
    await books.owed(session, one, money(700))
    await act(session, one, ids.new(NOW), str(await approver(session, now=NOW)))
    with pytest.raises(DBAPIError, match="by nobody"):
        await at_commit(session)


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
async def test_a20_an_order_of_something_else_does_not_cover_it(
    session: AsyncSession, act: Act
) -> None:
    one = books.payee()
    await books.owed(session, one, money(700))
    kinds = {frozen: "mark", closed: "close", changed: "exchange", reversed_: "reversal"}
    other = {
        "mark": {"account": f"{books.payee().due}:CNY", "status": "frozen"},
        "close": {"until": (LONG_AGO - timedelta(days=1)).isoformat()},
        "exchange": {
            "quote": str(ids.new(NOW)),
            "give": {"account": f"{one.due}:USD", "amount_minor": 10_000},
            "take": {"account": f"{one.due}:CNY", "amount_minor": 71_023},
        },
        "reversal": {"journal": "another"},
        "journal": journal(f"{one.due}:CNY", -6),
    }  # fmt: skip
    kind = kinds.get(act, "journal")

    async def carry(order_id: UUID, by: str) -> Any:
        return await act(session, one, order_id, by)

    await carried_out(session, kind, other[kind], carry, now=NOW)
    with pytest.raises(DBAPIError, match=r"by nobody|something else than its order"):
        await at_commit(session)


async def test_a20_an_order_that_waits_covers_nothing(session: AsyncSession) -> None:
    code = await owed(session, now=NOW)
    order = await ordered(session, "mark", {"account": code, "status": "frozen"}, now=NOW)
    by = str(await approver(session, now=NOW))
    why = Decided(by, order.reason)
    await closing.mark(session, order.id, code=code, status="frozen", decided=why, now=NOW)
    with pytest.raises(DBAPIError, match="ordered by nobody"):
        await at_commit(session)


async def test_a20_a_freeze_that_two_people_ordered_is_kept(db: Database) -> None:
    one = books.payee()
    async with db.transaction() as session:
        await books.owed(session, one, money(700))
        what = {"account": f"{one.due}:CNY", "status": "frozen"}

        async def carry(order_id: UUID, by: str) -> None:
            await frozen(session, one, order_id, by)

        await carried_out(session, "mark", what, carry, now=NOW)
    async with db.sessions() as session:
        with pytest.raises(accounts.AccountNotOpen):
            await books.owed(session, one, money(1))


async def test_a21_a_journal_by_hand_moves_to_the_fen_what_was_approved(
    session: AsyncSession,
) -> None:
    one = books.payee()
    await books.owed(session, one, money(700))
    said = {
        "lines": [
            {"account": f"{one.clearing}:CNY", "amount_minor": 2},
            {"account": f"{one.clearing}:CNY", "amount_minor": 3},
            {"account": f"{one.due}:CNY", "amount_minor": -5},
        ]
    }
    for effective, fits in ((NOW, True), (NOW - timedelta(days=1), False)):
        what = {**said, "effective_at": effective.isoformat()}

        async def carry(order_id: UUID, by: str) -> int:
            return await booked(session, one, order_id, by)

        await carried_out(session, "journal", what, carry, now=NOW)
        if fits:
            await at_commit(session)
            await session.execute(text("SET CONSTRAINTS ALL DEFERRED"))
    with pytest.raises(DBAPIError, match="something else than its order"):
        await at_commit(session)


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("payout.approved", "payout:{}:approved"),
        ("refund.approved", "refund:{}:approved"),
        ("red-letter.issued", "red-letter:{}:issued"),
        ("deposit.forfeited", "deposit:movement:{}"),
        ("deposit.distributed", "deposit:movement:{}"),
        ("suspense.placed", "release:{}:1"),
    ],
    ids=["payout", "refund", "red-letter", "forfeited", "distributed", "suspense"],
)
async def test_a22_the_journal_of_a_decision_that_nobody_took_is_lost(
    session: AsyncSession, kind: str, key: str
) -> None:
    one, by = books.payee(), str(await approver(session, now=NOW))
    lines = [(one.clearing, Money(5, "CNY")), (one.due, Money(-5, "CNY"))]
    for name in (str(ids.new(NOW)), "nothing"):
        async with session.begin_nested() as attempt:
            await service.post(
                session, idem_key=f"{key.format(name)}", kind=kind, actor=by, deal_id=None,
                lines=lines, now=NOW,
            )  # fmt: skip
            with pytest.raises(DBAPIError, match="was approved by nobody"):
                await at_commit(session)
            await attempt.rollback()


async def test_a23_who_ordered_it_cannot_approve_it_in_sql(session: AsyncSession) -> None:
    """The chain below the marks: no order becomes approved by its maker, nor by an idle one."""
    code = await owed(session, now=NOW)
    order = await ordered(session, "mark", {"account": code, "status": "frozen"}, now=NOW)
    proof = (await decided(session, order.prepared_by, order.content_sha256, now=NOW)).proof_id
    approval = (
        "INSERT INTO approval (id, object_type, object_id, object_hash, maker_id, checker_id, "
        "outcome, proof_id, decided_at, expires_at) VALUES (:proof, 'ledger-order', :id, :hash, "
        ":maker, :checker, 'approved', :proof, :now, :now + interval '1 hour')"
    )
    values = {"proof": proof, "id": order.id, "hash": order.content_sha256, "now": NOW}
    one, other = order.prepared_by, await approver(session, now=NOW)
    for maker, checker, why in ((one, one, "two_people"), (other, one, None)):
        try:
            async with session.begin_nested():
                await session.execute(text(approval), values | {"maker": maker, "checker": checker})
            assert why is None
        except DBAPIError as refused:
            assert why is not None and why in str(refused)
    await session.execute(
        text("UPDATE approval SET used_at = :now WHERE id = :proof"), {"now": NOW, "proof": proof}
    )
    with pytest.raises(DBAPIError, match=r"is not decided by person|needs_two_people"):
        await session.execute(
            text(
                "UPDATE ledger_order SET state = 'approved', decided_by = :by, decided_at = :now, "
                "approval_id = :proof WHERE id = :id"
            ),
            {"by": one, "now": NOW, "proof": proof, "id": order.id},
        )
