"""Reading what is sealed next, and writing it: the statements of a batch, for the driver itself.

Each round trip costs as much as ten facts, so there are few: everything is read at once, and each
column of a batch is written as one parameter.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, generators
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.log import arrays, merkle, queries, tiles
from contracts.log.arrays import Bigints, Hashes, Texts, Uuids
from contracts.log.drafts import Draft
from contracts.log.merkle import Node
from contracts.log.rules import LogWouldFork, Mark, Waiting

_LOCK = "SELECT FROM log_state WHERE EXISTS (SELECT FROM fact_pending) FOR UPDATE"
# Takes facts off what waits if the locked log is the one that they were read with. A log without
# leaves has no checkpoint; its root is the hash of nothing.
_RESUME = """
SELECT FROM log_state FOR UPDATE;
DELETE FROM fact_pending WHERE turn = ANY ('{{{turns}}}') AND EXISTS (
  SELECT FROM log_state LEFT JOIN log_checkpoint USING (size) WHERE size = {size:d}
  AND coalesce(root, CASE size WHEN 0 THEN sha256('') END) = '\\x{root}')
"""
_EDGE = """
SELECT size,
  (SELECT string_agg(leaf_hash, ''::bytea ORDER BY seq) FROM log_entry
   WHERE seq >= size >> 8 << 8 AND seq < size),
  ARRAY(SELECT (SELECT string_agg(hash, ''::bytea ORDER BY index) FROM log_node
    WHERE log_node.level = tile.level
    AND index >= size >> (tile.level + 8) << 8 AND index < size >> tile.level)
    FROM generate_series(8, 48, 8) AS tile(level) ORDER BY tile.level)
FROM log_state
"""
# A fact with the leaf hash of the newest sealed fact about the same object.
_WITH_HEAD = (
    "SELECT fact.id, kind, fact.subject, parties, record, blind, recorded_at, turn, head.leaf_hash "
    "FROM {waiting} JOIN fact ON fact.id = waiting.fact_id LEFT JOIN LATERAL "
    "(SELECT leaf_hash FROM log_entry WHERE log_entry.subject = fact.subject "
    "ORDER BY seq DESC LIMIT 1) AS head ON true ORDER BY waiting.place"
)
_BEGIN = ";".join(
    (
        _LOCK,
        _EDGE,
        _WITH_HEAD.format(
            waiting="(SELECT fact_id, turn, turn AS place FROM fact_pending "
            "ORDER BY turn LIMIT {limit:d}) AS waiting"
        ),
    )
)
_PROMISED = _WITH_HEAD.format(
    waiting="unnest(%(promised)s) WITH ORDINALITY AS waiting(fact_id, place) "
    "JOIN fact_pending USING (fact_id)"
)
_APPEND = """
WITH entries AS (
  INSERT INTO log_entry (seq, fact_id, subject, leaf, leaf_hash)
  SELECT * FROM unnest(%(seqs)s, %(facts)s, %(subjects)s, %(leaves)s, %(hashes)s)),
nodes AS (
  INSERT INTO log_node (level, index, hash)
  SELECT * FROM unnest(%(node_levels)s, %(node_places)s, %(node_hashes)s)),
