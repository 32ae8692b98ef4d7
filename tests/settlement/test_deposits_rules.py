from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.deposits import rules
from settlement.deposits.rules import (
    APPLIED,
    CLAIM_BEYOND,
    DISTRIBUTE,
    FORFEIT,
    FORFEITED,
    FROZEN,
    PARTIAL,
    RECEIVED,
    RELEASED,
    REQUIRED,
    RETURN,
    Balance,
    DepositNotFree,
    DepositTooSmall,
    Move,
    TriggerNotNamed,
)

amounts = st.integers(min_value=1, max_value=10**12)
WAYS = (RELEASED, APPLIED, FORFEITED)
steps = st.lists(
    st.tuples(st.sampled_from(["in", *WAYS]), st.integers(min_value=1, max_value=3_000)),
    max_size=12,
)


def walked(required: int, path: Sequence[tuple[str, int]]) -> Balance:
    balance = Balance(required)
    for way, amount in path:
        if way == "in":
            balance = rules.paid_in(balance, amount)
            continue
        try:
            balance = rules.taken(balance, way, amount)
        except DepositTooSmall as no:
            assert amount > balance.held_minor == no.data["held_minor"]
    return balance


@given(st.integers(min_value=1, max_value=2_000), steps)
def test_invariant_18_what_was_paid_in_is_held_released_applied_or_forfeited(
    required: int, path: Sequence[tuple[str, int]]
) -> None:
    balance = walked(required, path)
    gone = balance.released_minor + balance.applied_minor + balance.forfeited_minor
    assert balance.held_minor + gone == balance.paid_in_minor
    assert min(balance.held_minor, balance.released_minor, balance.applied_minor) >= 0
    assert (rules.state(balance) == REQUIRED) == (balance.paid_in_minor == 0)


@given(amounts, amounts, st.integers(0, 10**12), st.integers(0, 10**12))
def test_invariant_19_the_waterfall_pays_fees_then_the_shortfall_then_the_seller(
    forfeited: int, further: int, fees: int, shortfall: int
) -> None:
    parts = rules.waterfall(forfeited, fees_minor=fees, shortfall_minor=shortfall)
    paid = (parts.fees_minor, parts.shortfall_minor, parts.seller_minor)
    assert sum(paid) == forfeited
    assert min(paid) >= 0
    assert parts.fees_minor <= fees
    assert parts.shortfall_minor <= shortfall
    assert parts.shortfall_minor == 0 or parts.fees_minor == fees
    assert parts.seller_minor == 0 or parts.shortfall_minor == shortfall
    assert parts.claim_minor == fees + shortfall - parts.fees_minor - parts.shortfall_minor
    more = rules.waterfall(forfeited + further, fees_minor=fees, shortfall_minor=shortfall)
    assert more.fees_minor >= parts.fees_minor
    assert more.shortfall_minor >= parts.shortfall_minor
    assert more.claim_minor <= parts.claim_minor


def test_the_states_of_a_deposit_follow_its_sums() -> None:
    path: list[tuple[str, int]] = []
    seen = []
    for step in (("in", 600), ("in", 500), (RELEASED, 100), (APPLIED, 1_000)):
        path.append(step)
        seen.append(rules.state(walked(1_000, path)))
    assert seen == [RECEIVED, FROZEN, FROZEN, APPLIED]
    assert rules.state(walked(1_000, [("in", 1_000), (RELEASED, 1_000)])) == RELEASED
    assert rules.state(walked(1_000, [("in", 1_000), (FORFEITED, 1_000)])) == FORFEITED
    assert rules.state(walked(1_000, [("in", 1_000), (FORFEITED, 400)])) == PARTIAL
    both = [("in", 1_000), (FORFEITED, 400), (RELEASED, 600)]
    assert rules.state(walked(1_000, both)) == PARTIAL


def check(move: Move, balance: Balance, *, is_free: bool = False, pool_minor: int = 0) -> None:
    named = ("non-payment", CLAIM_BEYOND)
    rules.check_move(move, balance, is_free=is_free, forfeits=named, pool_minor=pool_minor)


def test_before_it_is_free_only_the_excess_goes_back() -> None:
    balance = walked(1_000, [("in", 1_200)])
    check(Move(RETURN, 200, "多付"), balance)
    with pytest.raises(DepositNotFree) as no:
        check(Move(RETURN, 201, "多付"), balance)
    assert no.value.data == {"excess_minor": 200}
    check(Move(RETURN, 1_200, "未成交"), balance, is_free=True)


def test_only_what_the_notice_names_forfeits_a_deposit() -> None:
    balance = walked(1_000, [("in", 1_000)])
    check(Move(FORFEIT, 1_000, "non-payment"), balance)
    for reason in ("late", CLAIM_BEYOND):
        with pytest.raises(TriggerNotNamed) as no:
            check(Move(FORFEIT, 1_000, reason), balance)
        assert no.value.data == {"named": ["non-payment"]}


def test_nothing_is_distributed_twice_and_nothing_moved_that_is_not_there() -> None:
    balance = walked(1_000, [("in", 1_000), (FORFEITED, 1_000)])
    check(Move(DISTRIBUTE, 1_000, "再次拍卖"), balance, pool_minor=1_000)
    for pool in (0, 999):
        with pytest.raises(DepositTooSmall):
            check(Move(DISTRIBUTE, 1_000, "再次拍卖"), balance, pool_minor=pool)
    with pytest.raises(DepositTooSmall):
        check(Move(FORFEIT, 1, "non-payment"), balance)
