"""Late payment: accrued day by day, claimed when it is paid, and ended by a demand that ran out."""

from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import calendar, canonical, ids, rfc3339
from contracts.deals import lifecycle, notices, rows
from contracts.deals import queries as deals
from contracts.deals.notices import Said
from contracts.deals.tables import Deal, DealNotice
from contracts.facts import service as facts
from contracts.money import Money
from contracts.refusal import Unknown
from settlement.invoices import service as invoicing
from settlement.invoices.deadlines import DEMAND
from settlement.invoices.rules import ISSUED, PAID, Due
from settlement.invoices.tables import Invoice
from settlement.lateness import queries, rules
from settlement.lateness.rules import Late
from settlement.lateness.tables import LateDay
from settlement.plans import claims
from settlement.plans import queries as plans
from settlement.plans import service as settlements
from settlement.plans.rules import INTEREST

AT_ONCE = 50


async def accrue_due(session: AsyncSession, *, now: datetime) -> int:
    """Write down the late days of unpaid invoices up to today, each once; return how many.

    The first late day of an invoice is told to both sides. What another worker holds is left to it,
    and a price that a default ended grows no further.
    """
    today = calendar.day_of(now)
    wanted = (
        select(Invoice)
        .where(
            col(Invoice.late_claim_id).is_(None),
            col(Invoice.deal_id).not_in(queries.ended_by_default()),
            col(Invoice.state) == ISSUED,
            col(Invoice.due_at) <= now,
            col(Invoice.late_bp) > 0,
            col(Invoice.accrued_on).is_(None) | (col(Invoice.accrued_on) < today),
        )
        .order_by(col(Invoice.due_at))
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    count = 0
    for invoice in (await session.scalars(wanted)).all():
        count += await _accrue(session, invoice, through=today, now=now)
    return count


async def charge(session: AsyncSession, invoice_id: UUID, *, now: datetime) -> Invoice | None:
    """Claim and invoice the interest of an invoice that was paid late, once; None: nothing is due.

    The day of the payment is the last that counts. The exchange takes nothing of it, and it bears
    no interest itself.
    """
    invoice = await invoicing.locked(session, invoice_id)
    if invoice.state != PAID or invoice.paid_at is None or invoice.late_claim_id is not None:
        return None
    await _accrue(session, invoice, through=calendar.day_of(invoice.paid_at), now=now)
    return await _claim(session, invoice, now=now)


async def demand(
    session: AsyncSession,
    deal_id: UUID,
    notice_id: UUID,
    *,
    party_id: UUID,
    text: str,
    now: datetime,
) -> tuple[DealNotice, bool]:
    """Demand payment of what is late (催告), by the licensor; return the notice, and if it is new.

    The contract's period to cure begins when the notice is in the log. What is still unpaid of it
    when that ends, ends the contract.

    Raises:
        Unknown: the party is not the licensor of such a deal.
        NothingOverdue: no part of the price, and no royalties, are late.
        Refusal: any of `notices.give`.
    """
    deal = await deals.get_deal_of(session, deal_id, party_id)
    if deal.licensor_id != party_id:
        raise Unknown("The licensor of a deal demands payment.", deal=str(deal_id))
    known = await session.get(DealNotice, (deal_id, notice_id))
    if known is None and not await queries.overdue(session, deal_id, at=now):
        raise rules.NothingOverdue("Nothing of this deal is late.")
    said = Said(DEMAND, text)
    return await notices.give(session, deal_id, notice_id, party_id=party_id, said=said, now=now)


async def cure(session: AsyncSession, deal_id: UUID, *, now: datetime) -> None:
    """Settle the demands of which nothing is unpaid any more, if they have not run out."""
    for notice in await deals.notices_of(session, deal_id):
        if notice.kind == DEMAND and notice.outcome is None:
            await _decide(session, notice, now=now)


async def default_due(session: AsyncSession, *, now: datetime) -> int:
    """Note the default of the deal whose demand ran out longest ago; return 1, or 0 for none."""
    wanted = (
        select(DealNotice)
        .where(
            col(DealNotice.kind) == DEMAND,
            col(DealNotice.outcome).is_(None),
            col(DealNotice.cure_by) <= now,
        )
        .order_by(col(DealNotice.cure_by), col(DealNotice.id))
        .limit(AT_ONCE)
    )
    for notice in (await session.scalars(wanted)).all():
        root = await plans.find_settlement(session, notice.deal_id)
        if root is not None and root.defaulted_at is None:
            await _decide(session, notice, now=now)
            return 1
    return 0


async def _decide(session: AsyncSession, notice: DealNotice, *, now: datetime) -> None:
    """Settle a demand as cured, or note the default, under the locks of what is owed.

    Invoices are locked before their settlement, as a payment does it.
    """
    asked = await queries.overdue(session, notice.deal_id, at=notice.given_at)
    locked = [await invoicing.locked(session, invoice.id) for invoice in asked]
    unpaid = [invoice for invoice in locked if invoice.state == ISSUED]
    root = await settlements.locked(session, notice.deal_id)
    deal = await rows.locked(session, notice.deal_id)
    notice = await notices.get_locked(session, notice.deal_id, notice.id)
    if notice.outcome is not None or root.defaulted_at is not None:
        return
    if not unpaid:
        await notices.settle(session, deal, notice, "cured", party_id=None, now=now)
    elif notice.cure_by is not None and notice.cure_by <= now:
        root.defaulted_at = notice.cure_by
        await session.flush()
        await _tell_default(session, deal, notice, unpaid, now=now)
        last = calendar.day_of(notice.cure_by - timedelta(microseconds=1))
        for invoice in unpaid:
            await _accrue(session, invoice, through=last, now=now)
            await _claim(session, invoice, now=now)


async def _tell_default(
    session: AsyncSession, deal: Deal, notice: DealNotice, unpaid: list[Invoice], *, now: datetime
) -> None:
    payload = {
        "deal": str(deal.id),
        "notice": str(notice.id),
        "unpaid_minor": sum(invoice.due.amount_minor for invoice in unpaid),
        "currency": deal.currency,
        "invoices": [str(invoice.id) for invoice in unpaid],
        "deadline": rfc3339.exact(notice.cure_by) if notice.cure_by else "",
    }
    sides = [deal.licensor_id, deal.licensee_id]
    await facts.record(session, "settlement.defaulted", deal.id, payload, parties=sides, now=now)


async def _accrue(session: AsyncSession, invoice: Invoice, *, through: date, now: datetime) -> int:
    """Write down the late days of a locked invoice that are not there yet."""
    if invoice.due_at is None or not invoice.late_bp or invoice.due.amount_minor == 0:
        return 0
    late = Late(invoice.due, invoice.due_at, invoice.late_bp)
    added = [
        LateDay(
            invoice_id=invoice.id,
            day=day,
            principal_minor=late.principal.amount_minor,
            amount_minor=amount.amount_minor,
        )
        for day, amount in rules.between(late, after=invoice.accrued_on, through=through)
    ]
    if not added:
        return 0
    is_first = invoice.accrued_on is None
    session.add_all(added)
    invoice.accrued_on = through
    await session.flush()
    if is_first:
        await _tell_overdue(session, invoice, now=now)
    return len(added)


async def _tell_overdue(session: AsyncSession, invoice: Invoice, *, now: datetime) -> None:
    settlement = await plans.get_settlement(session, invoice.deal_id)
    payload = {
        "invoice": str(invoice.id),
        "deal": str(settlement.root_id),
        "number": invoice.number,
        "due_minor": invoice.due.amount_minor,
        "currency": invoice.currency,
        "due_at": rfc3339.exact(invoice.due_at) if invoice.due_at else "",
    }
    sides = [settlement.licensee_id, settlement.licensor_id]
    await facts.record(session, "invoice.overdue", invoice.id, payload, parties=sides, now=now)


async def _claim(session: AsyncSession, invoice: Invoice, *, now: datetime) -> Invoice | None:
    minor = (await queries.sums(session, [invoice.id])).get(invoice.id, 0)
    if minor == 0 or invoice.late_claim_id is not None:
        return None
    settlement = await plans.get_settlement(session, invoice.deal_id)
    amount = Money(minor, invoice.currency)
    claim = await claims.claim(
        session, ids.new(now), of=settlement.root_id, kind=INTEREST, amount=amount, now=now
    )
    invoice.late_claim_id = claim.deal_id
    await session.flush()
    deal = await deals.get_deal(session, settlement.root_id)
    days: int = canonical.loads(deal.terms)["parameters"]["due_days"]
    until = Due(lifecycle.cure_by(now, days=days))
    return await invoicing.issue(session, claim, due=until, now=now)
