"""The outbound protocol under thousands of seeded schedules of faults, crashes and long pauses.

Two workers run the product's own `send_one`, stepped one await at a time in a random order, so that
a crash can fall between any two steps; hours may pass anywhere.
"""

import os
import random
from collections.abc import Coroutine, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from settlement.outbound import rules
from settlement.outbound.rules import Answer, Intent, Made, Step
from settlement.outbound.service import Claim
from settlement.stripe.service import send_one
from tests.conftest import NOW
from tests.settlement.fake_stripe import FakeStripe

GROUP = "deal"
INTENT_ID = UUID("0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01")
PARAMS = rules.transfer_params(
    amount_minor=100,
    currency="CNY",
    account="acct_1",
    charge="ch_1",
    names={"deal": GROUP, "payout": "p", "intent_id": str(INTENT_ID)},
)
HOUR = 3600
STEPS, CALM = 450, 200


class Pause:
    """Hands control to the scheduler."""

    def __await__(self) -> Generator[None, None, None]:
        yield


@dataclass
class World:
    """One intent, kept as the database keeps it: every verb is a commit."""

    intent: Intent
    stripe: FakeStripe
    provider_id: str | None = None

    async def claim(self, now: datetime) -> Claim | None:
        await Pause()
        if self.intent.state not in rules.OPEN or self.intent.next_at > now:
            return None
        self.intent, step = rules.taken_up(self.intent, now)
        taken = self._claim(step)
        await Pause()
        return taken

    async def repeat(self, claim: Claim, now: datetime) -> Claim | None:
        await Pause()
        if self.intent.tries != claim.tries or self.intent.state != rules.UNKNOWN:
            return None
        again = rules.after_empty_look(self.intent, now)
        self.intent = again or rules.waiting(self.intent)
        taken = None if again is None else self._claim(Step.SEND)
        await Pause()
        return taken

    async def conclude(self, claim: Claim, answer: Answer, now: datetime) -> None:
        await Pause()
        if self.intent.state == rules.DONE:
            return
        if self.intent.tries != claim.tries and not isinstance(answer, Made):
            return
        self.intent = rules.concluded(self.intent, answer, now)
        if isinstance(answer, Made):
            self.provider_id = answer.provider_id
        await Pause()

    def _claim(self, step: Step) -> Claim:
        return Claim(
            id=INTENT_ID,
            op=rules.CREATE_TRANSFER,
            params=PARAMS,
            idem_key=rules.key(INTENT_ID, self.intent.attempt),
            step=step,
            tries=self.intent.tries,
        )


class Pausing(FakeStripe):
    """Answers travel: control changes hands after each call."""

    async def create(self, *given: Any, **named: Any) -> Answer:
        answer = await super().create(*given, **named)
        await Pause()
        return answer

    async def find(self, *given: Any, **named: Any) -> str | None:
        found = await super().find(*given, **named)
        await Pause()
        return found


# A soak plays other schedules in each of its rounds.
FIRST = int(os.environ.get("SOAK_ROUND", "0")) * 2_000


def play(seed: int) -> tuple[World, int]:
    """Run one schedule to its end; return the world and how many workers were killed."""
    rng = random.Random(seed)
    stripe = Pausing(NOW, rng, rate=1.0)
    world = World(rules.fresh(rules.CREATE_TRANSFER, NOW), stripe)
    workers: list[Coroutine[Any, Any, bool] | None] = [None, None]
    killed = 0
    for step in range(STEPS):
        stripe.rate = 1.0 if step < STEPS - CALM else 0.0  # at last the weather clears
        turn = rng.randrange(2)
        worker = workers[turn]
        stripe.now += passing(rng, calm=not stripe.rate, idle=not any(workers))
        if worker is None:
            workers[turn] = worker = send_one(
                world, stripe, now=stripe.now, clock=lambda: stripe.now.timestamp()
            )
        if stripe.rate and rng.random() < 0.08:
            worker.close()
            workers[turn] = None
            killed += 1
            continue
        try:
            worker.send(None)
        except StopIteration:
            workers[turn] = None
    for worker in workers:
        if worker is not None:
            worker.close()
    stripe.finish_late()
    return world, killed


