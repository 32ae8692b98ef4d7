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
from contracts.log.merkle import Node, Row
from contracts.log.rules import Entry, Waiting

_LOCK = "SELECT FROM log_state WHERE EXISTS (SELECT FROM fact_pending) FOR UPDATE"
# The last, partial tile of each level: what the next leaves are hashed together with.
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


@dataclass(frozen=True, slots=True)
class Begun:
    """A batch begun: the locked log's size, its right edge, and the facts whose turn it is."""

    connection: AsyncConnection[Any]
    size: int
    edge: dict[Node, bytes]
    facts: list[Waiting]


async def begin(session: AsyncSession, limit: int) -> Begun | None:
    """Lock the log and read what a batch needs; None, and no lock, when no fact waits.

    What waits is read after the lock is held (READ COMMITTED: each statement sees anew).
    """
    await session.flush()  # what is read here does not pass through the session
    connection = await _driver(session)
    locked, edges, waiting = await _read(connection, _BEGIN.format(limit=limit))
    if not locked:
        return None
    [(size, leaves, levels)] = edges
    facts = [Waiting(*row) for row in waiting]
    rows = [leaves, *levels]
    find = tiles.lookup(size, lambda tile: rows[tile.level or 0] or b"")
    edge = {node: find(node) for node in merkle.frontier(size)}
    return Begun(connection, size, edge, facts)


async def promised(begun: Begun, facts: Sequence[UUID]) -> list[Waiting]:
    """Return the facts that were signed for and still wait, in the order of the promise."""
    arrays.register(begun.connection)
    asked = {"promised": Uuids.of(facts)}
    found = await begun.connection.execute(_PROMISED, asked)
    return [Waiting(*row) for row in await found.fetchall()]


@asynccontextmanager
async def writing(begun: Begun) -> AsyncIterator[None]:
    """Send what the block writes without awaiting answers; when it ends, all of it is done."""
    arrays.register(begun.connection)
    async with begun.connection.pipeline():
        yield


async def append(
    begun: Begun, entries: Sequence[Entry], rows: Sequence[Row], turns: Sequence[int]
) -> None:
    """Write the leaves and the subtrees that they complete; their facts wait no more."""
    nodes = [
        (level, index, hashed)
        for level, (first, row) in enumerate(rows)
        if queries.is_stored(level)
        for index, hashed in enumerate(row, start=first)
    ]
    seqs, facts, subjects, leaves, hashes = zip(*entries, strict=True)
    await begun.connection.execute(
        _APPEND,
        {
            "seqs": Bigints.of(seqs),
            "facts": Uuids.of(facts),
            "subjects": Uuids.of(subjects),
            "leaves": Texts.of(leaves),
            "hashes": Hashes.of(hashes),
            "node_levels": Bigints.of([level for level, _, _ in nodes]),
            "node_places": Bigints.of([index for _, index, _ in nodes]),
            "node_hashes": Hashes.of([hashed for _, _, hashed in nodes]),
            "turns": Bigints.of(turns),
            "size": entries[-1].seq + 1,
        },
    )


async def sign(begun: Begun, size: int, root: bytes, note: str, *, at: datetime) -> None:
    """Write the signed checkpoint."""
    kept = {"size": size, "root": root, "note": note, "signed_at": at}
    await begun.connection.execute(_SIGNED, kept)


async def _read(connection: AsyncConnection[Any], query: str) -> list[list[tuple[Any, ...]]]:
    """Return the rows of several statements; a transaction that is still to begin begins with them.

    The driver alone would begin it by a round trip of its own.
    """
    is_idle = connection.pgconn.transaction_status == TransactionStatus.IDLE
    sent = f"BEGIN;{query}" if is_idle else query
    async with connection.lock:
        results = await connection.wait(_answers(connection.pgconn, sent.encode()))
    found = []
    for result in results:
        if result.status == ExecStatus.FATAL_ERROR:
            raise error_from_result(result)
        if result.status == ExecStatus.TUPLES_OK:
            known = Transformer(connection)
            known.set_pgresult(result)
            found.append(known.load_rows(0, result.ntuples, tuple))
    return found


def _answers(connection: PGconn, query: bytes) -> PQGen[list[PGresult]]:
    connection.send_query(query)
    answers: list[PGresult] = yield from generators.execute(connection)
    return answers


async def _driver(session: AsyncSession) -> AsyncConnection[Any]:
    """Return the driver's own connection of the session's transaction."""
    raw = await (await session.connection()).get_raw_connection()
    connection = raw.driver_connection
    assert isinstance(connection, AsyncConnection)  # noqa: S101 - the one driver there is.
    return connection
