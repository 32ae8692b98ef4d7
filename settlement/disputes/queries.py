"""Reading disputes."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Unknown
from settlement.disputes import rules
from settlement.disputes.rules import OPEN, SeenDispute
from settlement.disputes.tables import Dispute


async def get_dispute(session: AsyncSession, dispute_id: UUID) -> Dispute:
    """Return a dispute, for staff.

    Raises:
        Unknown: there is none of that id.
    """
    found = await session.get(Dispute, dispute_id)
    if found is None:
        raise Unknown("There is no such dispute.")
    return found


async def find_open(session: AsyncSession, payment_id: UUID) -> Dispute | None:
    """Return a dispute of a payment that is not closed, or None."""
    wanted = select(Dispute).where(
        col(Dispute.payment_id) == payment_id, col(Dispute.state).in_(OPEN)
    )
    return (await session.scalars(wanted.limit(1))).one_or_none()


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


async def page(session: AsyncSession, *, after: UUID, limit: int) -> Sequence[Dispute]:
    """Return disputes in the order of their ids."""
    wanted = select(Dispute).where(col(Dispute.id) > after).order_by(col(Dispute.id)).limit(limit)
    return (await session.scalars(wanted)).all()


async def of_deal(session: AsyncSession, deal_id: UUID) -> Sequence[Dispute]:
    """Return the disputes of a deal in their order."""
    wanted = select(Dispute).where(col(Dispute.deal_id) == deal_id).order_by(col(Dispute.id))
    return (await session.scalars(wanted)).all()
