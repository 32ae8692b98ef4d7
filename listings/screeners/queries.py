"""Reading screeners."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.refusal import Unknown
from listings.screeners import rules
from listings.screeners.tables import Screener, Viewing


async def of_master(
    session: AsyncSession, master_id: UUID, *, after: UUID, limit: int
) -> Sequence[Screener]:
    """Return a page of a master's screeners in the order of their ids, after `after`."""
    wanted = select(Screener).where(col(Screener.master_id) == master_id, col(Screener.id) > after)
    return (await session.scalars(wanted.order_by(col(Screener.id)).limit(limit))).all()


async def by_secret(session: AsyncSession, secret: str) -> Screener:
    """Return the screener that a link's secret opens.

    Raises:
        Unknown: no link has this secret.
    """
    wanted = select(Screener).where(col(Screener.secret_sha256) == rules.digest(secret))
    found = (await session.scalars(wanted)).one_or_none()
    if found is None:
        raise Unknown("There is no such screener.")
    return found


async def get_viewing(session: AsyncSession, screener_id: UUID, viewing_id: UUID) -> Viewing:
    """Return a viewing of a screener.

    Raises:
        Unknown: there is none.
    """
    viewing = await session.get(Viewing, viewing_id)
    if viewing is None or viewing.screener_id != screener_id:
        raise Unknown("There is no such viewing.")
    return viewing


async def viewings(
    session: AsyncSession, screener_ids: Sequence[UUID], *, limit: int
) -> Sequence[Viewing]:
    """Return the newest viewings of some screeners."""
    wanted = select(Viewing).where(col(Viewing.screener_id).in_(screener_ids))
    return (await session.scalars(wanted.order_by(col(Viewing.id).desc()).limit(limit))).all()
