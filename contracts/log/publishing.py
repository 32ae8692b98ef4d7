"""Publishing the sealed log as static files, so that reading it never touches the database.

The order is what readers rely on: bundles, tiles, and last the checkpoint that refers to them. A
publisher that stops anywhere leaves the checkpoint before; the next one writes the same files.
Cosignatures that come later are published with the same checkpoint.
"""

import asyncio
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.log import checkpoint, merkle, note, queries, tiles, witnesses
from contracts.log.checkpoint import Checkpoint
from contracts.log.site import LogSite, PublishedOtherwise
from contracts.log.tables import LogEntry
from contracts.log.tiles import Tile
from contracts.refusal import Unknown

# Bundles are written one by one, and the leaves of one are read at a time: a log of any length is
# published for the first time in constant memory.


async def publish(session: AsyncSession, site: LogSite) -> int:
    """Publish what was sealed since the last publication; return how many files were written.

    Raises:
        PublishedOtherwise: the folder holds more than the database, or another history; nothing
            is changed then.
    """
    try:
        newest = await queries.latest_checkpoint(session)
    except Unknown:
        return 0
    signed = await witnesses.cosigned_note(session, newest)
    if await asyncio.to_thread(site.checkpoint) == signed:
        return 0
    lock = site.locked()
    await asyncio.to_thread(lock.__enter__)
    try:
        newest = await queries.latest_checkpoint(session)
        return await _publish(session, site, await witnesses.cosigned_note(session, newest))
    finally:
        lock.__exit__(None, None, None)


async def _publish(session: AsyncSession, site: LogSite, signed: str) -> int:
    """Write what is missing, then the checkpoint; under the folder's lock."""
    there, now = _opened(await asyncio.to_thread(site.checkpoint)), _opened(signed)
    await _check_prefix(session, there, now)
    missing = list(tiles.grown(there.size, now.size))
    for tile in missing:
        await asyncio.to_thread(site.write, tile, await content(session, tile))
    await asyncio.to_thread(site.publish, signed)
    for tile in missing:
        if tile.width == tiles.WIDTH:
            await asyncio.to_thread(site.prune, tile)
    return len(missing) + 1


async def check_published(session: AsyncSession, site: LogSite) -> None:
    """Tell whether the published log is the beginning of what the database holds.

    Raises:
        PublishedOtherwise: it is not.
        Unknown: nothing has been sealed.
    """
    newest = _opened((await queries.latest_checkpoint(session)).note)
    await _check_prefix(session, _opened(await asyncio.to_thread(site.checkpoint)), newest)


async def content(session: AsyncSession, tile: Tile) -> bytes:
    """Return the bytes of a tile or bundle; the log is long enough."""
    if tile.level is None:
        return tiles.encode(await _leaves(session, tile))
    known = await queries.nodes(session, tile.nodes)
    return b"".join(known[node] for node in tile.nodes)


async def _leaves(session: AsyncSession, tile: Tile) -> Sequence[bytes]:
    found = await session.execute(
        select(col(LogEntry.leaf))
        .where(col(LogEntry.seq) >= tile.start, col(LogEntry.seq) < tile.start + tile.width)
        .order_by(col(LogEntry.seq))
    )
    return found.scalars().all()


def _opened(signed: str | None) -> Checkpoint:
    """Read a checkpoint of our own; before the first one it is the empty log."""
    if signed is None:
        return Checkpoint("", 0, merkle.EMPTY_ROOT)
    return checkpoint.parse(note.parse(signed)[0])


async def _check_prefix(session: AsyncSession, there: Checkpoint, now: Checkpoint) -> None:
    """Refuse to go back, or to go on from another history than the published one."""
    if there.size == 0:
        return
    if there.origin != now.origin or there.size > now.size:
        raise PublishedOtherwise(
            "More is published than the database holds.", published=there.size, sealed=now.size
        )
    edge = await queries.nodes(session, merkle.frontier(there.size))
    if merkle.root(there.size, edge.__getitem__) != there.root:
        raise PublishedOtherwise("Another history is published.", published=there.size)
