"""The timeline of a settlement: everything, in order, with who did it and what comes next."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import Money
from contracts.refusal import Unknown
from exchange import clock
from exchange.context import Context
from settlement.approvals.rules import Decision
from settlement.payouts import queries as payout_queries
from settlement.payouts import service as payouts
from settlement.timeline import queries, rules
from settlement.timeline.rules import FACT, JOURNAL, STEP, Entry
from tests.conftest import NOW
from tests.exchange.test_portal_pages import signed_in
from tests.settlement.approvals_factory import decided
from tests.settlement.settlement_factory import Trade, invoiced, paid, with_accounts
from tests.settlement.test_payouts import staff

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
        await payouts.transfer_made(
            session,
            payout.id,
            intent_id=transfer.intent_id,
            provider_id=f"tr_{transfer.intent_id}",
            now=NOW + 4 * HOUR,
        )
    return trade, [maker, checker]


async def test_a_timeline_tells_the_whole_way_with_who_journals_and_facts(
    session: AsyncSession,
) -> None:
    trade, people = await paid_out(session)
    settlement, entries, following = await queries.of_settlement(session, trade.deal_id)
    assert (settlement.state, following) == ("paid_out", None)
    steps = [(one.kind, one.by) for one in entries if one.source == STEP]
    assert [kind for kind, _ in steps] == [
        "settlement.planned",
        "invoice.issued",
        "payment.requested",
        "payment.succeeded",
        "invoice.paid",
        "instruction.written",
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

    async def following() -> rules.Next | None:
        return (await queries.of_settlement(session, trade.deal_id))[2]

    assert await following() == rules.Next("pay", "broadcaster", None)
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
        assert (
            await client.get(f"/console/settlements/{ids.new(now)}/timeline")
        ).status_code == 404
    async with signed_in(context, "holder") as client:
        answer = await client.get(f"/console/settlements/{trade.deal_id}/timeline")
        assert answer.status_code == 403
