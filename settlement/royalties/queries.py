"""Reading usage reports and royalty statements."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from settlement.royalties.tables import RoyaltyStatement, UsageReport


async def reports(session: AsyncSession, deal_id: UUID) -> Sequence[UsageReport]:
    """Return the reports of a deal by their periods, of each its versions in order."""
    wanted = select(UsageReport).where(col(UsageReport.deal_id) == deal_id)
    ordered = wanted.order_by(col(UsageReport.first_day), col(UsageReport.version))
    return (await session.scalars(ordered)).all()


async def statements(session: AsyncSession, deal_id: UUID) -> Sequence[RoyaltyStatement]:
    """Return the statements of a deal in their order."""
    wanted = select(RoyaltyStatement).where(col(RoyaltyStatement.deal_id) == deal_id)
    return (await session.scalars(wanted.order_by(col(RoyaltyStatement.number)))).all()
