"""Reactions: at least one run, at most one effect."""

import asyncio
from datetime import datetime

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.facts import service as facts
from contracts.facts.rules import SealedFact
from contracts.log import service as log
from contracts.log.gateway import LogSigner
from exchange import jobs, reactions
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
