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


async def tree(session: AsyncSession, root_id: UUID) -> list[Work]:
    """Return every work of a tree, each before what stands below it, siblings as they were added.

    Empty when `root_id` is no root.
    """
    chosen = select(Work).where(col(Work.root_id) == root_id).order_by(col(Work.unit_first))
    return list((await session.execute(chosen)).scalars())


async def children(
    session: AsyncSession, parent_id: UUID, *, after: UUID | None, limit: int
) -> list[Work]:
    """Return the works directly below another as they were added, those after the work `after`."""
    chosen = select(Work).where(col(Work.parent_id) == parent_id)
    if after is not None:
        place = select(col(Work.unit_first)).where(
            col(Work.id) == after, col(Work.parent_id) == parent_id
        )
        chosen = chosen.where(col(Work.unit_first) > place.scalar_subquery())
    chosen = chosen.order_by(col(Work.unit_first)).limit(limit)
    return list((await session.execute(chosen)).scalars())


async def last_child(session: AsyncSession, parent_id: UUID) -> Work | None:
    """Return the work that was added last below another, or None."""
    chosen = select(Work).where(col(Work.parent_id) == parent_id)
    newest = chosen.order_by(col(Work.unit_first).desc()).limit(1)
    return (await session.execute(newest)).scalar_one_or_none()
