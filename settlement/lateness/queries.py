"""Reading what is late."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from settlement.invoices import queries as invoices
from settlement.invoices.rules import ISSUED
from settlement.invoices.tables import Invoice
from settlement.lateness.rules import ESSENTIAL
from settlement.lateness.tables import LateDay
from settlement.plans.rules import ENDS_WITH_DEFAULT
from settlement.plans.tables import Settlement


async def sums(session: AsyncSession, invoice_ids: Collection[UUID]) -> Mapping[UUID, int]:
    """Return by invoice what its late days cost so far, in minor units; none: not late."""
    wanted = (
        select(col(LateDay.invoice_id), func.sum(col(LateDay.amount_minor)))
        .where(col(LateDay.invoice_id).in_(invoice_ids))
        .group_by(col(LateDay.invoice_id))
    )
    return {invoice_id: int(minor) for invoice_id, minor in await session.execute(wanted)}


def ended_by_default() -> Select[UUID]:
    """Return the query of the settlements that nobody owes any more after a default."""
    root = aliased(Settlement)
    return (
        select(col(Settlement.deal_id))
        .join(root, col(root.deal_id) == func.coalesce(Settlement.of_deal, Settlement.deal_id))
        .where(col(root.defaulted_at).is_not(None), col(Settlement.kind).in_(ENDS_WITH_DEFAULT))
    )


async def overdue(session: AsyncSession, deal_id: UUID, *, at: datetime) -> Sequence[Invoice]:
    """Return the unpaid invoices of a deal's price and royalties that were due by an instant."""
    return [
        invoice
        for settlement, invoice in await invoices.under(session, deal_id)
        if settlement.kind in ESSENTIAL
        and invoice.state == ISSUED
        and invoice.due_at is not None
        and invoice.due_at <= at
    ]