def passing(rng: random.Random, *, calm: bool, idle: bool) -> timedelta:
    """Time passes anywhere; once it is calm, only while no worker is at work."""
    if calm:
        return timedelta(hours=idle)
    return timedelta(
        seconds=rng.choice([0] * 8 + [1, 1, 5, 60, 600, 2 * HOUR, 13 * HOUR, 30 * HOUR])
    )


@pytest.mark.parametrize("block", range(4))
def test_invariant_27_whatever_is_lost_one_transfer_is_made_and_never_two(block: int) -> None:
    killed = 0
    for seed in range(FIRST + block * 500, FIRST + block * 500 + 500):
        world, dead = play(seed)
        transfers = world.stripe.made
        assert len(transfers) == 1, f"seed {seed}: {len(transfers)} transfers"
        assert world.intent.state == rules.DONE, f"seed {seed}"
        assert world.provider_id == transfers[0][1], f"seed {seed}"
        killed += dead
    assert killed > 1000  # the schedules do kill workers


def test_a_late_request_meets_the_keys_of_its_own_instant() -> None:
    """In this schedule the provider is next called a month after a late request was due."""
    assert len(play(11_121)[0].stripe.made) == 1


def test_the_harness_shows_what_a_naive_executor_would_pay_twice() -> None:
    from tests.settlement import outbound_campaign

    found = outbound_campaign.played("naive: a new key for each call", range(40))
    assert found["twice or more"] > 5


def test_without_the_look_up_the_same_schedules_pay_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rules, "LOOKED_UP", frozenset())
    assert any(len(play(seed)[0].stripe.made) > 1 for seed in range(100))


def test_a_definite_no_after_a_doubt_leaves_the_doubt() -> None:
    sent, _ = rules.taken_up(rules.fresh(rules.CREATE_TRANSFER, NOW), NOW)
    doubted = rules.concluded(sent, rules.Lost("timeout"), NOW)
    refused = rules.concluded(doubted, rules.Rejected("400", final=True), NOW)
    assert (refused.state, refused.ever_unknown) == (rules.UNKNOWN, True)


def test_an_instruction_left_by_a_dead_worker_is_looked_up_before_it_is_sent_again() -> None:
    sent, first = rules.taken_up(rules.fresh(rules.CREATE_TRANSFER, NOW), NOW)
    found, then = rules.taken_up(sent, NOW + rules.LEASE)
    assert (first, then, found.state) == (Step.SEND, Step.LOOK, rules.UNKNOWN)


def test_a_key_is_changed_only_after_its_window_and_an_hour_of_quiet() -> None:
    sent, _ = rules.taken_up(rules.fresh(rules.CREATE_TRANSFER, NOW), NOW)
    doubted = rules.concluded(sent, rules.Lost("timeout"), NOW)
    young = rules.after_empty_look(doubted, NOW + timedelta(hours=22))
    assert young is not None
    assert young.attempt == 1
    old = rules.after_empty_look(doubted, NOW + timedelta(hours=25))
    assert old is not None
    assert old.attempt == 2


def test_a_look_up_during_quarantine_waits() -> None:
    sent, _ = rules.taken_up(rules.fresh(rules.CREATE_TRANSFER, NOW), NOW)
    late = rules.after_empty_look(
        rules.concluded(sent, rules.Lost("timeout"), NOW), NOW + timedelta(hours=22, minutes=50)
    )
    assert late is not None
    assert rules.after_empty_look(late, NOW + timedelta(hours=23, minutes=10)) is None
    assert rules.waiting(late).next_at == NOW + timedelta(hours=23, minutes=50)


def test_the_wait_between_tries_grows_and_ends_at_six_hours() -> None:
    waits = [rules.delay(tries).total_seconds() for tries in range(1, 20)]
    assert waits[:3] == [2, 8, 32]
    assert waits == sorted(waits)
    assert waits[-1] == 6 * HOUR
