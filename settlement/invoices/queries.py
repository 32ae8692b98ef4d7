"""Reading invoices and payments."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.deals.tables import Deal
from contracts.deals.terms import Side
from contracts.money import Money
from contracts.parties import queries as parties
from contracts.refusal import Unknown
from contracts.works.tables import Work
from settlement.collecting import queries as collecting
from settlement.collecting.rules import Wire, of_invoice
from settlement.invoices.printing import Issued
from settlement.invoices.rules import OPEN_PAYMENT, SUCCEEDED
from settlement.invoices.tables import Invoice, Payment
from settlement.plans.rules import SERVICE_FEE
from settlement.plans.tables import Settlement


async def find_invoice_of_deal(session: AsyncSession, deal_id: UUID) -> Invoice | None:
    """Return the invoice of a deal, or None."""
    wanted = select(Invoice).where(col(Invoice.deal_id) == deal_id)
    return (await session.scalars(wanted)).one_or_none()


async def find_fee_invoice(session: AsyncSession, deal_id: UUID) -> Invoice | None:
    """Return the invoice of the buyer's fee of a deal, or None where it owes none."""
    wanted = (
        select(Invoice)
        .join(Settlement, col(Settlement.deal_id) == col(Invoice.deal_id))
        .where(col(Settlement.of_deal) == deal_id, col(Settlement.kind) == SERVICE_FEE)
    )
    return (await session.scalars(wanted)).one_or_none()


async def get_invoice_of(
    session: AsyncSession, invoice_id: UUID, *, payer_id: UUID | None
) -> Invoice:
    """Return an invoice of a payer; staff pass None and see every one.

    Raises:
        Unknown: there is none, or it is another's.
    """
    found = await session.get(Invoice, invoice_id)
    if found is None or payer_id not in (None, found.payer_id):
        raise Unknown("There is no such invoice.")
    return found


async def issued(session: AsyncSession, invoice_id: UUID, *, party_id: UUID | None) -> Issued:
    """Return what an invoice said when it was issued, to either side; staff pass None.

    Raises:
        Unknown: there is none, or the party is neither the seller nor the buyer.
    """
    wanted = (
        select(Invoice, Settlement, Deal, Work)
        .join(Settlement, col(Settlement.deal_id) == col(Invoice.deal_id))
        .join(Deal, col(Deal.id) == func.coalesce(Settlement.of_deal, Settlement.deal_id))
        .join(Work, col(Work.id) == col(Settlement.work_id))
        .where(col(Invoice.id) == invoice_id)
    )
    found = (await session.execute(wanted)).one_or_none()
    if found is None or party_id not in (None, found[1].licensor_id, found[1].licensee_id):
        raise Unknown("There is no such invoice.")
    invoice, settlement, deal, work = found
    return Issued(
        id=invoice.id,
        number=invoice.number,
        issued_at=invoice.issued_at,
        seller=await _side(session, settlement.licensor_id, "seller"),
        buyer=await _side(session, settlement.licensee_id, "buyer"),
        kind=settlement.kind,
        contract_no=deal.contract_no,
        title={"zh": work.title_zh, "en": work.title_en},
        gross=invoice.amount,
        tax=invoice.tax,
        rate_bp=invoice.tax_rate_bp,
        deposit=Money(invoice.deposit_minor, invoice.currency),
        due_at=invoice.due_at,
        wire=await _wire(session, invoice),
    )


async def _wire(session: AsyncSession, invoice: Invoice) -> Wire | None:
    """Return how an invoice was to be paid by bank when it was issued, whatever came after."""
    left = Money(invoice.amount_minor - invoice.deposit_minor, invoice.currency)
    if left.amount_minor == 0:
        return None
    return await collecting.find_wire(
        session,
        left,
        reference=of_invoice(invoice.number),
        until=invoice.due_at,
        at=invoice.issued_at,
    )


async def _side(session: AsyncSession, party_id: UUID, role: str) -> Side:
    party = await parties.get_party(session, party_id)
    return Side(role, party.id, party.name_zh, party.name_en, party.uscc)


async def get_invoice_numbered(session: AsyncSession, number: str) -> Invoice:
    """Return the invoice of a number, for staff.

    Raises:
        Unknown: there is none.
    """
    found = (await session.scalars(select(Invoice).where(col(Invoice.number) == number))).first()
    if found is None:
        raise Unknown("There is no such invoice.")
    return found


