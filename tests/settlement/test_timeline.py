"""The timeline of a settlement: everything, in order, with who did it and what comes next."""

from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import Money
from contracts.refusal import Unknown
from exchange import clock
from exchange.console.timelines import KINDS
from exchange.context import Context
from exchange.db import Database
from settlement.approvals.rules import Decision
from settlement.payouts import making
from settlement.payouts import queries as payout_queries
from settlement.payouts import service as payouts
from settlement.payouts.making import Told
from settlement.redletters import service as red_letters
from settlement.refunds.tables import Refund
from settlement.timeline import queries, rules
from settlement.timeline.rules import FACT, JOURNAL, STEP, Entry
from tests.conftest import NOW
from tests.exchange.test_portal_pages import signed_in
from tests.settlement import returns_factory as returning
from tests.settlement.approvals_factory import decided
from tests.settlement.redletters_factory import asked
from tests.settlement.returns_factory import disputed
from tests.settlement.settlement_factory import Trade, invoiced, paid, with_accounts
from tests.settlement.test_payouts import staff
from tests.settlement.test_refunds import bought
from tests.settlement.test_stripe_service import deliver, event, payment

PRICE = Money(120_000_001, "CNY")
HOUR = timedelta(hours=1)


async def paid_out(session: AsyncSession) -> tuple[Trade, list[object]]:
    """A trade whose money has gone the whole way, and who prepared and approved it."""
    trade = await invoiced(session, price=PRICE, now=NOW)
    await paid(session, trade, now=NOW + HOUR)
    await with_accounts(session, trade, now=NOW)
    maker, checker = await staff(session), await staff(session)
    payout, _ = await payouts.prepare(
        session, ids.new(NOW), deal_id=trade.deal_id, person_id=maker, now=NOW + 2 * HOUR
    )
    at = NOW + 3 * HOUR
    decision = await decided(session, checker, payout.content_sha256, now=at)
    await payouts.approve(session, payout.id, decision=decision, now=at)
    for transfer in await payout_queries.transfers(session, payout.id):
        assert transfer.intent_id is not None
        made = Told(payout.id, transfer.intent_id, f"tr_{transfer.intent_id}")
        await making.transfers_made(session, [made], now=NOW + 4 * HOUR)
    return trade, [maker, checker]


async def test_a_timeline_tells_the_whole_way_with_who_journals_and_facts(
    session: AsyncSession,
) -> None:
    trade, people = await paid_out(session)
    settlement, entries, following = await queries.of_settlement(session, trade.deal_id)
    assert (settlement.state, following) == ("paid_out", [])
    steps = [(one.kind, one.by) for one in entries if one.source == STEP]
    assert [kind for kind, _ in steps] == [
        "settlement.planned",
        "invoice.issued",
        "payment.requested",
        "instruction.written",
        "payment.succeeded",
        "invoice.paid",
        "payout.prepared",
        "payout.approved",
        "instruction.written",
        "instruction.written",
        "payout.paid",
    ]
    assert [by for _, by in steps if by is not None] == people
    journals = [one for one in entries if one.source == JOURNAL]
    assert [one.kind for one in journals] == [
        "invoice.issued",
        "payment.received",
        "payout.approved",
        "transfer.made",
        "transfer.made",
    ]
    assert all(sum(paid.amount_minor for _, paid in one.lines) == 0 for one in journals)
    told = {one.kind for one in entries if one.source == FACT}
    assert {"invoice.issued", "payment.received", "payout.approved", "settlement.booked"} <= told
    assert [one.at for one in entries] == sorted(one.at for one in entries)


async def test_what_comes_next_is_told_with_who_and_by_when(session: AsyncSession) -> None:
    trade = await invoiced(session, price=PRICE, now=NOW)

    async def following() -> rules.Next:
        (only,) = (await queries.of_settlement(session, trade.deal_id))[2]
        return only

    assert await following() == rules.Next("pay", "broadcaster", None)
    trade.invoice.due_at, trade.invoice.late_bp = datetime(2026, 12, 7, 16, tzinfo=UTC), 5
    await session.flush()
    assert await following() == rules.Next("pay", "broadcaster", date(2026, 12, 7))
    await paid(session, trade, now=NOW)
    await with_accounts(session, trade, now=NOW)
    assert await following() == rules.Next("prepare", "operator", rules.due_on(NOW, 2))
    payout, _ = await payouts.prepare(
        session, ids.new(NOW), deal_id=trade.deal_id, person_id=await staff(session), now=NOW
    )
    assert await following() == rules.Next("decide", "approver", rules.due_on(NOW, 1))
    decision = Decision(await staff(session), payout.content_sha256)
    await payouts.refuse(session, payout.id, decision=decision, reason="不符", now=NOW + HOUR)
    assert await following() == rules.Next("prepare", "operator", rules.due_on(NOW, 2))
    _, entries, _ = await queries.of_settlement(session, trade.deal_id)
    assert [one.note for one in entries if (one.source, one.kind) == (STEP, "payout.refused")] == [
        "不符"
    ]


