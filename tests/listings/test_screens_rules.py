"""The screens: laws of their chances, published examples, and what they find of the planted."""

import json
from dataclasses import replace
from fractions import Fraction
from importlib.resources import files
from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listings.screens import rules, statistics
from listings.screens.rules import Held, Placed
from tests.listings import screens_study

CHANCES = st.lists(st.fractions(Fraction(1, 1000), Fraction(1)), min_size=1, max_size=30)
SERIES = st.lists(st.tuples(st.integers(-99, 99), st.integers(-99, 99)), min_size=3, max_size=6)


@given(st.integers(1, 9), st.data())
def test_an_overlap_is_as_rare_as_counting_every_choice_says(
    total: int, data: st.DataObject
) -> None:
    drawn = data.draw(st.integers(0, total))
    marked = data.draw(st.integers(0, total))
    seen = data.draw(st.integers(0, total))
    choices = list(combinations(range(total), drawn))
    among = sum(sum(one < marked for one in choice) >= seen for choice in choices)
    chance = statistics.least_overlap(seen, drawn=drawn, marked=marked, total=total)
    assert chance == Fraction(among, len(choices))


def test_the_tea_tasted_by_fishers_lady_is_one_in_seventy() -> None:
    assert statistics.least_overlap(4, drawn=4, marked=4, total=8) == Fraction(1, 70)


@given(SERIES)
def test_short_series_are_tried_in_every_order(pairs: list[tuple[int, int]]) -> None:
    xs, ys = ([pair[side] for pair in pairs] for side in (0, 1))
    orders = list(permutations(ys))
    mean = Fraction(sum(xs), len(xs))
    seen = sum((x - mean) * y for x, y in zip(xs, ys, strict=True))
    above = sum(
        sum((x - mean) * y for x, y in zip(xs, order, strict=True)) >= seen for order in orders
    )
    assert statistics.moves_together(xs, ys, seed=b"") == Fraction(above, len(orders))


def test_long_series_that_move_together_are_rare_and_the_reverse_is_not() -> None:
    xs = list(range(12))
    together = statistics.moves_together(xs, [3 * x + 1 for x in xs], seed=b"one")
    assert together == Fraction(1, statistics.DRAWS + 1)
    assert statistics.moves_together(xs, xs[::-1], seed=b"one") == 1
    assert statistics.moves_together(xs, [3 * x + 1 for x in xs], seed=b"one") == together


@given(CHANCES)
def test_a_share_of_false_leads_is_no_less_than_its_chance_and_keeps_their_order(
    chances: list[Fraction],
) -> None:
    shares = statistics.false_shares(chances)
    for chance, share in zip(chances, shares, strict=True):
        assert chance <= share <= 1
    ordered = [share for _, share in sorted(zip(chances, shares, strict=True))]
    assert ordered == sorted(ordered)


def test_the_shares_are_those_that_benjamini_and_hochberg_print() -> None:
    """Their fifteen p-values: at a share of five in a hundred the first four are taken."""
    printed = (
        "0.0001 0.0004 0.0019 0.0095 0.0201 0.0278 0.0298 0.0344 0.0459 0.3240 0.4262 0.5719 "
        "0.6528 0.7590 1.0000"
    )
    shares = statistics.false_shares([Fraction(one) for one in printed.split()])
    assert sum(share <= Fraction(5, 100) for share in shares) == 4


@given(st.integers(0, 10**40))
def test_a_root_is_the_whole_part(number: int) -> None:
    assert statistics.root(number) ** 2 <= number < (statistics.root(number) + 1) ** 2


@given(st.lists(st.tuples(st.integers(-999, 999), st.integers(-999, 999)), max_size=20))
def test_a_correlation_lies_between_one_and_minus_one(pairs: list[tuple[int, int]]) -> None:
    xs, ys = ([pair[side] for pair in pairs] for side in (0, 1))
    found = statistics.correlation_bp(xs, ys)
    assert -10_000 <= found <= 10_000
    assert statistics.correlation_bp(xs, [-y for y in ys]) == -found
    if len(set(xs)) > 1:
        assert statistics.correlation_bp(xs, xs) == 10_000


