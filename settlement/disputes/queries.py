"""Reading disputes."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlalchemy import select as sql_select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Unknown
from settlement.disputes import rules
from settlement.disputes.rules import OPEN, SeenDispute
from settlement.disputes.tables import Dispute
from settlement.invoices.tables import Payment
from settlement.recoveries.rules import DISPUTE
from settlement.recoveries.tables import Recovery


async def get_dispute(session: AsyncSession, dispute_id: UUID) -> Dispute:
    """Return a dispute, for staff.

    Raises:
        Unknown: there is none of that id.
    """
    found = await session.get(Dispute, dispute_id)
    if found is None:
        raise Unknown("There is no such dispute.")
    return found


async def get_told(session: AsyncSession, dispute_id: UUID, *, party_id: UUID | None) -> Dispute:
    """Return a dispute: every one to staff, who pass None, to its payer, and to who bears it.

    Raises:
        Unknown: there is none, or none that the party may see.
    """
    found = await get_dispute(session, dispute_id)
    if party_id is not None and dispute_id not in await _told_to(session, party_id):
        raise Unknown("There is no such dispute.")
    return found


async def _told_to(session: AsyncSession, party_id: UUID) -> set[UUID]:
    paid = (
        sql_select(col(Dispute.id))
        .join(Payment, col(Payment.id) == col(Dispute.payment_id))
        .where(col(Payment.payer_id) == party_id)
    )
    borne = sql_select(col(Recovery.cause_id)).where(
        col(Recovery.cause) == DISPUTE, col(Recovery.payee_id) == party_id
    )
    return {*(await session.scalars(paid)), *(await session.scalars(borne))}


async def find_open(session: AsyncSession, payment_id: UUID) -> Dispute | None:
    """Return a dispute of a payment that is not closed, or None."""
    wanted = select(Dispute).where(
        col(Dispute.payment_id) == payment_id, col(Dispute.state).in_(OPEN)
    )
    return (await session.scalars(wanted.limit(1))).one_or_none()


async def taken_minor(session: AsyncSession, payment_id: UUID) -> int:
    """Return what of a payment disputes have taken or may yet take.

    What a lost one has drawn, and all that an open one contests; an inquiry contests nothing yet.
    """
    rows = await session.scalars(select(Dispute).where(col(Dispute.payment_id) == payment_id))
    return sum(rules.taken_minor(row.state, row.amount_minor, row.drawn_minor) for row in rows)


async def charged_minor(session: AsyncSession, payment_id: UUID) -> int:
    """Return what lost disputes of a payment have been charged with so far."""
    wanted = select(func.coalesce(func.sum(col(Dispute.drawn_minor)), 0)).where(
        col(Dispute.payment_id) == payment_id, col(Dispute.charged_at).is_not(None)
    )
    return int(await session.scalar(wanted) or 0)


async def oldest_open_at(session: AsyncSession) -> datetime | None:
    """Return when the oldest dispute that is not closed was opened, or None."""
    wanted = select(func.min(Dispute.opened_at)).where(col(Dispute.state).in_(OPEN))
    found: datetime | None = await session.scalar(wanted)
    return found


async def shows(session: AsyncSession, seen: SeenDispute) -> bool:
    """Tell whether a dispute stands here as the provider shows it."""
    wanted = select(Dispute).where(col(Dispute.provider_id) == seen.provider_id)
    known = (await session.scalars(wanted)).one_or_none()
    if known is None or rules.climbs(known.state, seen.state):
        return False
    return known.drawn_minor == seen.drawn_minor


async def page(
    session: AsyncSession, *, party_id: UUID | None, after: UUID, limit: int
) -> Sequence[Dispute]:
    """Return disputes in the order of their ids: those told to a party; staff pass None."""
    wanted = select(Dispute).where(col(Dispute.id) > after).order_by(col(Dispute.id)).limit(limit)
    if party_id is not None:
        wanted = wanted.where(col(Dispute.id).in_(await _told_to(session, party_id)))
    return (await session.scalars(wanted)).all()


async def of_deal(session: AsyncSession, deal_id: UUID) -> Sequence[Dispute]:
    """Return the disputes of a deal in their order."""
    wanted = select(Dispute).where(col(Dispute.deal_id) == deal_id).order_by(col(Dispute.id))
    return (await session.scalars(wanted)).all()
