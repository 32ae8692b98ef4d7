"""Reading works."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Unknown
from contracts.works.tables import Work


async def find_work(session: AsyncSession, work_id: UUID) -> Work | None:
    """Return the work, or None."""
    return await session.get(Work, work_id)


async def get_work(session: AsyncSession, work_id: UUID) -> Work:
    """Return the work.

    Raises:
        Unknown: there is none of that id.
    """
    work = await find_work(session, work_id)
    if work is None:
        raise Unknown("There is no such work.", work=str(work_id))
    return work


async def get_work_of(session: AsyncSession, work_id: UUID, party_id: UUID) -> Work:
    """Return the work if this party registered it.

    Raises:
        Unknown: there is none of that id, or another party's.
    """
    work = await get_work(session, work_id)
    if work.party_id != party_id:
        raise Unknown("There is no such work.", work=str(work_id))
    return work


async def works_of(
    session: AsyncSession, party_id: UUID, *, after: UUID, limit: int
) -> Sequence[Work]:
    """Return the works that a party registered in the order of their ids, those after `after`."""
    chosen = (
        select(Work)
        .where(col(Work.party_id) == party_id, col(Work.id) > after)
        .order_by(col(Work.id))
        .limit(limit)
    )
    return (await session.execute(chosen)).scalars().all()


async def works_page(session: AsyncSession, *, after: UUID, limit: int) -> Sequence[Work]:
    """Return everybody's works in the order of their ids, those after `after`."""
    chosen = select(Work).where(col(Work.id) > after).order_by(col(Work.id)).limit(limit)
    return (await session.execute(chosen)).scalars().all()
