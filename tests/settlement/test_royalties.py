from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, ids
from contracts.facts.tables import Fact
from contracts.money import Money, split
from contracts.refusal import IdReused, Unknown
from settlement.invoices import queries as invoices
from settlement.ledger import queries as books
from settlement.payouts import making
from settlement.payouts import queries as payout_queries
from settlement.payouts import service as payouts
from settlement.payouts.making import Told
from settlement.plans import claims
from settlement.plans import queries as plans
from settlement.plans.rules import INTEREST
from settlement.royalties import queries, reports, rules, service
from settlement.royalties.rules import NothingToReport, PeriodNotOver, PeriodOverlaps
from settlement.royalties.tables import RoyaltyStatement
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import person
from tests.settlement.approvals_factory import decided
from tests.settlement.settlement_factory import Trade, invoiced, paid, with_accounts

GUARANTEE = Money(50_000_000, "CNY")
SHARED: dict[str, Any] = {
    "consideration": {
        "kind": "guarantee-share", "share_bp": 1250, "currency": "CNY", "amount": "500000.00"
    },
    "parameters": {"statement_days": 30, "due_days": 15, "late_bp_daily": 5},
}  # fmt: skip
BY_RUN: dict[str, Any] = {
    "consideration": {
        "kind": "per-run", "per_run": "300.00", "runs_paid": 4, "currency": "CNY",
        "amount": "1200.00",
    },
    "parameters": {"statement_days": 30},
}  # fmt: skip
Q1, Q2 = (date(2026, 1, 1), date(2026, 3, 31)), (date(2026, 4, 1), date(2026, 6, 30))


async def shared(
    session: AsyncSession, terms: dict[str, Any] = SHARED, price: Money = GUARANTEE
) -> Trade:
    """A deal with such terms, two owners, planned and invoiced."""
    return await invoiced(session, price=price, terms=canonical.dumps(terms), now=NOW)


async def staff(session: AsyncSession) -> UUID:
    home = await party(session, now=NOW)
    return (await person(session, party_id=home.id, role="approver", now=NOW)).id


async def facts_of(session: AsyncSession, subject: UUID) -> list[tuple[str, dict[str, Any]]]:
    """The kinds and records of what was told of a subject."""
    rows = await session.scalars(select(Fact).where(col(Fact.subject) == subject))
    return [(row.kind, canonical.loads(row.record)) for row in rows]


async def reported(
    session: AsyncSession,
    trade: Trade,
    period: tuple[date, date],
    *,
    gross: int,
    runs: int = 0,
    report_id: UUID | None = None,
    party_id: UUID | None = None,
) -> RoyaltyStatement:
    lines = [{"source": "IPTV", "runs": runs, "gross_minor": gross, "deductions_minor": 0}]
    statement, _ = await service.report(
        session,
        report_id or ids.new(NOW),
        deal_id=trade.deal_id,
        party_id=party_id or trade.buyer.id,
        said=reports.report(*period, lines),
        now=NOW,
    )
    return statement


async def test_a_guarantee_is_recouped_before_anything_is_due(session: AsyncSession) -> None:
    trade = await shared(session)
    first = await reported(session, trade, Q1, gross=300_000_000)
    assert (first.earned_minor, first.recouped_minor) == (37_500_000, 37_500_000)
    assert (first.unrecouped_minor, first.due_minor, first.claim_id) == (12_500_000, 0, None)
    second = await reported(session, trade, Q2, gross=200_000_000)
    assert (second.number, second.receipts_minor) == (2, 500_000_000)
    assert (second.recouped_minor, second.due_minor) == (50_000_000, 12_500_000)
    assert second.due_on == date(2027, 1, 30)  # thirty days after the calendar year


async def test_what_is_due_is_planned_by_the_deals_rates_and_invoiced(
    session: AsyncSession,
) -> None:
    trade = await shared(session)
    statement = await reported(session, trade, Q1, gross=800_000_008)
    assert statement.claim_id is not None
    claim = await plans.get_settlement(session, statement.claim_id)
    assert (claim.kind, claim.of_deal, claim.gross_minor) == (
        "royalties", trade.deal_id, 50_000_001,
    )  # fmt: skip
    lines = await plans.lines(session, claim.deal_id)
    told = {line.payee_id: line.amount_minor for line in lines}
    whole = 100_000_001 - 5_000_000  # of price and royalties together, after 5 % commission
    fair = split(whole, [(str(trade.owner_ids[0]), 7000), (str(trade.owner_ids[1]), 3000)])
    for owner in trade.owners:
        price = {
            one.payee_id: one.amount_minor for one in await plans.lines(session, trade.deal_id)
        }
        assert price[owner.id] + told[owner.id] == fair[str(owner.id)]
    invoice = await invoices.find_invoice_of_deal(session, claim.deal_id)
    assert invoice is not None and invoice.payer_id == trade.buyer.id
    kinds = [one["kind"] for one in await books.journals_of_deal(session, claim.deal_id)]
    assert kinds == ["invoice.issued"]


async def test_invariant_26_a_correction_books_the_difference_alone(session: AsyncSession) -> None:
    trade = await shared(session)
    first = await reported(session, trade, Q1, gross=600_000_000)
    second = await reported(session, trade, Q1, gross=640_000_000)
    assert (first.due_minor, second.due_minor) == (25_000_000, 5_000_000)
    down = await reported(session, trade, Q1, gross=620_000_000)
    assert (down.due_minor, down.carried_minor, down.claim_id) == (0, 2_500_000, None)
    later = await reported(session, trade, Q2, gross=100_000_000)
    assert later.due_minor == 12_500_000 - 2_500_000  # what was asked for too much is set off
    assert later.before_minor + later.due_minor == later.payable_minor
    versions = [one.version for one in await queries.reports(session, trade.deal_id)]
    assert versions == [1, 2, 3, 1]
    claimed = sum(one.gross_minor for one in await plans.claims(session, trade.deal_id))
    assert claimed == later.payable_minor