async def test_what_goes_back_is_told_with_who_and_what_waits_of_it(db: Database) -> None:
    trade, payment_id, provider_id, gateway = await bought(db)
    people = await returning.staff(db)
    refund = await returning.refunded(db, await payment(db, payment_id), 7_000, people)
    _, waiting = await told(db, trade)
    assert [one.kind for one in waiting] == ["prepare", "wait-refund"]
    await returning.settle(db, gateway)
    await issued_open(db, trade, refund, people)
    gateway.disputes[provider_id] = [disputed(provider_id, 5, "needs_response")]
    await deliver(db, event(provider_id, "charge.dispute.created"))
    await returning.settle(db, gateway)
    entries, waiting = await told(db, trade)
    steps = {one.kind: one for one in entries if one.source == STEP}
    assert (steps["refund.prepared"].by, steps["refund.approved"].by) == (
        people.maker, people.checker,
    )  # fmt: skip
    assert steps["refund.made"].name and steps["dispute.opened"].note == "fraudulent"
    assert {"decide-red-letter", "evidence", "prepare"} == {one.kind for one in waiting}
    days = [one.due_on for one in waiting]
    assert all(days) and days == sorted(day for day in days if day is not None)
    booked = {one.kind: one.by for one in entries if one.source == JOURNAL}
    assert booked["refund.approved"] == people.checker and booked["refund.made"] is None
    assert {"refund.prepared", "refund.made", "dispute.seen"} <= {
        one.kind for one in entries if one.source == FACT
    }


async def told(db: Database, trade: Trade) -> tuple[list[Entry], list[rules.Next]]:
    async with db.sessions() as session:
        _, entries, waiting = await queries.of_settlement(session, trade.deal_id)
        return entries, waiting


async def issued_open(db: Database, trade: Trade, refund: Refund, people: returning.Staff) -> None:
    """A red letter of the refund waits for its decision."""
    ask = asked(trade.invoice.id, refund.amount_minor, refund_id=refund.id)
    async with db.transaction() as session:
        await red_letters.prepare(session, ids.new(NOW), ask=ask, person_id=people.maker, now=NOW)


@given(
    numbers=st.lists(st.integers(1, 999) | st.none(), min_size=1, max_size=9),
    seed=st.randoms(use_true_random=False),
)
def test_facts_of_one_instant_stand_by_their_leaves_and_the_unsealed_last(
    numbers: list[int | None], seed: Random
) -> None:
    entries = [Entry(NOW, FACT, "x", number=number) for number in numbers]
    seed.shuffle(entries)
    found = [one.number for one in rules.ordered(entries)]
    sealed = sorted(number for number in numbers if number is not None)
    assert found == sealed + [None] * (len(numbers) - len(sealed))


def test_what_is_paid_stands_after_what_was_sent() -> None:
    made = [Entry(NOW, STEP, kind) for kind in reversed(rules.ORDER)]
    assert tuple(one.kind for one in rules.ordered(made)) == rules.ORDER
    assert set(rules.ORDER) == set(KINDS)


async def test_an_unknown_settlement_has_no_timeline(session: AsyncSession) -> None:
    with pytest.raises(Unknown):
        await queries.of_settlement(session, ids.new(NOW))


def test_a_friday_s_two_working_days_end_on_tuesday() -> None:
    friday = datetime(2026, 11, 20, 9, tzinfo=UTC)
    assert rules.due_on(friday, 2) == date(2026, 11, 24)


def test_a_year_without_its_notice_has_no_due_day() -> None:
    assert rules.due_on(datetime(2099, 1, 1, tzinfo=UTC), 1) is None


def test_at_one_instant_the_step_stands_before_its_journal_and_its_fact() -> None:
    made = [Entry(NOW, source, "x") for source in (FACT, JOURNAL, STEP)]
    assert [one.source for one in rules.ordered(made)] == [STEP, JOURNAL, FACT]


async def test_staff_read_the_timeline_on_a_page_and_find_the_due_day_in_the_queue(
    context: Context,
) -> None:
    now = clock.now()
    async with context.db.transaction() as session:
        trade = await invoiced(session, price=PRICE, now=now)
        await paid(session, trade, now=now)
    due = rules.due_on(now, rules.PREPARE_WITHIN_DAYS)
    async with signed_in(context, "auditor") as client:
        page = (await client.get(f"/console/settlements/{trade.deal_id}/timeline")).text
        assert trade.invoice.number in page and "An operator prepares the payout." in page
        assert f"receivable:{trade.buyer.id}:CNY" in page and f"Due on {due}" in page
        assert "/timeline" in (await client.get(f"/console/settlements/{trade.deal_id}")).text
        assert f'<time datetime="{due}">' in (await client.get("/console")).text
        chinese = await client.get(f"/console/settlements/{trade.deal_id}/timeline?lang=zh-CN")
        assert "资金时间线" in chinese.text and "由经办人制作付款" in chinese.text
        assert "收到付款" in chinese.text and "银行卡" in chinese.text
        for code in ("payment.received", "invoice.issued", "payment_intent.create"):
            assert f"{code}<" not in page + chinese.text  # what happened is told in words
        assert (
            await client.get(f"/console/settlements/{ids.new(now)}/timeline")
        ).status_code == 404
    async with signed_in(context, "holder") as client:
        answer = await client.get(f"/console/settlements/{trade.deal_id}/timeline")
        assert answer.status_code == 403
