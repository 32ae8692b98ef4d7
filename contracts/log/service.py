"""Sealing: giving committed facts their number, and signing the tree that holds them.

Facts are numbered here and not when they are recorded, because a number drawn before the commit can
become visible after a larger one, and a reader that follows numbers would lose it.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.facts.rules import SealedFact
from contracts.log import batches, merkle, queries, rules
from contracts.log.batches import Begun
from contracts.log.gateway import CheckpointSigner
from contracts.log.merkle import Lookup, Node, Row
from contracts.log.rules import Entry, LogWouldFork, Mark, Waiting


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
    begun = await batches.begin(session, limit)
    if begun is None:
        return []
    mark = signer.mark()  # a small file that was just written; a thread would cost ten times more
    facts = await _next(session, begun, mark)
    if not facts:
        return []
    entries = rules.chain(begun.size, facts)
    rows = merkle.rows(begun.size, [one.leaf_hash for one in entries], begun.edge.__getitem__)
    size = begun.size + len(entries)
    root = merkle.root(size, _grown(begun.edge, rows))
    if mark.size > begun.size:
        rules.check_prefix(mark, root)
    promise = Mark(size, root, begun.size, tuple([entry.fact_id for entry in entries]))

    # The mark goes to the disk while the rows go to the database; the signature follows both.
    signing = asyncio.ensure_future(asyncio.to_thread(signer.sign, promise, after=mark))
    try:
        async with batches.writing(begun):
            await batches.append(begun, entries, rows, [fact.turn for fact in facts])
            sealed = _sealed(entries, facts)
            await batches.sign(begun, size, root, await signing, at=now)
    finally:
        await asyncio.gather(signing, return_exceptions=True)
    return sealed


async def _next(session: AsyncSession, begun: Begun, mark: Mark) -> list[Waiting]:
    """Return the facts to seal, once the database is known to continue what was signed."""
    promised = rules.promised(mark, begun.size)
    if promised:
        facts = await batches.promised(begun, promised)
        if len(facts) != len(promised):
            raise LogWouldFork("Facts that were signed for no longer wait.", missing=len(promised))
        return facts
    edge = begun.edge
    if mark.size < begun.size:  # an older mark: what it names must be how the log begins
        edge = await queries.nodes(session, merkle.frontier(mark.size))
    rules.check_prefix(mark, merkle.root(mark.size, edge.__getitem__))
    return begun.facts


def _sealed(entries: Sequence[Entry], facts: Sequence[Waiting]) -> list[SealedFact]:
    return [
        SealedFact(
            entry.seq,
            fact.fact_id,
            fact.kind,
            fact.subject,
            tuple(fact.parties),
            canonical.known(fact.record),
            fact.recorded_at,
        )
        for entry, fact in zip(entries, facts, strict=True)
    ]


def _grown(tree: dict[Node, bytes], rows: Sequence[Row]) -> Lookup:
    """Return what knows the edge before and everything that came."""

    def find(node: Node) -> bytes:
        if node in tree:
            return tree[node]
        first, row = rows[node.level]
        return row[node.index - first]

    return find
