"""Invoices that a bank transfer pays (汇款)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import ids, locking
from contracts.money import Money
from settlement.invoices import deadlines, rules, service
from settlement.invoices.tables import Invoice, Payment

WIRE = "wire"


async def receive_wire(
    session: AsyncSession,
    invoice_id: UUID,
    received: Money,
    *,
    reference: str,
    account: str,
    held_at: UUID,
    now: datetime,
) -> bool:
    """Pay an invoice with money at the bank, once; False, and nothing done, unless it is all due.

    Args:
        session: the transaction of the bank's statement.
        invoice_id: the invoice.
        received: what came in.
        reference: the line of the statement; one pays an invoice once.
        account: the ledger's account that the money is in, without its currency.
        held_at: the account at a bank that it lies in.
        now: the instant.
    """
    invoice = await locking.find_locked(session, Invoice, col(Invoice.id) == invoice_id)
    if invoice is None or invoice.state != rules.ISSUED:
        return False
    if await deadlines.has_passed(session, invoice, now=now):
        return False  # it goes to suspense, where people decide
    if not rules.settles(invoice.due, received):
        return False
    payment = Payment(
        id=ids.new(now),
        invoice_id=invoice_id,
        payer_id=invoice.payer_id,
        method=WIRE,
        amount_minor=received.amount_minor,
        currency=received.currency,
        state=rules.SUCCEEDED,
        provider_id=reference,
        account=account,
        bank_account_id=held_at,
        requested_at=now,
        settled_at=now,
    )
    session.add(payment)
    await session.flush()
    await service.receive(session, payment, received, now=now)
    return True
