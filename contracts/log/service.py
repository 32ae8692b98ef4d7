"""Sealing: giving committed facts their number, and signing the tree that holds them.

Facts are numbered here and not when they are recorded, because a number drawn before the commit can
become visible after a larger one, and a reader that follows numbers would lose it.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.facts.rules import SealedFact
from contracts.facts.tables import Fact, FactPending
from contracts.log import merkle, queries, rules
from contracts.log.gateway import CheckpointSigner
from contracts.log.merkle import Node
from contracts.log.rules import Entry, LogWouldFork, Mark, Waiting
from contracts.log.tables import LogCheckpoint, LogEntry, LogNode, LogState


async def seal(
    session: AsyncSession, *, signer: CheckpointSigner, limit: int, now: datetime
) -> list[SealedFact]:
    """Number at most `limit` waiting facts, append their leaves, and sign a checkpoint.

    Any number of sealers may run; the lock on `log_state` makes them take turns. The default
    isolation (READ COMMITTED) is needed: what waits is read after the lock is held. A batch that
    was signed and never committed is sealed again first, whatever `limit` says (see `rules`).

    Raises:
        LogWouldFork: the database does not continue what the key has signed.
        SealerOvertaken: another sealer, cut off from the database, has signed since.
    """
    if not await _is_waiting(session):
        return []
    state = await _locked_state(session)
    mark = await asyncio.to_thread(signer.mark)
    promised = rules.promised(mark, state.size)
    tree = await _edges(session, mark, state.size)
    facts = await _promised(session, promised) if promised else await _turns(session, limit)
    if not facts:
        return []
    heads = await queries.heads(session, [fact.subject for fact in facts])

    entries = rules.chain(state.size, [_waiting(fact) for fact in facts], heads)
    hashes = [entry.leaf_hash for entry in entries]
    grown = merkle.grow(state.size, hashes, tree.__getitem__)
    size = state.size + len(entries)
    root = merkle.root(size, (tree | grown).__getitem__)
    promise = Mark(size, root, state.size, tuple(entry.fact_id for entry in entries))
    if promised:
        rules.check_prefix(mark, root)
    note = await asyncio.to_thread(signer.sign, promise, after=mark)

    state.size = size
    await _append(session, entries, grown)
    session.add(LogCheckpoint(size=size, root=root, note=note, signed_at=now))
    await session.flush()
    return [queries.sealed(entry.seq, fact) for entry, fact in zip(entries, facts, strict=True)]


async def _is_waiting(session: AsyncSession) -> bool:
    found = await session.execute(select(col(FactPending.turn)).limit(1))
    return found.first() is not None


async def _locked_state(session: AsyncSession) -> LogState:
    found = await session.execute(
        select(LogState).with_for_update().execution_options(populate_existing=True)
    )
    return found.scalar_one()


async def _edges(session: AsyncSession, mark: Mark, size: int) -> dict[Node, bytes]:
    """Return the right edge of the tree, once the signed tree is known to be its beginning."""
    signed = min(mark.size, size)
    tree = await queries.nodes(session, {*merkle.frontier(size), *merkle.frontier(signed)})
    if mark.size == signed:
        rules.check_prefix(mark, merkle.root(signed, tree.__getitem__))
    return tree


async def _turns(session: AsyncSession, limit: int) -> Sequence[Fact]:
    found = await session.execute(
        select(Fact)
        .join(FactPending, col(FactPending.fact_id) == col(Fact.id))
        .order_by(col(FactPending.turn))
        .limit(limit)
    )
    return found.scalars().all()


async def _promised(session: AsyncSession, promised: Sequence[UUID]) -> Sequence[Fact]:
    found = await session.execute(
        select(Fact)
        .join(FactPending, col(FactPending.fact_id) == col(Fact.id))
        .where(col(Fact.id).in_(promised))
    )
    waiting = {fact.id: fact for fact in found.scalars()}
    if len(waiting) != len(promised):
        raise LogWouldFork("Facts that were signed for no longer wait.", missing=len(promised))
    return [waiting[fact_id] for fact_id in promised]


def _waiting(fact: Fact) -> Waiting:
    return Waiting(fact.id, fact.kind, fact.subject, fact.recorded_at, fact.record, fact.blind)


async def _append(
    session: AsyncSession, entries: Sequence[Entry], grown: dict[Node, bytes]
) -> None:
    await session.execute(
        insert(LogEntry),
        [
            {
                "seq": entry.seq,
                "fact_id": entry.fact_id,
                "subject": entry.subject,
                "leaf": entry.leaf,
                "leaf_hash": entry.leaf_hash,
            }
            for entry in entries
        ],
    )
    await session.execute(
        insert(LogNode),
        [
            {"level": node.level, "index": node.index, "hash": hashed}
            for node, hashed in grown.items()
        ],
    )
    sealed = [entry.fact_id for entry in entries]
    await session.execute(delete(FactPending).where(col(FactPending.fact_id).in_(sealed)))
