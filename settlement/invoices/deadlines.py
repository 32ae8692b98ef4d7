"""The last instant to pay: after a demand ran out, what comes in does not save the contract."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.deals.tables import DealNotice
from settlement.invoices import rules
from settlement.invoices.tables import Invoice
from settlement.plans import queries as plans
from settlement.plans.rules import ENDS_WITH_DEFAULT

DEMAND = "payment"


async def has_passed(session: AsyncSession, invoice: Invoice, *, now: datetime) -> bool:
    """Tell whether the time to pay what a deal owes is over: exactly from `cure_by` on.

    It does not wait for the worker that notes the default.
    """
    settlement = await plans.get_settlement(session, invoice.deal_id)
    root = await plans.get_settlement(session, settlement.root_id)
    if root.defaulted_at is not None:
        return settlement.kind in ENDS_WITH_DEFAULT
    wanted = select(col(DealNotice.id)).where(
        col(DealNotice.deal_id) == root.deal_id,
        col(DealNotice.kind) == DEMAND,
        col(DealNotice.outcome).is_(None),
        col(DealNotice.cure_by) <= now,
    )
    return (await session.scalars(wanted.limit(1))).first() is not None


async def check(session: AsyncSession, invoice: Invoice, *, now: datetime) -> None:
    """Check that an invoice may still be paid.

    Raises:
        PaymentTooLate: a demand for payment ran out.
    """
    if await has_passed(session, invoice, now=now):
        raise rules.PaymentTooLate("The time that the demand gave to pay is over.")
