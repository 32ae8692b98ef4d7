"""Reading invoices and payments."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Unknown
from settlement.invoices.rules import OPEN_PAYMENT
from settlement.invoices.tables import Invoice, Payment


async def find_invoice_of_deal(session: AsyncSession, deal_id: UUID) -> Invoice | None:
    """Return the invoice of a deal, or None."""
    wanted = select(Invoice).where(col(Invoice.deal_id) == deal_id)
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


async def get_invoice_numbered(session: AsyncSession, number: str) -> Invoice:
    """Return the invoice of a number, for staff.

    Raises:
        Unknown: there is none.
    """
    found = (await session.scalars(select(Invoice).where(col(Invoice.number) == number))).first()
    if found is None:
        raise Unknown("There is no such invoice.")
    return found


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


async def charge_of_deal(session: AsyncSession, deal_id: UUID) -> str | None:
    """Return the charge that paid the whole of a deal's invoice; None where a deposit paid too."""
    wanted = (
        select(Payment.charge_id)
        .join(Invoice, col(Invoice.paid_by) == col(Payment.id))
        .where(col(Invoice.deal_id) == deal_id, col(Invoice.deposit_minor) == 0)
    )
    found: str | None = await session.scalar(wanted)
    return found


async def was_wired(session: AsyncSession, deal_id: UUID) -> bool:
    """Tell whether a deal's invoice was paid into an account at the bank."""
    wanted = (
        select(Payment.account)
        .join(Invoice, col(Invoice.paid_by) == col(Payment.id))
        .where(col(Invoice.deal_id) == deal_id)
    )
    return await session.scalar(wanted) is not None
