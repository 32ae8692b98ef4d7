"""The worker's step that seals: everything that waits, batch after batch, on one connection."""

from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.facts.rules import SealedFact
from contracts.log import queries
from contracts.log.gateway import LogSigner
from contracts.log.rules import Mark, SealerOvertaken
from contracts.log.service import Sealer
from contracts.log.tables import LogCheckpoint
from contracts.refusal import CommitUnknown
from exchange import jobs, sealing
from exchange.db import Database, DatabaseAway
from tests.conftest import NOW
from tests.contracts.log_factory import a_fact, a_signer, seal_all


async def test_everything_that_waits_is_sealed_in_batches_of_the_limit(
    db: Database, tmp_path: Path
) -> None:
    signer = a_signer(tmp_path)
    await seal_all(db, signer)
    async with db.transaction() as session:
        start = await queries.size(session)
    for _ in range(7):
        await a_fact(db)
    assert await sealing.seal_waiting(db, signer, limit=3) == 7
    async with db.transaction() as session:
        assert await queries.size(session) == start + 7
        sizes = select(col(LogCheckpoint.size)).where(col(LogCheckpoint.size) > start)
        found = (await session.execute(sizes.order_by(col(LogCheckpoint.size)))).scalars()
        assert list(found) == [start + 3, start + 6, start + 7]
    assert await sealing.seal_waiting(db, signer, limit=3) == 0


async def test_a_connection_that_dies_between_two_batches_loses_and_doubles_nothing(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = a_signer(tmp_path)
    await seal_all(db, signer)
    recorded = [await a_fact(db) for _ in range(6)]
    defer, calls = jobs.defer_reactions, 0

    async def dying(session: AsyncSession, sealed: Sequence[SealedFact]) -> int:
        nonlocal calls
        calls += 1
        if calls == 2:  # the second batch is signed and written, and cannot be committed
            await session.execute(text("SET LOCAL ROLE postgres"))
            await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return await defer(session, sealed)

    with monkeypatch.context() as patched:
        patched.setattr(jobs, "defer_reactions", dying)
        with pytest.raises((DatabaseAway, CommitUnknown)):
            await sealing.seal_waiting(db, signer, limit=2)
    assert calls == 2
    assert await sealing.seal_waiting(db, signer, limit=3) >= 2  # what was promised comes first
    await seal_all(db, signer)
    async with db.transaction() as session:
        seqs = [(await queries.get_sealed(session, fact)).seq for fact in recorded]
        assert seqs == list(range(seqs[0], seqs[0] + 6))
        newest = await queries.latest_checkpoint(session)
        assert newest.size == await queries.size(session) == signer.mark().size


class Killing:
    """A signer that the database's connection does not outlive."""

    def __init__(self, signer: LogSigner, kill: Callable[[], None]) -> None:
        self.origin, self.mark = signer.origin, signer.mark
        self._signer, self._kill = signer, kill

    def sign(self, promise: Mark, *, after: Mark) -> str:
        note = self._signer.sign(promise, after=after)
        self._kill()
        return note


async def test_a_connection_that_dies_while_the_batch_is_written_loses_nothing(
    db: Database, tmp_path: Path
) -> None:
    signer = a_signer(tmp_path)
    await seal_all(db, signer)
    recorded = [await a_fact(db) for _ in range(3)]
    async with db.transaction() as session:
        before = await queries.size(session)

    def kill() -> None:  # in a thread of its own
        with psycopg.connect(db.url.replace("postgresql+psycopg", "postgresql")) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks "
                "WHERE relation = 'log_state'::regclass AND granted AND mode = 'RowShareLock' "
                "AND pid <> pg_backend_pid()"
            )

    with pytest.raises(DatabaseAway):
        await sealing.seal_waiting(db, Killing(signer, kill), limit=2)
    assert signer.mark().size == before + 2
    assert await sealing.seal_waiting(db, signer, limit=1) == 3
    async with db.transaction() as session:
        seqs = [(await queries.get_sealed(session, fact)).seq for fact in recorded]
        assert seqs == [before, before + 1, before + 2]


async def test_a_batch_that_may_not_be_signed_leaves_the_connection_of_use(
    db: Database, tmp_path: Path
) -> None:
    signer = a_signer(tmp_path)
    await seal_all(db, signer)
    recorded = await a_fact(db)

    class Overtaken(Killing):
        def sign(self, promise: Mark, *, after: Mark) -> str:
            raise SealerOvertaken("Another has signed.", promised=promise.size, signed=after.size)

    connection = await db.connect()
    try:
        refused = Sealer(Overtaken(signer, lambda: None), limit=1, ahead=1)
        with pytest.raises(SealerOvertaken):
            async with db.transaction(on=connection) as session:
                await refused.seal(session, now=NOW)
        async with db.transaction(on=connection) as session:
            sealed = await Sealer(signer, limit=1, ahead=1).seal(session, now=NOW)
    finally:
        await connection.close()
    assert [fact.id for fact in sealed] == [recorded]