async def test_runs_beyond_those_paid_for_are_due_a_quarter_at_a_time(
    session: AsyncSession,
) -> None:
    trade = await shared(session, BY_RUN, Money(120_000, "CNY"))
    assert (await reported(session, trade, Q1, gross=0, runs=3)).due_minor == 0
    statement = await reported(session, trade, Q2, gross=0, runs=4)
    assert (statement.runs, statement.due_minor) == (7, 90_000)
    assert statement.due_on == date(2026, 7, 30)


async def test_the_same_report_again_gets_the_same_statement(session: AsyncSession) -> None:
    trade = await shared(session)
    report_id = ids.new(NOW)
    one = await reported(session, trade, Q1, gross=600_000_000, report_id=report_id)
    assert await reported(session, trade, Q1, gross=600_000_000, report_id=report_id) is one
    with pytest.raises(IdReused):
        await reported(session, trade, Q1, gross=1, report_id=report_id)


async def test_only_the_licensee_reports(session: AsyncSession) -> None:
    trade = await shared(session)
    with pytest.raises(Unknown):
        await reported(session, trade, Q1, gross=1, party_id=trade.owner_ids[0])


async def test_periods_are_over_and_do_not_overlap(session: AsyncSession) -> None:
    trade = await shared(session)
    await reported(session, trade, Q1, gross=1)
    with pytest.raises(PeriodOverlaps) as refused:
        await reported(session, trade, (date(2026, 3, 1), date(2026, 4, 30)), gross=1)
    assert refused.value.data["to"] == "2026-03-31"
    with pytest.raises(PeriodNotOver):
        await reported(session, trade, (NOW.date(), NOW.date() + timedelta(days=1)), gross=1)


async def test_a_fixed_price_takes_no_report(session: AsyncSession) -> None:
    trade = await invoiced(session, price=GUARANTEE, now=NOW)
    with pytest.raises(NothingToReport):
        await reported(session, trade, Q1, gross=1)
    with pytest.raises(NothingToReport):
        rules.waterfall_of(SHARED, amended=True)


async def test_what_is_due_is_paid_and_paid_out_like_any_price(session: AsyncSession) -> None:
    trade = await shared(session)
    statement = await reported(session, trade, Q1, gross=800_000_008)
    claim_id = statement.claim_id
    assert claim_id is not None
    invoice = await invoices.find_invoice_of_deal(session, claim_id)
    assert invoice is not None
    owed = replace(trade, invoice=invoice)
    await paid(session, owed, now=NOW)
    await with_accounts(session, owed, now=NOW)
    payout, _ = await payouts.prepare(
        session, ids.new(NOW), deal_id=claim_id, person_id=await staff(session), now=NOW
    )
    decision = await decided(session, await staff(session), payout.content_sha256, now=NOW)
    await payouts.approve(session, payout.id, decision=decision, now=NOW)
    for transfer in await payout_queries.transfers(session, payout.id):
        assert transfer.intent_id is not None
        made = Told(payout.id, transfer.intent_id, f"tr_{transfer.intent_id}")
        await making.transfers_made(session, [made], now=NOW)
    assert (await plans.get_settlement(session, claim_id)).state == "paid_out"
    told = await facts_of(session, claim_id)
    assert [kind for kind, _ in told] == ["claim.booked"]
    assert told[0][1]["deal"] == str(trade.deal_id)
    assert await facts_of(session, trade.deal_id) == []  # the deal's own price is not booked by it
    assert (await plans.get_settlement(session, trade.deal_id)).state == "awaiting_payment"
    (_, received), = [one for one in await facts_of(session, invoice.id)
                      if one[0] == "payment.received"]  # fmt: skip
    assert received["deal"] == str(trade.deal_id)


async def test_interest_goes_to_the_owners_whole(session: AsyncSession) -> None:
    trade = await shared(session)
    made = await claims.claim(
        session, ids.new(NOW), of=trade.deal_id, kind=INTEREST, amount=Money(101, "CNY"), now=NOW
    )
    lines = await plans.lines(session, made.deal_id)
    told = {line.payee_id: line.amount_minor for line in lines[1:]}
    assert lines[0].amount_minor == 0
    assert [told[owner.id] for owner in trade.owners] == [71, 30]
    statement = await reported(session, trade, Q1, gross=800_000_000)
    assert statement.claim_id is not None
    commission = (await plans.lines(session, statement.claim_id))[0]
    assert commission.amount_minor == 2_500_000  # interest is not counted with the price


async def test_the_database_takes_no_claim_of_no_deal(session: AsyncSession) -> None:
    trade = await shared(session)
    with pytest.raises(DBAPIError, match="is of no deal"):
        await session.execute(
            text(
                "INSERT INTO settlement (deal_id, work_id, licensor_id, licensee_id, gross_minor, "
                "currency, terms_sha256, state, planned_at) SELECT :other, work_id, licensor_id, "
                "licensee_id, 1, currency, terms_sha256, state, planned_at FROM settlement "
                "WHERE deal_id = :deal"
            ),
            {"other": ids.new(NOW), "deal": trade.deal_id},
        )


@pytest.mark.parametrize(
    "change", ["UPDATE usage_report SET runs = 1", "UPDATE royalty_statement SET runs = 1"]
)
async def test_what_was_reported_and_stated_stays(session: AsyncSession, change: str) -> None:
    trade = await shared(session)
    await reported(session, trade, Q1, gross=1)
    with pytest.raises(DBAPIError, match=r"permission denied|append-only"):
        await session.execute(text(change))
