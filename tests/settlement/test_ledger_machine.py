"""The books beside an auditor: random steps of a campaign, and Hypothesis' own (shrinking)."""

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from tests.contracts import campaign
from tests.settlement import ledger_campaign
from tests.settlement.ledger_campaign import EPOCH, MAKERS, Run
from tests.settlement.ledger_steps import Driver

# The whole: 100,000 steps a round of `make soak`; more with `python -m tests.settlement.…campaign`.
SEEDS, STEPS = campaign.size(2, 10), campaign.size(1_000, 10_000)


def test_the_books_do_what_the_auditor_expects_step_by_step(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = campaign.ROUND * campaign.STRIDE
    told, violations = ledger_campaign.play(database_url, range(first, first + SEEDS), STEPS)
    taken = sum(count for what, count in told.items() if what.endswith(" taken"))
    campaign.tell(
        capsys,
        f"ledger: seeds {first} to {first + SEEDS - 1}, {told.total()} steps, {taken} taken, "
        f"{len(violations)} violations",
    )
    assert violations == []
    assert taken > STEPS
    assert {"below floor", "above ceiling", "ledger_hold_end_pkey", "does not hold at"} <= set(told)


def test_an_auditor_of_other_rules_is_contradicted(database_url: str) -> None:
    """The campaign bites: an auditor that forgets to count holds differs from the books."""
    driver = Driver(database_url, EPOCH)
    run = Run(driver, 7, 0)
    run.auditor.closed_until = driver.closed
    forgetful = run.auditor._make_hold

    def make_hold(step: Any) -> None:
        forgetful(step)
        run.auditor.accounts[step["account"]].debit = 0

    run.auditor._make_hold = make_hold  # the mistake
    run.play(1_000)
    driver.connection.close()
    assert run.violations


def machine(driver: Driver) -> type[RuleBasedStateMachine]:
    """The steps as rules of Hypothesis, which looks for the shortest run that goes wrong."""

    class Books(RuleBasedStateMachine):
        run: Run

        def __init__(self) -> None:
            super().__init__()
            closed, clock = DONE["closed"], DONE["clock"]
            DONE["seed"] += 1
            self.run = Run(driver, DONE["seed"], clock)
            self.run.auditor.closed_until = closed

        @rule(maker=st.sampled_from(MAKERS), seed=st.integers(0, 2**32))
        def step(self, maker: Any, seed: int) -> None:
            self.run.random = random.Random(seed)
            self.run.play_these([maker])
            assert self.run.violations == []

        def teardown(self) -> None:
            DONE["clock"], DONE["closed"] = self.run.clock, self.run.auditor.closed_until

    return Books


DONE = {"seed": 10**6, "clock": 0, "closed": 0}


def test_the_books_agree_with_the_auditor_under_any_steps(database_url: str) -> None:
    driver = Driver(database_url, EPOCH)
    DONE["closed"] = driver.closed
    run_state_machine_as_test(
        machine(driver),
        settings=settings(
            max_examples=campaign.size(6, 500), stateful_step_count=25, deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    driver.connection.close()
