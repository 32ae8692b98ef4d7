"""Reactions: at least one run, at most one effect."""

import asyncio
from datetime import UTC, datetime

import pytest
from procrastinate.jobs import Job
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.facts import service as facts
from contracts.facts.rules import SealedFact
from contracts.log import service as log
from contracts.log.gateway import LogSigner
from exchange import jobs, reactions, worker
from exchange.context import Context
from exchange.reactions import Reaction
from tests.conftest import NOW


@pytest.fixture
async def sealed(context: Context) -> SealedFact:
    """A fact of this test's own, recorded and sealed."""
    party = ids.new(NOW)
    async with context.db.transaction() as session:
        payload = {"party": str(party), "kind": "broadcaster"}
        await facts.record(session, "party.registered", party, payload, parties=[party], now=NOW)
    signer = LogSigner.ensure(context.settings.keys, context.settings.log_origin)
    async with context.db.transaction() as session:
        found = await log.seal(session, signer=signer, limit=10_000, now=NOW)
    return next(fact for fact in found if fact.subject == party)


def reacting(monkeypatch: pytest.MonkeyPatch, seen: list[str], *, fail: int = 0) -> Reaction:
    async def verb(
        _context: Context, session: AsyncSession, fact: SealedFact, _now: datetime
    ) -> None:
        await session.execute(text("SELECT 1"))
        seen.append(fact.kind)
        await asyncio.sleep(0.05)
        if len(seen) <= fail:
            raise RuntimeError("the outside is away")

    reaction = Reaction("party.registered", "test-verb", verb)
    monkeypatch.setattr(reactions, "REACTIONS", (reaction,))
    return reaction


async def effects(context: Context, fact: SealedFact) -> int:
    async with context.db.transaction() as session:
        found = await session.execute(
            text("SELECT count(*) FROM reaction_done WHERE fact_id = :id"), {"id": fact.id}
        )
        return int(found.scalar_one())


async def test_a_reaction_that_ran_does_not_run_again(
    context: Context, sealed: SealedFact, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    reacting(monkeypatch, seen)
    for _ in range(3):
        await jobs.react(context, sealed.id, "test-verb")
    assert seen == ["party.registered"]


async def test_of_two_workers_at_once_only_one_effect_stands(
    context: Context, sealed: SealedFact, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    reacting(monkeypatch, seen)
    runs = [jobs.react(context, sealed.id, "test-verb") for _ in range(2)]
    outcomes = await asyncio.gather(*runs, return_exceptions=True)
    assert len(seen) == 2
    assert sum(isinstance(outcome, Exception) for outcome in outcomes) == 1
    assert await effects(context, sealed) == 1


async def test_a_reaction_that_failed_leaves_no_mark_and_is_run_again(
    context: Context, sealed: SealedFact, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    reacting(monkeypatch, seen, fail=1)
    with pytest.raises(RuntimeError):
        await jobs.react(context, sealed.id, "test-verb")
    assert await effects(context, sealed) == 0
    await jobs.react(context, sealed.id, "test-verb")
    assert await effects(context, sealed) == 1


async def test_sealing_and_queueing_are_one_transaction(
    context: Context, sealed: SealedFact, monkeypatch: pytest.MonkeyPatch
) -> None:
    reacting(monkeypatch, [])
    count = text("SELECT count(*) FROM procrastinate_jobs WHERE args->>'fact_id' = :id")
    async with context.db.sessions() as session:
        assert await jobs.defer_reactions(session, [sealed]) == 1
        await session.rollback()
        assert (await session.execute(count, {"id": str(sealed.id)})).scalar_one() == 0
    async with context.db.transaction() as session:
        await jobs.defer_reactions(session, [sealed])
    async with context.db.transaction() as session:
        assert (await session.execute(count, {"id": str(sealed.id)})).scalar_one() == 1


async def test_what_a_reaction_wrote_stands_once_though_two_workers_ran_it(
    context: Context, sealed: SealedFact, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = ids.new(NOW)

    async def verb(_: Context, session: AsyncSession, _fact: SealedFact, now: datetime) -> None:
        payload = {"listing": str(subject), "outcome": "unsold"}
        await facts.record(session, "listing.ended", subject, payload, now=now)
        await asyncio.sleep(0.05)

    monkeypatch.setattr(reactions, "REACTIONS", (Reaction(sealed.kind, "writes", verb),))
    runs = [jobs.react(context, sealed.id, "writes") for _ in range(2)]
    await asyncio.gather(*runs, return_exceptions=True)
    count = text("SELECT count(*) FROM fact WHERE subject = :id")
    async with context.db.transaction() as session:
        assert (await session.execute(count, {"id": subject})).scalar_one() == 1


@pytest.mark.parametrize(("attempts", "wait_s"), [(0, 1), (1, 2), (3, 8), (6, 60), (10_000, 60)])
def test_a_reaction_is_tried_until_it_is_done(attempts: int, wait_s: int) -> None:
    job = Job(
        id=1, queue=jobs.QUEUE, lock=None, queueing_lock=None, task_name=jobs.TASK,
        attempts=attempts,
    )  # fmt: skip
    decision = jobs.UntilDone().get_retry_decision(exception=RuntimeError(), job=job)
    assert decision.retry_at is not None
    left = decision.retry_at - datetime.now(UTC)
    assert wait_s - 1 <= left.total_seconds() <= wait_s


async def test_the_job_of_a_worker_that_died_is_given_back(
    context: Context, sealed: SealedFact, monkeypatch: pytest.MonkeyPatch
) -> None:
    reacting(monkeypatch, [])
    async with context.db.transaction() as session:
        await jobs.defer_reactions(session, [sealed])
        dead = await session.execute(
            text(
                "INSERT INTO procrastinate_workers (last_heartbeat) "
                "VALUES (now() - interval '1 minute') RETURNING id"
            )
        )
        await session.execute(
            text(
                "UPDATE procrastinate_jobs SET status = 'doing', worker_id = :worker "
                "WHERE args->>'fact_id' = :fact"
            ),
            {"worker": dead.scalar_one(), "fact": str(sealed.id)},
        )
    queue = jobs.open_queue(context, connections=2)
    async with queue.open_async():
        assert await jobs.rescue_stalled(queue) == 1
        assert await jobs.rescue_stalled(queue) == 0
    state = text("SELECT status::text FROM procrastinate_jobs WHERE args->>'fact_id' = :fact")
    async with context.db.transaction() as session:
        found = await session.execute(state, {"fact": str(sealed.id)})
        assert found.scalar_one() == "todo"


async def test_a_fact_is_not_sealed_when_what_it_wakes_cannot_be_queued(
    context: Context, sealed: SealedFact, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = LogSigner.ensure(context.settings.keys, context.settings.log_origin)
    async with context.db.transaction() as session:
        payload = {"party": str(sealed.subject), "by": str(sealed.subject)}
        fact = await facts.record(session, "party.verified", sealed.subject, payload, now=NOW)

    async def failing(*_: object) -> int:
        raise RuntimeError("the queue is away")

    waits = text("SELECT count(*) FROM fact_pending WHERE fact_id = :id")
    with monkeypatch.context() as patched:
        patched.setattr(jobs, "defer_reactions", failing)
        with pytest.raises(RuntimeError):
            await worker.seal(context, signer)
    async with context.db.transaction() as session:
        assert (await session.execute(waits, {"id": fact})).scalar_one() == 1
    assert await worker.seal(context, signer) == 1
    async with context.db.transaction() as session:
        assert (await session.execute(waits, {"id": fact})).scalar_one() == 0
