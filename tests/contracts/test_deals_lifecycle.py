"""The four regions of a deal's life: what follows what, and that the facts tell it again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts.deals import lifecycle
from contracts.deals.lifecycle import (
    AlreadySigned,
    DealDeclined,
    DealExpired,
    DealNotInForce,
    Life,
    StepNotPossible,
)
from tests.conftest import NOW

GIVEN_UP = ("voided", "declined", "expired")
ENDS = ("expired", "terminated", "rescinded", "superseded")
STEPS = sorted(
    {step for region in lifecycle.REGIONS.values() for steps in region.values() for step in steps}
)
# The fact that tells each step, as it is recorded.
TOLD: dict[str, tuple[str, dict[str, Any]]] = {
    "certified": ("deal.certified", {}),
    "licensor-signed": ("deal.signed", {"role": "licensor"}),
    "executed": ("deal.executed", {}),
    "executed-unwitnessed": ("deal.executed", {"policy_sha256": "ab" * 32}),
    "witnessed": ("deal.witnessed", {}),
    "voided": ("deal.voided", {}),
    "declined": ("deal.declined", {}),
    "ran-out": ("deal.expired", {}),
    "paid": ("settlement.booked", {}),
    "window-ended": ("deal.ended", {"ended": "expired", "cause": None}),
    "terminated": ("deal.ended", {"ended": "terminated", "cause": "mutual"}),
    "rescinded": ("deal.ended", {"ended": "rescinded", "cause": None}),
    "superseded": ("deal.ended", {"ended": "superseded", "cause": None}),
}
NOISE = (
    "deal.reminded", "notice.given", "timer.fired", "grant.made", "grant.carried", "price.changed",
    "assignment.signed", "deal.assigned",
)  # fmt: skip
CAUSES = ("cause", "mutual", "convenience")


class Lives(RuleBasedStateMachine):
    """Any steps in any order: those that are refused leave no trace, the others one fact each."""

    def __init__(self) -> None:
        super().__init__()
        self.life = Life()
        self.told: list[tuple[str, dict[str, Any]]] = [("deal.opened", {})]
        self.gone: set[tuple[str, str]] = set()

    @rule(step=st.sampled_from(sorted(TOLD)))
    def try_a_step(self, step: str) -> None:
        before, (kind, record) = self.life, TOLD[step]
        try:
            self.life = lifecycle.after(before, step, cause=record.get("cause"))
        except StepNotPossible:
            return
        assert self.life != before
        self.told.append((kind, record))

    @rule(cause=st.sampled_from(CAUSES))
    def it_is_terminated_for_some_cause(self, cause: str) -> None:
        try:
            self.life = lifecycle.after(self.life, "terminated", cause=cause)
        except StepNotPossible:
            return
        self.told.append(("deal.ended", {"ended": "terminated", "cause": cause}))

    @rule()
    def the_deal_before_was_paid(self) -> None:
        try:
            self.life = lifecycle.after(self.life, "paid")
        except StepNotPossible:
            return
        self.told.append(("payment.carried", {}))

    @rule(kind=st.sampled_from(NOISE))
    def something_else_happens(self, kind: str) -> None:
        self.told.append((kind, {}))

    @rule()
    def the_licensee_signs(self) -> None:
        self.told.append(("deal.signed", {"role": "licensee"}))

    @precondition(lambda self: lifecycle.is_open(self.life))
    @rule()
    def nobody_has_rights_before_the_last_signature(self) -> None:
        assert (self.life.end, self.life.performance) == ("none", "pending")
        with pytest.raises(DealNotInForce):
            lifecycle.check_in_force(self.life)

    @invariant()
    def test_invariant_35_replaying_the_facts_gives_the_state(self) -> None:
        assert lifecycle.replay(self.told) == self.life

    @invariant()
    def what_is_given_up_never_takes_effect(self) -> None:
        if self.life.signing in GIVEN_UP:
            assert (self.life.end, self.life.performance) == ("none", "pending")
        assert (self.life.end != "none") == (self.life.signing == "executed")
        assert (self.life.cause is not None) <= (self.life.end == "terminated")

    @invariant()
    def a_row_tells_the_same_life(self) -> None:
        ended = self.life.end if self.life.end in ENDS else None
        assert self.life == lifecycle.life_of(
            signing=self.life.signing, performance=self.life.performance, ended=ended,
            cause=self.life.cause,
        )  # fmt: skip


test_invariant_35_any_order_of_steps_and_its_replay = Lives.TestCase


@pytest.mark.parametrize("name", sorted(lifecycle.REGIONS))
def test_invariant_35_terminal_states_have_no_way_out(name: str) -> None:
    region = lifecycle.REGIONS[name]
    last = {state for state, steps in region.items() if not steps}
    assert (
        last
        == {
            "negotiation": {"agreed", "withdrawn", "lapsed"},
            "signing": {"executed", *GIVEN_UP},
            "performance": {"paid"},
            "end": set(ENDS),
        }[name]
    )
    for steps in region.values():
        assert set(steps.values()) <= set(region)
    reached, waiting = set(), [next(iter(region))]
    while waiting:
        state = waiting.pop()
        reached.add(state)
        waiting += [one for one in region[state].values() if one not in reached]
    assert reached == set(region)


@given(st.sampled_from(STEPS), st.sampled_from([*GIVEN_UP]))
def test_no_step_follows_a_deal_that_was_given_up(step: str, signing: str) -> None:
    with pytest.raises(StepNotPossible):
        lifecycle.after(Life("agreed", signing), step)


def test_every_step_has_a_fact_that_tells_it() -> None:
    negotiated = {step for steps in lifecycle.NEGOTIATION.values() for step in steps}
    assert set(STEPS) - negotiated == set(TOLD)
    for step, (kind, record) in TOLD.items():
        assert lifecycle.step_of(kind, record) == step


def test_a_deal_that_waits_for_witnesses_is_in_force_and_not_yet_effective() -> None:
    told = [TOLD[one] for one in ("certified", "licensor-signed", "executed-unwitnessed")]
    life = lifecycle.replay([("deal.opened", {}), *told])
    assert life == Life("agreed", "executed", "pending", "in_force")
    assert life is not None
    assert lifecycle.after(life, "witnessed").performance == "effective"


def test_facts_out_of_order_are_refused() -> None:
    with pytest.raises(StepNotPossible):
        lifecycle.replay([("deal.opened", {}), ("deal.executed", {})])
    assert lifecycle.replay([]) is None


def test_a_side_declines_until_it_has_signed() -> None:
    open_states = ("drafted", "certified", "licensor_signed")
    for signing in open_states:
        lifecycle.check_declinable(Life("agreed", signing), role="licensee")
    with pytest.raises(AlreadySigned):
        lifecycle.check_declinable(Life("agreed", "licensor_signed"), role="licensor")
    for signing, refusal in (
        ("declined", DealDeclined), ("expired", DealExpired), ("voided", StepNotPossible),
        ("executed", StepNotPossible),
    ):  # fmt: skip
        with pytest.raises(refusal):
            lifecycle.check_declinable(Life("agreed", signing), role="licensee")


def test_what_each_may_do_follows_from_the_state() -> None:
    signed = Life("agreed", "licensor_signed")
    force = Life("agreed", "executed", "effective", "in_force")
    over = Life("agreed", "executed", "paid", "expired")
    assert lifecycle.may(Life(), role="licensor") == ["decline"]
    assert lifecycle.may(Life("agreed", "certified"), role="licensor") == ["sign", "decline"]
    assert lifecycle.may(signed, role="licensor") == []
    assert lifecycle.may(signed, role="licensee") == ["sign", "decline"]
    assert lifecycle.may(signed, role="operator") == ["void"]
    any_side = ["amend", "notify", "offer-to-end"]
    assert lifecycle.may(force, role="licensor") == any_side
    assert lifecycle.may(force, role="licensee") == [*any_side, "assign"]
    early = lifecycle.may(force, role="licensee", ends_early=True)
    assert early == [*any_side, "end-early", "assign"]
    assert "end-early" not in lifecycle.may(over, role="licensee", ends_early=True)
    assert lifecycle.may(force, role="operator") == ["rescind"]
    assert lifecycle.may(over, role="licensor") == lifecycle.may(over, role="operator") == []


def test_the_day_of_receipt_is_not_counted_and_the_last_day_is_whole() -> None:
    # 10:00 on 22 November in Shanghai; thirty days end with 22 December there.
    received = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
    assert lifecycle.cure_by(received, days=30) == datetime(2026, 12, 22, 16, 0, tzinfo=UTC)
    # 23:59:59 in Shanghai is the same day; a second later is the next.
    late = datetime(2026, 11, 22, 15, 59, 59, tzinfo=UTC)
    assert lifecycle.cure_by(late, days=30) == datetime(2026, 12, 22, 16, 0, tzinfo=UTC)
    next_day = lifecycle.cure_by(late + timedelta(seconds=1), days=30)
    assert next_day == datetime(2026, 12, 23, 16, 0, tzinfo=UTC)


@given(
    st.timedeltas(timedelta(0), timedelta(days=12_000)).map(lambda later: NOW + later),
    st.integers(1, 180),
)
def test_a_period_to_cure_is_never_shorter_than_its_days(received: datetime, days: int) -> None:
    left = lifecycle.cure_by(received, days=days) - received
    assert timedelta(days=days) < left <= timedelta(days=days + 1)
