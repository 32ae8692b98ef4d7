"""Reading the index: its head, its entries, and the codes that no scan file holds yet."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from listings.index.tables import IndexEntry, IndexHead


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


async def chains(session: AsyncSession, entries: Sequence[int]) -> dict[int, bytes]:
    """Return the chain at each of the entries that exist."""
    wanted = select(col(IndexEntry.entry), col(IndexEntry.chain)).where(
        col(IndexEntry.entry).in_(entries)
    )
    return {row.entry: row.chain for row in await session.execute(wanted)}
