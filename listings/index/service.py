"""Adding a master's codes to the index, in the transaction that lists it, and dropping them."""

import hashlib
from datetime import datetime
from uuid import UUID

import numpy as np
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import locking
from listings.index import queries, rules
from listings.index.rules import Segment
from listings.index.tables import IndexEntry, IndexHead, IndexSegment
from listings.masters import queries as masters
from listings.masters.fingerprint import CODE_BYTES


async def add(session: AsyncSession, master_id: UUID, *, now: datetime) -> int:
    """Add a master's codes; again is the same. Return the number of its entry.

    What is added is found by whoever searches after this commits, and by this transaction at once;
    a transaction that is rolled back leaves nothing. Additions go one at a time: the head's row is
    locked until the commit, so that this verb comes last of those that lock. Whoever adds and has
    searched up to entry n before, searches `since=n` once more after this call returned m, unless
    m = n + 1.
    """
    head = await _locked_head(session)
    known = await queries.find_entry(session, master_id)
    if known is not None:
        return known.entry
    video = np.frombuffer(await masters.codes(session, master_id, "video"), np.uint8)
    kept = rules.segments(video.reshape(-1, CODE_BYTES))
    head.entries, head.chain = head.entries + 1, _chain(head, master_id, kept)
    entry = head.entries
    session.add(
        IndexEntry(
            entry=entry, master_id=master_id, chain=head.chain, added_at=now,
            codes=sum(segment.kept.bit_count() for segment in kept),
        )
    )  # fmt: skip
    await session.flush()
    session.add_all(
        IndexSegment(entry=entry, seg=each.seg, kept=each.kept, codes=each.codes) for each in kept
    )
    await session.flush()
    return entry


async def add_missing(session: AsyncSession, *, limit: int, now: datetime) -> int:
    """Add masters that were listed before there was an index; return how many."""
    missing = await queries.missing(session, limit=limit)
    for master_id in missing:
        await add(session, master_id, now=now)
    return len(missing)


async def drop(session: AsyncSession, master_id: UUID, *, now: datetime) -> bool:
    """Take a master out of the index; return whether it was in it.

    For a master that should never have been listed. A work whose sale ended stays in: whoever
    listed it is protected from copies as before.
    """
    await _locked_head(session)
    known = await queries.find_entry(session, master_id)
    if known is None:
        return False
    known.dropped_at = now
    await session.execute(delete(IndexSegment).where(col(IndexSegment.entry) == known.entry))
    await session.flush()
    return True


async def _locked_head(session: AsyncSession) -> IndexHead:
    return await locking.get_locked(session, IndexHead, col(IndexHead.id) == 1)


def _chain(head: IndexHead, master_id: UUID, kept: list[Segment]) -> bytes:
    link = hashlib.sha256(head.chain + (head.entries + 1).to_bytes(8, "little") + master_id.bytes)
    for segment in kept:
        link.update(segment.seg.to_bytes(4, "little") + segment.kept.to_bytes(8, "little"))
        link.update(segment.codes)
    return link.digest()