numbered AS (DELETE FROM fact_pending WHERE turn = ANY(%(turns)s))
UPDATE log_state SET size = %(size)s
"""
_SIGNED = (
    "INSERT INTO log_checkpoint (size, root, note, signed_at) "
    "VALUES (%(size)s, %(root)s, %(note)s, %(signed_at)s)"
)


Columns = dict[str, Any]  # the parameters of `_APPEND`


@dataclass(frozen=True, slots=True)
class Found:
    """The locked log: its size, its right edge, and facts whose turn it is."""

    connection: AsyncConnection[Any]
    size: int
    edge: dict[Node, bytes]
    facts: list[Waiting]


@dataclass(frozen=True, slots=True)
class Begun:
    """A batch whose log is locked: what it writes, and what was signed before it."""

    connection: AsyncConnection[Any]
    draft: Draft
    columns: Columns
    mark: Mark


async def begin(session: AsyncSession, limit: int) -> Found | None:
    """Lock the log and read what a batch needs; None, and no lock, when no fact waits.

    What waits is read after the lock is held (READ COMMITTED: each statement sees anew).
    """
    connection = await _driver(session)
    locked, edges, waiting = await _rows(connection, _BEGIN.format(limit=limit))
    if not locked:
        return None
    [(size, leaves, levels)] = edges
    facts = [Waiting(*row) for row in waiting]
    rows = [leaves, *levels]
    find = tiles.lookup(size, lambda tile: rows[tile.level or 0] or b"")
    edge = {node: find(node) for node in merkle.frontier(size)}
    return Found(connection, size, edge, facts)


async def promised(found: Found, facts: Sequence[UUID]) -> list[Waiting]:
    """Return the facts that were signed for and still wait, in the order of the promise."""
    arrays.register(found.connection)
    asked = {"promised": Uuids.of(facts)}
    rows = await found.connection.execute(_PROMISED, asked)
    return [Waiting(*row) for row in await rows.fetchall()]


def begun(found: Found, draft: Draft, mark: Mark) -> Begun:
    """Return the batch that was made of what was found."""
    turns = Bigints.of([fact.turn for fact in draft.facts])
    return Begun(found.connection, draft, {**columns(draft), "turns": turns}, mark)


async def resume(session: AsyncSession, draft: Draft, kept: Columns, mark: Mark) -> Begun | None:
    """Lock the log and take the facts of a draft off what waits; None when the log is another.

    They are taken before anything is signed: a promise of facts that are not there could not be
    kept.

    Raises:
        LogWouldFork: the log is the draft's, and facts that waited in it are gone.
    """
    connection = await _driver(session)
    turns = ",".join([str(fact.turn) for fact in draft.facts])
    query = _RESUME.format(turns=turns, size=draft.base, root=draft.base_root.hex())
    taken = (await _results(connection, query))[-1].command_tuples
    if not taken:
        return None
    if taken != len(draft.facts):
        raise LogWouldFork("Facts that waited are gone.", missing=len(draft.facts) - taken)
    return Begun(connection, draft, kept, mark)


@asynccontextmanager
async def writing(begun: Begun) -> AsyncIterator[None]:
    """Send what the block writes without awaiting answers; when it ends, all of it is done."""
    arrays.register(begun.connection)
    async with begun.connection.pipeline():
        yield


def columns(draft: Draft) -> Columns:
    """Pack the leaves and the subtrees that they complete, as `append` writes them."""
    nodes = [
        (level, index, hashed)
        for level, (first, row) in enumerate(draft.rows)
        if queries.is_stored(level)
        for index, hashed in enumerate(row, start=first)
    ]
    seqs, facts, subjects, leaves, hashes = zip(*draft.entries, strict=True)
    return {
        "seqs": Bigints.of(seqs),
        "facts": Uuids.of(facts),
        "subjects": Uuids.of(subjects),
        "leaves": Texts.of(leaves),
        "hashes": Hashes.of(hashes),
        "node_levels": Bigints.of([level for level, _, _ in nodes]),
        "node_places": Bigints.of([index for _, index, _ in nodes]),
        "node_hashes": Hashes.of([hashed for _, _, hashed in nodes]),
        "turns": Bigints.of(()),
        "size": draft.size,
    }


async def append(begun: Begun) -> None:
    """Write the leaves and the subtrees that they complete; their facts wait no more."""
    await begun.connection.execute(_APPEND, begun.columns)


async def sign(begun: Begun, note: str, *, at: datetime) -> None:
    """Write the signed checkpoint."""
    draft = begun.draft
    kept = {"size": draft.size, "root": draft.root, "note": note, "signed_at": at}
    await begun.connection.execute(_SIGNED, kept)


async def _rows(connection: AsyncConnection[Any], query: str) -> list[list[tuple[Any, ...]]]:
    """Return the rows of several statements."""
    found = []
    for result in await _results(connection, query):
        if result.status == ExecStatus.TUPLES_OK:
            known = Transformer(connection)
            known.set_pgresult(result)
            found.append(known.load_rows(0, result.ntuples, tuple))
    return found


async def _results(connection: AsyncConnection[Any], query: str) -> list[PGresult]:
    """Return what several statements answer; a transaction still to begin begins with them.

    The driver alone would begin it by a round trip of its own.
    """
    is_idle = connection.pgconn.transaction_status == TransactionStatus.IDLE
    sent = f"BEGIN;{query}" if is_idle else query
    async with connection.lock:
        results = await connection.wait(_answers(connection.pgconn, sent.encode()))
    for result in results:
        if result.status == ExecStatus.FATAL_ERROR:
            raise error_from_result(result)
    return results


def _answers(connection: PGconn, query: bytes) -> PQGen[list[PGresult]]:
    connection.send_query(query)
    answers: list[PGresult] = yield from generators.execute(connection)
    return answers


async def _driver(session: AsyncSession) -> AsyncConnection[Any]:
    """Return the driver's own connection of the session's transaction."""
    await session.flush()  # what is read there does not pass through the session
    raw = await (await session.connection()).get_raw_connection()
    connection = raw.driver_connection
    assert isinstance(connection, AsyncConnection)  # noqa: S101 - the one driver there is.
    return connection
