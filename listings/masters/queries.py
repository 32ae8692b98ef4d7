"""Reading masters."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.refusal import Unknown
from listings.masters.tables import FingerprintSegment, Master


async def find_master(session: AsyncSession, master_id: UUID) -> Master | None:
    """Return the master, or None."""
    return await session.get(Master, master_id)


async def get_master(session: AsyncSession, master_id: UUID) -> Master:
    """Return the master.

    Raises:
        Unknown: there is none.
    """
    master = await find_master(session, master_id)
    if master is None:
        raise Unknown("There is no such master.")
    return master


async def get_master_of(session: AsyncSession, master_id: UUID, party_id: UUID) -> Master:
    """Return the party's master.

    Raises:
        Unknown: there is none, or it is another party's.
    """
    master = await get_master(session, master_id)
    if master.party_id != party_id:
        raise Unknown("There is no such master.")
    return master


async def masters_of(
    session: AsyncSession, party_id: UUID, *, after: UUID, limit: int
) -> Sequence[Master]:
    """Return a page of the party's masters in the order of their ids, after `after`."""
    wanted = select(Master).where(
        col(Master.party_id) == party_id, col(Master.id) > after, col(Master.purpose) == "master"
    )
    page = await session.execute(wanted.order_by(col(Master.id)).limit(limit))
    return page.scalars().all()


async def newest_of_work(
    session: AsyncSession, work_id: UUID, *, party_id: UUID, limit: int
) -> Sequence[Master]:
    """Return the masters that a party uploaded for a work, the newest ids first."""
    wanted = select(Master).where(
        col(Master.work_id) == work_id,
        col(Master.party_id) == party_id,
        col(Master.purpose) == "master",
    )
    found = await session.execute(wanted.order_by(col(Master.id).desc()).limit(limit))
    return found.scalars().all()


async def codes(session: AsyncSession, master_id: UUID, track: str) -> bytes:
    """Return all codes of a track, in order; empty when there are none."""
    wanted = (
        select(col(FingerprintSegment.codes))
        .where(
            col(FingerprintSegment.master_id) == master_id, col(FingerprintSegment.track) == track
        )
        .order_by(col(FingerprintSegment.seg))
    )
    return b"".join((await session.execute(wanted)).scalars().all())
