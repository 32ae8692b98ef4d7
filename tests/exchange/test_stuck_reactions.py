"""Reactions that keep failing are seen by people."""

import pytest
from sqlalchemy import text

from contracts.facts.rules import SealedFact
from exchange import doctor, jobs
from exchange.context import Context
from tests.conftest import NOW
from tests.exchange.test_jobs import reacting, sealed
from tests.exchange.test_portal_pages import signed_in

__all__ = ["sealed"]  # the fixture


async def tried(context: Context, fact: SealedFact, attempts: int, status: str = "todo") -> None:
    """Leave the fact's job as the queue does after so many attempts."""
    async with context.db.transaction() as session:
        await jobs.defer_reactions(session, [fact])
        await session.execute(
            text(
                "UPDATE procrastinate_jobs SET attempts = :attempts, "
                "status = CAST(:status AS procrastinate_job_status) WHERE args->>'fact_id' = :id"
            ),
            {"attempts": attempts, "status": status, "id": str(fact.id)},
        )


async def stuck(context: Context, fact: SealedFact) -> list[jobs.StuckReaction]:
    async with context.db.transaction() as session:
        return [each for each in await jobs.stuck_reactions(session) if each.fact_id == fact.id]


async def test_a_reaction_that_keeps_failing_is_named_with_what_it_is_about(
    context: Context, sealed: SealedFact, monkeypatch: pytest.MonkeyPatch
) -> None:
    reacting(monkeypatch, [])
    await tried(context, sealed, jobs.STUCK_AFTER)
    (found,) = await stuck(context, sealed)
    assert (found.reaction, found.kind, found.subject, found.attempts, found.since) == (
        "test-verb", "party.registered", sealed.subject, jobs.STUCK_AFTER, NOW,
    )  # fmt: skip


@pytest.mark.parametrize(("attempts", "status"), [(4, "todo"), (9, "succeeded"), (9, "cancelled")])
async def test_a_reaction_that_failed_a_few_times_or_is_over_is_not_stuck(
    context: Context,
    sealed: SealedFact,
    monkeypatch: pytest.MonkeyPatch,
    attempts: int,
    status: str,
) -> None:
    reacting(monkeypatch, [])
    await tried(context, sealed, attempts, status)
    assert await stuck(context, sealed) == []


async def test_a_reaction_whose_effect_stands_is_not_stuck(
    context: Context, sealed: SealedFact, monkeypatch: pytest.MonkeyPatch
) -> None:
    reacting(monkeypatch, [])
    await tried(context, sealed, 9)
    await jobs.react(context, sealed.id, "test-verb")
    assert await stuck(context, sealed) == []


async def test_the_doctor_warns_of_reactions_that_keep_failing(
    context: Context, sealed: SealedFact, monkeypatch: pytest.MonkeyPatch
) -> None:
    reacting(monkeypatch, [])
    await tried(context, sealed, 7)
    async with context.db.transaction() as session:
        finding = await doctor._reactions(session)
    assert (finding.part, finding.state) == ("reactions", "warning")
    assert f"test-verb to party.registered of {sealed.subject} (7 attempts" in finding.detail
    await jobs.react(context, sealed.id, "test-verb")
    async with context.db.transaction() as session:
        finding = await doctor._reactions(session)
    assert str(sealed.subject) not in finding.detail


async def test_the_queue_of_the_staff_shows_reactions_that_keep_failing(
    context: Context, sealed: SealedFact, monkeypatch: pytest.MonkeyPatch
) -> None:
    reacting(monkeypatch, [])
    async with signed_in(context, "operator") as client:
        assert str(sealed.subject) not in (await client.get("/console")).text
        await tried(context, sealed, 7)
        page = (await client.get("/console")).text
    assert "A background step keeps failing" in page
    assert f"{sealed.subject} · test-verb × 7" in page
