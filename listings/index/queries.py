"""Reading the index: its head, its entries, and the codes that no scan file holds yet."""

from collections.abc import AsyncIterator, Collection
from uuid import UUID

from sqlalchemy import Select, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from listings.catalogue.tables import Listing
from listings.index.rules import Minute
from listings.index.tables import IndexEntry, IndexHead, IndexSegment
from listings.masters.fingerprint import VERSION

AT_ONCE = 2_000  # minutes of codes: four megabytes


async def head(session: AsyncSession) -> IndexHead:
    """Return how far the index is, as this transaction sees it now."""
    found = await session.scalars(select(IndexHead).execution_options(populate_existing=True))
    return found.one()


async def find_entry(session: AsyncSession, master_id: UUID) -> IndexEntry | None:
    """Return the live entry of a master, or None."""
    wanted = select(IndexEntry).where(
        col(IndexEntry.master_id) == master_id, col(IndexEntry.dropped_at).is_(None)
    )
    return (await session.scalars(wanted)).one_or_none()


async def living(session: AsyncSession, entries: Collection[int]) -> dict[int, UUID]:
    """Return the masters of those entries that were not dropped."""
    if not entries:
        return {}
    wanted = select(col(IndexEntry.entry), col(IndexEntry.master_id)).where(
        col(IndexEntry.entry).in_(entries), col(IndexEntry.dropped_at).is_(None)
    )
    return {row.entry: row.master_id for row in await session.execute(wanted)}


async def chains(session: AsyncSession, entries: Collection[int]) -> dict[int, bytes]:
    """Return the chain at each of the entries that exist."""
    wanted = select(col(IndexEntry.entry), col(IndexEntry.chain)).where(
        col(IndexEntry.entry).in_(entries)
    )
    return {row.entry: row.chain for row in await session.execute(wanted)}


async def minutes(session: AsyncSession, first: int, last: int) -> list[Minute]:
    """Return the segments of some entries, both ends included, in their order."""
    return [Minute(*row) for row in await session.execute(_minutes(first, last))]


async def stream(session: AsyncSession, first: int, last: int) -> AsyncIterator[list[Minute]]:
    """Yield the segments of some entries, in their order, a few megabytes at a time."""
    rows = await session.stream(_minutes(first, last).execution_options(yield_per=AT_ONCE))
    async for page in rows.partitions():
        yield [Minute(*row) for row in page]


async def missing(session: AsyncSession, *, limit: int) -> list[UUID]:
    """Return masters that were ever listed and never added."""
    never = ~exists().where(col(IndexEntry.master_id) == col(Listing.master_id))
    wanted = select(col(Listing.master_id)).where(col(Listing.state) != "draft", never).distinct()
    return list(await session.scalars(wanted.limit(limit)))


async def dropped(session: AsyncSession) -> list[int]:
    """Return the entries that were dropped."""
    wanted = select(col(IndexEntry.entry)).where(col(IndexEntry.dropped_at).is_not(None))
    return list(await session.scalars(wanted))


async def counted(session: AsyncSession, first: int, last: int) -> int:
    """Return how many codes some entries have, both ends included."""
    wanted = select(func.coalesce(func.sum(IndexEntry.codes), 0)).where(
        col(IndexEntry.entry).between(first, last), col(IndexEntry.dropped_at).is_(None)
    )
    return int(await session.scalar(wanted) or 0)


def _minutes(first: int, last: int) -> Select[int, int, int, bytes]:
    return (
        select(
            col(IndexSegment.entry), col(IndexSegment.seg), col(IndexSegment.kept),
            col(IndexSegment.codes),
        )
        .join(IndexEntry, col(IndexEntry.entry) == col(IndexSegment.entry))
        .where(col(IndexSegment.entry).between(first, last), col(IndexEntry.version) == VERSION)
        .order_by(col(IndexSegment.entry), col(IndexSegment.seg))
    )  # fmt: skip
