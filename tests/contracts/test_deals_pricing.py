"""Prices: what each model makes due at once, and what it may not say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.deals import pricing
from contracts.deals.pricing import BadPrice, PriceNotSettledYet, UnknownPriceModel
from contracts.money import MOST_MINOR, AmountOutOfRange

names = st.sampled_from(pricing.MODELS)


@given(st.lists(st.lists(names, max_size=4), max_size=5))
def test_common_models_are_those_that_every_right_names(each: list[list[str]]) -> None:
    found = pricing.common(each)
    wanted = set.intersection(*map(set, each)) if each else set()
    assert set(found) == wanted
    assert found == sorted(found, key=pricing.MODELS.index)
    assert pricing.common(reversed(each)) == found


@given(st.integers(1, MOST_MINOR), st.integers(1, 10_000))
def test_what_is_due_is_the_sum_the_guarantee_or_the_runs_paid_for(minor: int, n: int) -> None:
    flat = pricing.read({"model": "flat", "amount_minor": minor}, currency="CNY")
    shared = pricing.read(
        {"model": "guarantee-share", "guarantee_minor": minor, "share_bp": n}, currency="CNY"
    )
    assert flat.due.amount_minor == shared.due.amount_minor == minor
    by_run = {"model": "per-run", "per_run_minor": minor, "runs_paid": n}
    if minor * n > MOST_MINOR:
        with pytest.raises(AmountOutOfRange):
            pricing.read(by_run, currency="CNY")
    else:
        assert pricing.read(by_run, currency="CNY").due.amount_minor == minor * n


def test_a_share_alone_is_a_model_that_no_contract_is_made_with_yet() -> None:
    assert pricing.models(["share", "flat"]) == ["flat", "share"]
    with pytest.raises(PriceNotSettledYet) as refused:
        pricing.read({"model": "share", "share_bp": 3000}, currency="CNY")
    assert refused.value.data["settled"] == [
        "flat", "instalments", "guarantee-share", "guarantee-tiers", "per-run",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wire",
    [
        {"model": "flat"},
        {"model": "flat", "amount_minor": 1, "share_bp": 1},
        {"model": "flat", "amount_minor": True},
        {"model": "flat", "amount_minor": 1.0},
        {"model": "flat", "amount_minor": "1"},
        {"model": "flat", "amount_minor": 0},
        {"model": "guarantee-share", "guarantee_minor": 1, "share_bp": 10_001},
        {"model": "guarantee-share", "guarantee_minor": 1, "share_bp": 0},
        {"model": "per-run", "per_run_minor": 1, "runs_paid": None},
    ],
)
def test_a_price_says_exactly_what_its_model_needs_in_whole_numbers(wire: dict[str, Any]) -> None:
    with pytest.raises(BadPrice):
        pricing.read(wire, currency="CNY")


@pytest.mark.parametrize("wire", [{}, {"model": None}, {"model": "barter"}])
def test_other_models_are_unknown(wire: dict[str, Any]) -> None:
    with pytest.raises(UnknownPriceModel):
        pricing.read(wire, currency="CNY")
