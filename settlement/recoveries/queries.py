"""Reading what was taken back."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from settlement.plans.tables import SettlementLine
from settlement.recoveries.rules import Cause
from settlement.recoveries.tables import Recovery


async def taken(session: AsyncSession, deal_id: UUID) -> Mapping[int, int]:
    """Return by line of a settlement what was taken back of it so far, in minor units."""
    wanted = (
        select(col(Recovery.line), func.sum(col(Recovery.amount_minor)))
        .where(col(Recovery.deal_id) == deal_id)
        .group_by(col(Recovery.line))
    )
    return {line: int(minor) for line, minor in (await session.execute(wanted)).all()}


async def left_minor(session: AsyncSession, deal_id: UUID) -> int:
    """Return what the lines of a settlement got and have not given back."""
    given = select(func.coalesce(func.sum(col(SettlementLine.amount_minor)), 0)).where(
        col(SettlementLine.deal_id) == deal_id
    )
    return int(await session.scalar(given) or 0) - sum((await taken(session, deal_id)).values())


async def of_cause(session: AsyncSession, cause: Cause) -> Sequence[Recovery]:
    """Return what one refund or dispute took back, in the order of the settlement's lines."""
    wanted = select(Recovery).where(
        col(Recovery.cause) == cause.kind, col(Recovery.cause_id) == cause.id
    )
    return (await session.scalars(wanted.order_by(col(Recovery.line)))).all()


async def of_payee(session: AsyncSession, party_id: UUID, *, limit: int) -> Sequence[Recovery]:
    """Return what a payee gives or gave back, the newest first."""
    wanted = select(Recovery).where(col(Recovery.payee_id) == party_id)
    newest = wanted.order_by(col(Recovery.created_at).desc(), col(Recovery.id)).limit(limit)
    return (await session.scalars(newest)).all()
