"""Reading disputes."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Unknown
from settlement.disputes.rules import OPEN
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


async def page(session: AsyncSession, *, after: UUID, limit: int) -> Sequence[Dispute]:
    """Return disputes in the order of their ids."""
    wanted = select(Dispute).where(col(Dispute.id) > after).order_by(col(Dispute.id)).limit(limit)
    return (await session.scalars(wanted)).all()


async def of_deal(session: AsyncSession, deal_id: UUID) -> Sequence[Dispute]:
    """Return the disputes of a deal in their order."""
    wanted = select(Dispute).where(col(Dispute.deal_id) == deal_id).order_by(col(Dispute.id))
    return (await session.scalars(wanted)).all()
