"""Late payment: days add up however they are split, demands end on the second, each thing once."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.deals import lifecycle, notices, rows
from contracts.deals import queries as deals
from contracts.deals.tables import Deal, DealNotice
from contracts.facts import queries as facts
from contracts.money import Money
from contracts.parties.rules import EXCHANGE_PARTY_ID
from contracts.refusal import Unknown
from settlement.invoices import queries as invoices
from settlement.invoices import service as invoicing
from settlement.invoices import wires
from settlement.invoices.rules import PaymentTooLate, Seen
from settlement.invoices.tables import Invoice
from settlement.lateness import queries, rules, service
from settlement.lateness.rules import Late, NothingOverdue
from settlement.plans import queries as plans
from tests.conftest import NOW
from tests.settlement.test_instalments import PRICE, pay, sold

DUE = datetime(2026, 12, 7, 16, tzinfo=UTC)  # midnight in Beijing
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def late(minor: int, rate_bp: int = 5) -> Late:
    return Late(Money(minor, "CNY"), DUE, rate_bp)


# A contract asks for twenty ten-thousandths a day at the most.
@given(st.integers(1, 10**12), st.integers(0, 20), st.integers(0, 400), st.integers(0, 400))
def test_a_span_split_in_two_costs_what_the_whole_costs(
    minor: int, rate_bp: int, first: int, second: int
) -> None:
    one = late(minor, rate_bp)
    start = one.first_day
    middle, end = start + first * DAY, start + (first + second) * DAY
    whole = [amount for _, amount in rules.between(one, after=None, through=end)]
    early = [amount for _, amount in rules.between(one, after=None, through=middle)]
    rest = [amount for _, amount in rules.between(one, after=middle, through=end)]
    assert early + rest == whole
    assert len(whole) == first + second + 1
    total = sum(amount.amount_minor for amount in whole)
    assert total == rules.sum_for(one, len(whole)).amount_minor
    assert abs(total * 10_000 - minor * rate_bp * len(whole)) * 2 <= 10_000
    assert all(amount.amount_minor >= 0 for amount in whole)


def test_the_day_after_the_last_day_to_pay_is_the_first_that_costs() -> None:
    one = late(1_000_000)
    assert list(rules.between(one, after=None, through=date(2026, 12, 7))) == []
    assert list(rules.between(one, after=None, through=date(2026, 12, 8))) == [
        (date(2026, 12, 8), Money(500, "CNY"))
    ]


async def first_invoice(session: AsyncSession, deal: Deal) -> Invoice:
    found = await invoices.find_invoice_of_deal(session, deal.id)
    assert found is not None and found.due_at is not None
    return found


async def told(session: AsyncSession, subject: Any, kind: str) -> list[dict[str, Any]]:
    return [canonical.loads(one.record) for one in await facts.all_of(session, subject, kind)]


async def accrue(session: AsyncSession, now: datetime) -> None:
    while await service.accrue_due(session, now=now):
        pass


async def demanded(session: AsyncSession, deal: Deal, *, now: datetime) -> DealNotice:
    """A demand for payment that was received at once."""
    notice, _ = await service.demand(
        session, deal.id, ids.new(now), party_id=deal.licensor_id, text="请付款", now=now
    )
    row = await rows.locked(session, deal.id)
    await notices.receive(session, row, notice, how="deemed", now=now)
    return notice


async def test_each_late_day_is_written_once_however_often_the_job_runs(
    session: AsyncSession,
) -> None:
    deal = await sold(session)
    invoice = await first_invoice(session, deal)
    assert invoice.due_at is not None
    await accrue(session, invoice.due_at - SECOND)
    assert await queries.sums(session, [invoice.id]) == {}
    await accrue(session, invoice.due_at)
    for now in (invoice.due_at + 2 * DAY, invoice.due_at + 2 * DAY, invoice.due_at + 4 * DAY):
        await accrue(session, now)
    # five days at five ten-thousandths of 300,000.00
    assert await queries.sums(session, [invoice.id]) == {invoice.id: 75_000}
    (fact,) = await told(session, invoice.id, "invoice.overdue")
    assert (fact["deal"], fact["due_minor"]) == (str(deal.id), 30_000_000)
    with pytest.raises(DBAPIError):
        async with session.begin_nested():
            await session.execute(
                text("UPDATE late_day SET amount_minor = 0 WHERE invoice_id = :id"),
                {"id": invoice.id},
            )


@pytest.mark.parametrize("watched", [True, False], ids=["job ran", "job never ran"])
async def test_what_is_paid_late_is_invoiced_its_interest_once(
    session: AsyncSession, watched: bool
) -> None:
    deal = await sold(session)
    invoice = await first_invoice(session, deal)
    assert invoice.due_at is not None
    paid_at = invoice.due_at + 2 * DAY + SECOND
    if watched:
        await accrue(session, invoice.due_at + DAY)
    await pay(session, deal.id, now=paid_at)
    made = await service.charge(session, invoice.id, now=paid_at + 9 * DAY)
    assert made is not None and made.late_bp is None
    assert made.amount == Money(45_000, "CNY")  # three days
    assert await service.charge(session, invoice.id, now=paid_at + 10 * DAY) is None
    claim = await plans.get_settlement(session, made.deal_id)
    assert (claim.kind, claim.of_deal) == ("interest", deal.id)
    commission, *owners = await plans.lines(session, made.deal_id)
    assert commission.amount_minor == 0
    assert [one.amount_minor for one in owners] in ([31_500, 13_500], [13_500, 31_500])
    await accrue(session, paid_at + 400 * DAY)
    assert made.id not in await queries.sums(session, [made.id])


async def test_what_is_paid_on_its_last_day_bears_nothing(session: AsyncSession) -> None:
    deal = await sold(session)
    invoice = await first_invoice(session, deal)
    assert invoice.due_at is not None
    await pay(session, deal.id, now=invoice.due_at - SECOND)
    assert await service.charge(session, invoice.id, now=invoice.due_at) is None


async def test_only_the_licensor_demands_and_only_what_is_late(session: AsyncSession) -> None:
    deal = await sold(session)
    invoice = await first_invoice(session, deal)
    assert invoice.due_at is not None
    with pytest.raises(NothingOverdue):
        await demanded(session, deal, now=invoice.due_at - SECOND)
    for stranger in (deal.licensee_id, EXCHANGE_PARTY_ID):
        with pytest.raises(Unknown):
            await service.demand(
                session, deal.id, ids.new(NOW), party_id=stranger, text="x", now=invoice.due_at
            )
    notice = await demanded(session, deal, now=invoice.due_at)
    assert notice.cure_by == lifecycle.cure_by(invoice.due_at, days=30)


async def test_a_payment_one_second_before_the_end_cures(session: AsyncSession) -> None:
    deal = await sold(session)
    invoice = await first_invoice(session, deal)
    assert invoice.due_at is not None
    notice = await demanded(session, deal, now=invoice.due_at)
    assert notice.cure_by is not None
    await pay(session, deal.id, now=notice.cure_by - SECOND)
    assert invoice.state == "paid"
    while await service.default_due(session, now=notice.cure_by + DAY):
        pass
    assert notice.outcome == "cured"
    assert await told(session, deal.id, "settlement.defaulted") == []


async def test_at_the_end_it_is_too_late_even_before_anybody_noted_it(
    session: AsyncSession,
) -> None:
    deal = await sold(session)
    invoice = await first_invoice(session, deal)
    assert invoice.due_at is not None
    payment_id = ids.new(NOW)
    await invoicing.request_payment(
        session, invoice.id, payment_id, payer_id=deal.licensee_id, method="card",
        now=invoice.due_at,
    )  # fmt: skip
    notice = await demanded(session, deal, now=invoice.due_at)
    assert notice.cure_by is not None
    seen = Seen(f"pi_{payment_id}", "succeeded", invoice.due, f"ch_{payment_id}", payment_id)
    await invoicing.apply_seen(session, seen, now=notice.cure_by)
    assert invoice.state == "issued"  # the money is in suspense
    arrived = await wires.receive_wire(
        session,
        invoice.id,
        invoice.due,
        reference="r1",
        account="bank:x",
        held_at=ids.new(NOW),
        now=notice.cure_by,
    )
    assert not arrived
    second = (await plans.parts_of(session, deal.id))[1].deal_id
    with pytest.raises(PaymentTooLate):
        await pay(session, second, now=notice.cure_by)


async def test_a_demand_that_runs_out_is_one_default_with_its_interest(
    session: AsyncSession,
) -> None:
    deal = await sold(session)
    invoice = await first_invoice(session, deal)
    assert invoice.due_at is not None
    notice = await demanded(session, deal, now=invoice.due_at)
    assert notice.cure_by is not None
    while await service.default_due(session, now=notice.cure_by - SECOND):
        pass
    assert await told(session, deal.id, "settlement.defaulted") == []
    for _ in range(3):
        while await service.default_due(session, now=notice.cure_by):
            pass
    (fact,) = await told(session, deal.id, "settlement.defaulted")
    assert (fact["notice"], fact["unpaid_minor"]) == (str(notice.id), 30_000_000)
    root = await plans.get_settlement(session, deal.id)
    assert root.defaulted_at == notice.cure_by
    late_days = (notice.cure_by - invoice.due_at).days
    (interest,) = [
        one for kind, one in await invoices.under(session, deal.id) if kind.kind == "interest"
    ]
    assert interest.amount_minor == 15_000 * late_days
    before = await queries.sums(
        session, [one.id for _, one in await invoices.under(session, deal.id)]
    )
    await accrue(session, NOW + 300 * DAY)
    assert await queries.sums(session, list(before)) == before
    third = (await plans.parts_of(session, deal.id))[2]
    unpaid = await invoices.find_invoice_of_deal(session, third.deal_id)
    assert unpaid is not None and unpaid.accrued_on is None  # due later, and owed no more
    await pay(session, interest.deal_id, now=notice.cure_by + DAY)  # it is owed all the same
    assert interest.state == "paid"


async def test_a_demand_that_was_withdrawn_ends_nothing(session: AsyncSession) -> None:
    deal = await sold(session)
    invoice = await first_invoice(session, deal)
    assert invoice.due_at is not None
    notice = await demanded(session, deal, now=invoice.due_at)
    assert notice.cure_by is not None
    await notices.answer(
        session, deal.id, notice.id, party_id=deal.licensor_id, said="withdrawn",
        now=notice.cure_by - SECOND,
    )  # fmt: skip
    while await service.default_due(session, now=notice.cure_by + DAY):
        pass
    assert await told(session, deal.id, "settlement.defaulted") == []
    await pay(session, deal.id, now=notice.cure_by + DAY)
    assert invoice.state == "paid"
    assert (await deals.get_deal(session, deal.id)).ended is None
    assert PRICE.amount_minor == deal.amount_minor