@given(st.integers(1, 50), st.integers(0, 2**32))
def test_a_shuffle_loses_nothing_and_follows_from_its_seed(size: int, seed: int) -> None:
    values = list(range(size))
    one, two = (
        statistics.shuffled(values, statistics.stream(str(seed).encode())) for _ in range(2)
    )
    assert one == two
    assert sorted(one) == values


def test_every_order_of_three_is_drawn_as_often() -> None:
    numbers = statistics.stream(b"fair")
    drawn = [tuple(statistics.shuffled((1, 2, 3), numbers)) for _ in range(6_000)]
    for order in permutations((1, 2, 3)):
        assert 850 <= drawn.count(order) <= 1_150


def market() -> list[Held]:
    return screens_study.open_market(1, shill=True) + screens_study.sealed_market(1, ring=True)


def test_the_same_bids_give_the_same_findings_in_whatever_order_they_come() -> None:
    held = market()
    found = rules.screened(held)
    assert [one.wire() for one in rules.screened(list(held))] == [one.wire() for one in found]
    backwards = {(one.screen, one.parties): one.p for one in rules.screened(held[::-1])}
    shills = [one for one in found if one.screen == rules.SHILL]
    assert {backwards[one.screen, one.parties] - one.p for one in shills} == {0}


def test_the_shill_is_found_with_a_high_score_and_honest_winners_are_not() -> None:
    found = [one for one in rules.screened(market()) if one.screen == rules.SHILL]
    shill = next(one for one in found if one.parties == ("shill", screens_study.SHILLED))
    assert shill.is_lead
    assert shill.statistic["gamma_bp"] == 10_000
    scores = sorted(one.statistic["score_hundredths"] for one in found)
    assert shill.statistic["score_hundredths"] == scores[-1]


@given(st.integers(0, 50))
def test_ratings_and_scores_stay_in_their_range(seed: int) -> None:
    for one in rules.shills(screens_study.open_market(seed, shill=seed % 2 == 0)):
        assert 0 <= one.statistic["score_hundredths"] <= 1_000
        assert all(0 <= one.statistic[f"{name}_bp"] <= 10_000 for name in rules.RATINGS)
        assert 0 < one.p <= 1


def test_nothing_is_said_of_too_few_auctions() -> None:
    held = market()
    assert rules.screened([]) == []
    assert rules.screened(held[:2]) == []
    few = [one for one in held if not one.is_open][:4]
    assert rules.residuals(few) == []
    alone = [replace(one, bids=one.bids[:2]) for one in held if not one.is_open]
    assert rules.residuals(alone) == []


def test_bids_of_one_amount_do_not_vary() -> None:
    same = tuple(Placed(f"b{n}", 700, 0) for n in range(4))
    assert rules.variation_bp(Held("a", "s", False, same, "b0")) == 0
    apart = (Placed("b0", 100, 0), Placed("b1", 300, 0))
    assert rules.variation_bp(Held("a", "s", False, apart, "b1")) == 5_000


def test_stored_figures_are_whole_numbers() -> None:
    for one in rules.screened(market()):
        json.dumps(one.wire())
        assert all(type(value) is int for value in one.statistic.values())
        assert 0 < one.wire()["p_ppm"] <= one.wire()["q_ppm"] <= statistics.PPM


def test_the_power_that_the_page_tells_is_the_power_that_was_measured() -> None:
    """The first markets of the study, run again; the whole is `python -m` away."""
    told = json.loads(files("listings.screens").joinpath("data", "power.json").read_text("utf-8"))
    assert told["markets"] == screens_study.MARKETS
    assert told["first"] == screens_study.study(screens_study.FIRST)


@pytest.mark.parametrize("screen", rules.SCREENS)
def test_no_more_than_one_honest_market_in_ten_gives_a_false_lead(screen: str) -> None:
    """What taking leads up to a share of one in ten promises, where nothing is planted."""
    told = json.loads(files("listings.screens").joinpath("data", "power.json").read_text("utf-8"))
    assert told[screen]["markets_with_a_false_alarm_bp"] <= 1_000
    assert told[screen]["false_bp"] <= 100
