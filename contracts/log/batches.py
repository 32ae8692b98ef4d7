"""Reading what is sealed next, and writing it: the statements of a batch, for the driver itself.

Each round trip costs as much as ten facts, so there are few: everything is read at once, and each
column of a batch is written as one parameter.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, generators
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import driver
from contracts.log import arrays, merkle, queries, tiles
from contracts.log.arrays import Bigints, Hashes, Texts, Uuids
from contracts.log.drafts import Draft
from contracts.log.merkle import Node
from contracts.log.rules import LogWouldFork, Mark, Waiting

_TEXT, _TIMESTAMPTZ = 25, 1184  # object ids of the types, fixed in pg_type.dat
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL counts microseconds from here
_LOCK = "SELECT FROM log_state WHERE EXISTS (SELECT FROM fact_pending) FOR UPDATE"
# Takes facts off what waits if the locked log is the one that they were read with. A log without
# leaves has no checkpoint; its root is the hash of nothing.
_RESUME = """
SELECT FROM log_state FOR UPDATE;
DELETE FROM fact_pending WHERE fact_id = ANY ('{{{facts}}}') AND EXISTS (
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
_ENTRIES = b"""
WITH entries AS (
  INSERT INTO log_entry (seq, fact_id, subject, leaf, leaf_hash)
  SELECT * FROM unnest($1, $2, $3, $4, $5)),
nodes AS (
  INSERT INTO log_node (level, index, hash) SELECT * FROM unnest($6, $7, $8))"""
_GROWN = b" UPDATE log_state SET size = $9"
_TAKEN = b", taken AS (DELETE FROM fact_pending WHERE turn = ANY($10))"
_SIGNED = b"INSERT INTO log_checkpoint (size, root, note, signed_at) VALUES ($1, $2, $3, $4)"
Columns = list[arrays.Array]  # what `append` writes, but for the size


@dataclass(frozen=True, slots=True)
class Found:
    """The locked log: its size, its right edge, and facts whose turn it is."""

    connection: AsyncConnection[Any]
    size: int
    edge: dict[Node, bytes]
    facts: list[Waiting]


@dataclass(frozen=True, slots=True)
class Ready:
    """A draft with the query that takes its facts off what waits, and what it will write."""

    draft: Draft
    query: str
    columns: Columns


@dataclass(frozen=True, slots=True)
class Begun:
    """A batch whose log is locked: what it writes, and what was signed before it.

    Attributes:
        waiting: the turns of its facts, while they are still to be taken off what waits.
    """

    connection: AsyncConnection[Any]
    draft: Draft
    columns: Columns
    mark: Mark
    waiting: Sequence[int] = ()


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
    turns = [fact.turn for fact in draft.facts]
    return Begun(found.connection, draft, columns(draft), mark, turns)


def prepared(draft: Draft) -> Ready:
    """Make ready what `resume` and `append` will send."""
    facts = ",".join([str(fact.fact_id) for fact in draft.facts])
    query = _RESUME.format(facts=facts, size=draft.base, root=draft.base_root.hex())
    return Ready(draft, query, columns(draft))


async def resume(session: AsyncSession, ready: Ready, mark: Mark) -> Begun | None:
    """Lock the log and take the facts of a draft off what waits; None when the log is another.

    They are taken before anything is signed: a promise of facts that are not there could not be
    kept.

    Raises:
        LogWouldFork: the log is the draft's, and facts that waited in it are gone.
    """
    connection = await _driver(session)
    taken = (await _results(connection, ready.query))[-1].command_tuples
    if not taken:
        return None
    missing = len(ready.draft.facts) - taken
    if missing:
        raise LogWouldFork("Facts that waited are gone.", missing=missing)
    return Begun(connection, ready.draft, ready.columns, mark)


@asynccontextmanager
async def writing(begun: Begun) -> AsyncIterator[None]:
    """Send what the block writes without awaiting answers; when it ends, all of it is done."""
    connection = begun.connection
    async with connection.lock:
        connection.pgconn.enter_pipeline_mode()
        try:
            yield
        finally:
            results = await _synchronised(connection)
    _check(results)


def columns(draft: Draft) -> Columns:
    """Pack the leaves and the subtrees that they complete, as `append` writes them."""
    nodes = [
        (level, index, hashed)
        for level, (first, row) in enumerate(draft.rows)
        if queries.is_stored(level)
        for index, hashed in enumerate(row, start=first)
    ]
    seqs, facts, subjects, leaves, hashes = zip(*draft.entries, strict=True)
    return [
        Bigints.of(seqs),
        Uuids.of(facts),
        Uuids.of(subjects),
        Texts.of(leaves),
        Hashes.of(hashes),
        Bigints.of([level for level, _, _ in nodes]),
        Bigints.of([index for _, index, _ in nodes]),
        Hashes.of([hashed for _, _, hashed in nodes]),
    ]


def append(begun: Begun) -> None:
    """Send the leaves and the subtrees that they complete; their facts wait no more."""
    values = [*begun.columns, begun.draft.size.to_bytes(8)]
    types = [*(column.oid for column in begun.columns), arrays.INT8]
    if not begun.waiting:  # less to plan, a tenth of a millisecond
        _send(begun, _ENTRIES + _GROWN, values, types)
        return
    turns = Bigints.of(begun.waiting)
    _send(begun, _ENTRIES + _TAKEN + _GROWN, [*values, turns], [*types, turns.oid])


def sign(begun: Begun, note: str, *, at: datetime) -> None:
    """Send the signed checkpoint."""
    draft = begun.draft
    since_epoch = (at - _EPOCH) // timedelta(microseconds=1)
    values = [
        draft.size.to_bytes(8),
        draft.root,
        note.encode(),
        since_epoch.to_bytes(8, signed=True),
    ]
    _send(begun, _SIGNED, values, [arrays.INT8, arrays.BYTEA, _TEXT, _TIMESTAMPTZ])


def _send(begun: Begun, statement: bytes, values: Sequence[bytes], types: Sequence[int]) -> None:
    """Hand a statement of the block over; what does not fit into the socket goes when it ends."""
    connection = begun.connection.pgconn
    connection.send_query_params(statement, values, types, [Format.BINARY] * len(values))
    connection.flush()


async def _synchronised(connection: AsyncConnection[Any]) -> list[PGresult]:
    """End a pipeline; return the answers to everything that was sent in it."""
    try:
        results = await connection.wait(_remaining(connection.pgconn))
        connection.pgconn.exit_pipeline_mode()
    except BaseException:
        await connection.close()  # nobody knows what it would answer next
        raise
    return results


def _remaining(connection: PGconn) -> PQGen[list[PGresult]]:
    connection.pipeline_sync()
    results: list[PGresult] = []
    while True:
        answer = yield from generators.execute(connection)
        if answer and answer[-1].status == ExecStatus.PIPELINE_SYNC:
            return results
        results += answer


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
    _check(results)
    return results


def _check(results: Sequence[PGresult]) -> None:
    for result in results:
        if result.status == ExecStatus.FATAL_ERROR:
            raise error_from_result(result)


def _answers(connection: PGconn, query: bytes) -> PQGen[list[PGresult]]:
    connection.send_query(query)
    answers: list[PGresult] = yield from generators.execute(connection)
    return answers


async def _driver(session: AsyncSession) -> AsyncConnection[Any]:
    """Return the driver's own connection of the session's transaction."""
    await session.flush()  # what is read there does not pass through the session
    return await driver.beneath(session)
