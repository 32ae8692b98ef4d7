"""Sealing: giving committed facts their number, and signing the tree that holds them.

Facts are numbered here and not when they are recorded, because a number drawn before the commit can
become visible after a larger one, and a reader that follows numbers would lose it.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.facts.rules import SealedFact
from contracts.log import merkle, queries, rules
from contracts.log.gateway import CheckpointSigner
from contracts.log.merkle import Lookup, Node, Row
from contracts.log.rules import Entry, LogWouldFork, Mark, Waiting
from contracts.log.tables import LogCheckpoint

# A fact with the leaf hash of the newest sealed fact about the same object.
_WITH_HEAD = (
    "SELECT fact.id, kind, fact.subject, parties, record, blind, recorded_at, head.leaf_hash "
    "FROM {waiting} JOIN fact ON fact.id = waiting.fact_id LEFT JOIN LATERAL "
    "(SELECT leaf_hash FROM log_entry WHERE log_entry.subject = fact.subject "
    "ORDER BY seq DESC LIMIT 1) AS head ON true ORDER BY waiting.turn"
)
TURNS = text(
    _WITH_HEAD.format(
        waiting="(SELECT fact_id, turn FROM fact_pending ORDER BY turn LIMIT :limit) AS waiting"
    )
)
PROMISED = text(
    _WITH_HEAD.format(
        waiting="unnest(CAST(:promised AS uuid[])) WITH ORDINALITY AS waiting(fact_id, turn) "
        "JOIN fact_pending USING (fact_id)"
    )
)
# One statement writes a batch: a round trip for each table would cost more than its rows.
# Its rows travel as JSON: as arrays of bytes they took the driver ten times as long as the server.
APPEND = text(
    "WITH entry AS MATERIALIZED (SELECT * FROM json_to_recordset(CAST(:entries AS json)) "
    "AS entry(seq bigint, fact_id uuid, subject uuid, leaf bytea, leaf_hash bytea)), "
    "made AS (INSERT INTO log_entry (seq, fact_id, subject, leaf, leaf_hash) "
    "SELECT seq, fact_id, subject, leaf, leaf_hash FROM entry), "
    "grown AS (INSERT INTO log_node (level, index, hash) SELECT level, index, hash "
    "FROM json_to_recordset(CAST(:nodes AS json)) "
    "AS node(level integer, index bigint, hash bytea)), "
    "sealed AS (DELETE FROM fact_pending USING entry WHERE fact_pending.fact_id = entry.fact_id) "
    "UPDATE log_state SET size = :size"
)


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
    begun = await _locked_size(session)
    if begun is None:
        return []
    mark = await asyncio.to_thread(signer.mark)
    promised = rules.promised(mark, begun)
    tree = await _edges(session, mark, begun)
    facts, heads = await _next(session, promised, limit)
    if not facts:
        return []

    entries = rules.chain(begun, facts, heads)
    hashes = [entry.leaf_hash for entry in entries]
    rows = merkle.rows(begun, hashes, tree.__getitem__)
    size = begun + len(entries)
    root = merkle.root(size, _grown(tree, rows))
    promise = Mark(size, root, begun, tuple(entry.fact_id for entry in entries))
    if promised:
        rules.check_prefix(mark, root)

    # The mark goes to the disk while the rows go to the database; the signature follows both.
    signing = asyncio.ensure_future(asyncio.to_thread(signer.sign, promise, after=mark))
    try:
        await _append(session, entries, rows, size)
    finally:
        note = await signing
    kept = {"size": size, "root": root, "note": note, "signed_at": now}
    await session.execute(insert(LogCheckpoint).values(kept))
    return [_sealed(entry.seq, fact) for entry, fact in zip(entries, facts, strict=True)]


async def _locked_size(session: AsyncSession) -> int | None:
    """Lock the log and return its size; None, and no lock, when no fact waits."""
    found = await session.execute(
        text("SELECT size FROM log_state WHERE EXISTS (SELECT FROM fact_pending) FOR UPDATE")
    )
    size: int | None = found.scalar_one_or_none()
    return size


async def _edges(session: AsyncSession, mark: Mark, size: int) -> dict[Node, bytes]:
    """Return the right edge of the tree, once the signed tree is known to be its beginning."""
    signed = min(mark.size, size)
    tree = await queries.nodes(session, {*merkle.frontier(size), *merkle.frontier(signed)})
    if mark.size == signed:
        rules.check_prefix(mark, merkle.root(signed, tree.__getitem__))
    return tree


async def _next(
    session: AsyncSession, promised: Sequence[UUID], limit: int
) -> tuple[list[Waiting], dict[UUID, bytes]]:
    """Return the facts whose turn it is, and the newest leaf of each chain that they go on."""
    if promised:
        found = await session.execute(PROMISED, {"promised": list(promised)})
    else:
        found = await session.execute(TURNS, {"limit": limit})
    rows = found.all()
    if promised and len(rows) != len(promised):
        raise LogWouldFork("Facts that were signed for no longer wait.", missing=len(promised))
    heads = {row[2]: row[7] for row in rows if row[7] is not None}
    return [Waiting(*row[:7]) for row in rows], heads


def _sealed(seq: int, fact: Waiting) -> SealedFact:
    return SealedFact(
        seq,
        fact.fact_id,
        fact.kind,
        fact.subject,
        tuple(fact.parties),
        canonical.known(fact.record),
        fact.recorded_at,
    )


def _grown(tree: dict[Node, bytes], rows: Sequence[Row]) -> Lookup:
    """Return what knows the edge before and everything that came."""

    def find(node: Node) -> bytes:
        if node in tree:
            return tree[node]
        first, row = rows[node.level]
        return row[node.index - first]

    return find


async def _append(
    session: AsyncSession, entries: Sequence[Entry], rows: Sequence[Row], size: int
) -> None:
    made = [
        {
            "seq": entry.seq,
            "fact_id": str(entry.fact_id),
            "subject": str(entry.subject),
            "leaf": "\\x" + entry.leaf.hex(),
            "leaf_hash": "\\x" + entry.leaf_hash.hex(),
        }
        for entry in entries
    ]
    nodes = [
        {"level": level, "index": index, "hash": "\\x" + hashed.hex()}
        for level, (first, row) in enumerate(rows)
        if queries.is_stored(level)
        for index, hashed in enumerate(row, start=first)
    ]
    written = {"entries": canonical.quick(made).decode(), "nodes": canonical.quick(nodes).decode()}
    await session.execute(APPEND, {**written, "size": size})
