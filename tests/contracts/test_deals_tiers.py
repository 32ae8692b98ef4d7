"""A share by steps: what it says, what it may not say, and the waterfall that it makes."""

from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.deals import pricing, terms, tiers
from contracts.deals.tiers import BadTiers, Tiers
from contracts.money import Money
from settlement.royalties import waterfall
from settlement.royalties.waterfall import Figures

WIRE: dict[str, Any] = {
    "model": "guarantee-tiers", "guarantee_minor": 50_000_000, "fee_bp": 2_000,
    "costs_minor": 30_000_000,
    "steps": [{"upto_minor": 500_000_000, "share_bp": 3_000}, {"share_bp": 5_000}],
}  # fmt: skip


@st.composite
def agreed(draw: st.DrawFn) -> Tiers:
    ends = sorted(draw(st.sets(st.integers(1, 60), max_size=5)))
    shares = draw(st.lists(st.integers(1, 10_000), min_size=len(ends) + 1, max_size=len(ends) + 1))
    upto = [*(end * 10_000 for end in ends), None]
    return Tiers(
        draw(st.integers(0, 9_999)), draw(st.integers(0, 400_000)),
        tuple(zip(upto, shares, strict=True)),
    )  # fmt: skip


def considered(read: Tiers, guarantee: int) -> dict[str, Any]:
    price = pricing.Price(pricing.GUARANTEE_TIERS, Money(guarantee, "CNY"), tiers=read)
    return terms.considered(price)


def licensors(read: Tiers, receipts: int) -> Fraction:
    """The licensor's share by the words of the clause, step by step."""
    rest = Fraction(max(0, receipts)) * (10_000 - read.fee_bp) / 10_000
    rest = max(Fraction(0), rest - read.costs_minor)
    ends = [0, *(upto for upto, _ in read.steps)]
    got = Fraction(0)
    for (before, upto), (_, share_bp) in zip(pairwise(ends), read.steps, strict=True):
        assert before is not None
        within = (rest if upto is None else min(rest, Fraction(upto))) - before
        got += max(Fraction(0), within) * share_bp / 10_000
    return got


@given(agreed(), st.integers(-1_000, 2_000_000), st.integers(1, 10**9))
def test_the_waterfall_gives_the_licensor_what_the_clause_says(
    read: Tiers, receipts: int, guarantee: int
) -> None:
    made = waterfall.of_terms(considered(read, guarantee))
    assert made is not None
    taken = waterfall.takes(made.tiers, receipts)
    got = sum((part for tier, part in taken if tier.to == "licensor"), Fraction(0))
    assert got == licensors(read, receipts)
    # Nothing is left over and nothing is divided twice.
    assert sum(part for _, part in taken) == max(0, receipts)
    told = waterfall.reckon(made, Figures(receipts, 0))
    assert abs(told.earned_minor - got) <= Fraction(1, 2)
    assert told.recouped_minor == min(told.earned_minor, guarantee)
    assert told.payable_minor == told.earned_minor - told.recouped_minor


@given(agreed(), st.integers(0, 2_000_000), st.integers(0, 2_000_000))
def test_more_receipts_never_earn_less(read: Tiers, one: int, other: int) -> None:
    made = waterfall.of_terms(considered(read, 1))
    assert made is not None
    less, more = sorted((one, other))
    assert (
        waterfall.reckon(made, Figures(less, 0)).earned_minor
        <= waterfall.reckon(made, Figures(more, 0)).earned_minor
    )


@given(agreed())
def test_what_the_terms_say_is_read_back_as_it_was_agreed(read: Tiers) -> None:
    assert tiers.of_terms(considered(read, 1)) == read


def test_a_price_by_steps_makes_its_guarantee_due_and_says_the_rest_in_figures() -> None:
    price = pricing.read(WIRE, currency="CNY")
    assert (price.due, price.tiers) == (
        Money(50_000_000, "CNY"), Tiers(2_000, 30_000_000, ((500_000_000, 3_000), (None, 5_000))),
    )  # fmt: skip
    assert pricing.parameters(price) == {
        "fee_percent": "20.00", "costs": "300000.00", "statement_days": 30,
        "steps": "0.00-5000000.00: 30.00%; 5000000.00+: 50.00%",
    }  # fmt: skip
    said = pricing.consideration(price)
    assert said["steps"] == [
        {"upto": "5000000.00", "share_bp": 3_000}, {"upto": None, "share_bp": 5_000},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"fee_bp": 10_000}, {"fee_bp": -1}, {"fee_bp": 1.5}, {"costs_minor": -1},
        {"costs_minor": None}, {"steps": []}, {"steps": [{"share_bp": 1}] * 2},
        {"steps": [{"upto_minor": 10_000, "share_bp": 1}]},
        {"steps": [{"upto_minor": 10_001, "share_bp": 1}, {"share_bp": 2}]},
        {"steps": [{"upto_minor": 20_000, "share_bp": 1}, {"upto_minor": 20_000, "share_bp": 1},
                   {"share_bp": 2}]},
        {"steps": [{"share_bp": 0}]}, {"steps": [{"share_bp": 10_001}]},
        {"steps": [{"share_bp": 1, "from": 0}]}, {"steps": "30, 50"},
        {"steps": [{"upto_minor": 10_000 * n, "share_bp": n} for n in range(1, 7)]
                  + [{"share_bp": 9}]},
    ],
    ids=range(15),
)  # fmt: skip
def test_steps_that_do_not_hold_together_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadTiers):
        pricing.read({**WIRE, **change}, currency="CNY")