async def under(session: AsyncSession, deal_id: UUID) -> Sequence[tuple[Settlement, Invoice]]:
    """Return every invoice under a deal with what it settles, in the order of the days."""
    wanted = (
        select(Settlement, Invoice)
        .join(Invoice, col(Invoice.deal_id) == col(Settlement.deal_id))
        .where((col(Settlement.deal_id) == deal_id) | (col(Settlement.of_deal) == deal_id))
        .order_by(col(Invoice.due_at), col(Invoice.number))
    )
    return [(one, invoice) for one, invoice in await session.execute(wanted)]


async def page(
    session: AsyncSession, *, payer_id: UUID | None, after: UUID, limit: int
) -> Sequence[Invoice]:
    """Return a payer's invoices (staff pass None: everybody's) in the order of their ids."""
    wanted = select(Invoice).where(col(Invoice.id) > after)
    if payer_id is not None:
        wanted = wanted.where(col(Invoice.payer_id) == payer_id)
    return (await session.scalars(wanted.order_by(col(Invoice.id)).limit(limit))).all()


async def get_payment_of(
    session: AsyncSession, payment_id: UUID, *, payer_id: UUID | None
) -> Payment:
    """Return a payment of a payer; staff pass None and see every one.

    Raises:
        Unknown: there is none, or it is another's.
    """
    found = await session.get(Payment, payment_id)
    if found is None or payer_id not in (None, found.payer_id):
        raise Unknown("There is no such payment.")
    return found


async def payments_in(session: AsyncSession, deal_id: UUID) -> Sequence[Payment]:
    """Return the payments that brought money in for a settlement, the oldest first."""
    wanted = (
        select(Payment)
        .join(Invoice, col(Invoice.id) == col(Payment.invoice_id))
        .where(
            col(Invoice.deal_id) == deal_id,
            col(Payment.state) == SUCCEEDED,
        )
        .order_by(col(Payment.id))
    )
    return (await session.scalars(wanted)).all()


async def find_open_payment(session: AsyncSession, invoice_id: UUID) -> Payment | None:
    """Return the payment of an invoice that is open or has succeeded, or None."""
    return (await open_payments(session, [invoice_id])).get(invoice_id)


async def open_payments(
    session: AsyncSession, invoice_ids: Collection[UUID]
) -> Mapping[UUID, Payment]:
    """Return by invoice the payment that is open or has succeeded, the newest of them."""
    wanted = (
        select(Payment)
        .where(col(Payment.invoice_id).in_(invoice_ids), col(Payment.state).in_(OPEN_PAYMENT))
        .order_by(col(Payment.requested_at))
    )
    return {payment.invoice_id: payment for payment in await session.scalars(wanted)}


class Source(NamedTuple):
    """Where the money of a deal's invoice came from."""

    charge: str | None  # that paid the whole of it; None where a deposit paid too
    wired: bool  # into an account at the bank


async def source_of_deal(session: AsyncSession, deal_id: UUID) -> Source:
    """Return how a deal's invoice was paid; by no charge and no wire where it was not."""
    wanted = (
        select(Payment.charge_id, Payment.account, Invoice.deposit_minor)
        .join(Invoice, col(Invoice.paid_by) == col(Payment.id))
        .where(col(Invoice.deal_id) == deal_id)
    )
    paid = (await session.execute(wanted)).one_or_none()
    if paid is None:
        return Source(None, wired=False)
    charge, account, deposit_minor = paid
    return Source(charge if deposit_minor == 0 else None, wired=account is not None)


async def fee_tax_minor(session: AsyncSession, deal_id: UUID) -> int:
    """Return the VAT within the commission of a settlement's invoice; 0 before there is one."""
    wanted = select(col(Invoice.fee_tax_minor)).where(col(Invoice.deal_id) == deal_id)
    return int(await session.scalar(wanted) or 0)


async def held_at(session: AsyncSession, deal_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
    """Return by deal the account at a bank that its price lies in, of those that were wired."""
    wanted = (
        select(Invoice.deal_id, Payment.bank_account_id)
        .join(Payment, col(Invoice.paid_by) == col(Payment.id))
        .where(col(Invoice.deal_id).in_(deal_ids), col(Payment.bank_account_id).is_not(None))
    )
    return {deal: account for deal, account in await session.execute(wanted) if account}
