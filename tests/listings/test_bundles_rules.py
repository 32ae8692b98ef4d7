"""Package auctions: winners, prices and their proof, against a solver that tries everything."""

import random
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listings.bundles import certificate, exact, highs, pricing, problem
from listings.bundles.exact import Row
from listings.bundles.problem import Item, Offer, Problem
from tests.contracts.campaign import play, size
from tests.listings.bundles_factory import (
    ABC,
    LIMIT_S,
    MADE_BY,
    WURMAN,
    Brute,
    any_problem,
    blocking,
    every_row,
    goods,
    paid,
    posed,
)

laws = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32)
sets_of_three = st.sampled_from(["A", "B", "C", "AB", "BC", "AC", "ABC"])
bids_of_three = st.dictionaries(sets_of_three, st.integers(1, 30), min_size=1)


def drawn(seed: int, **limits: int) -> Problem:
    return any_problem(random.Random(seed), **limits)


def won(given_: Problem) -> problem.Chosen:
    return problem.winners(given_, highs.Highs(LIMIT_S))


def value(given_: Problem, chosen: problem.Chosen) -> problem.Number:
    return problem.total(problem.values(given_), chosen)


def solved(on: dict[str, Any], *bids: dict[str, int]) -> dict[str, Any]:
    asked = posed(on, *bids)
    found = certificate.solve(asked, highs.Highs(LIMIT_S), made_by=MADE_BY)
    assert certificate.fault(asked, found) is None
    return found


def test_wurman_2004_pays_15_2_and_17_2_and_9() -> None:
    """Source: Wurman, Zhong & Cai (2004); amounts as in mechlib's wurman2004example.txt.

    By hand: A, B and C go for 10 + 9 + 9 = 28. Without the first, the third takes ABC for 25: its
    VCG price is 10 - 3 = 7; likewise 8 and 9. The third's 25 for ABC is 16 more than it has: the
    first two pay 16 together and not 15, each half of one more.
    """
    found = solved(ABC, *WURMAN)
    assert [one["cells"] for one in found["winners"]] == [["A"], ["B"], ["C"]]
    assert [one["vcg_minor"] for one in found["winners"]] == [7, 8, 9]
    assert paid(found) == {1: Fraction(15, 2), 2: Fraction(17, 2), 3: Fraction(9)}
    assert [one["paid_minor"] for one in found["winners"]] == [8, 9, 9]
    assert [(one["payers"], one["least_minor"]) for one in found["blocks"]] == [([1, 2], 16)]


@pytest.mark.parametrize(
    ("cells", "bids", "prices"),
    [
        # Local-local-global: VCG is nothing, the global bidder offers 10; by symmetry 5 and 5.
        ("AB", ({"A": 10}, {"B": 10}, {"AB": 10}), {1: 5, 2: 5}),
        # mechlib lllg.txt: VCG 40 and 20, 40 missing to 100, half each.
        ("AB", ({"A": 80}, {"B": 60}, {"AB": 100}), {1: 60, 2: 40}),
        # Day & Raghavan (2007), mechlib day2007example.txt.
        (
            "ABCD",
            ({"AB": 20}, {"C": 20}, {"D": 20}, {"ABC": 28}, {"ABD": 26}, {"AB": 10}, {"C": 10},
             {"D": 10}),
            {1: 16, 2: 12, 3: 10},
        ),
    ],
)  # fmt: skip
def test_published_examples_are_paid_exactly(
    cells: str, bids: tuple[dict[str, int], ...], prices: dict[int, int]
) -> None:
    assert paid(solved(goods(cells), *bids)) == prices


def test_random_instances_are_won_and_paid_as_trying_everything_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def agrees(rnd: random.Random) -> bool:
        asked = any_problem(rnd)
        chosen = problem.winners(asked, Brute())
        if problem.winners(asked, highs.Highs(LIMIT_S)) != chosen:
            return False
        priced = pricing.core(asked, chosen, highs.Highs(LIMIT_S))
        tried = pricing.core(asked, chosen, Brute())
        rows = every_row(asked, chosen)
        in_core = all(sum(priced.paid[k] for k in who) >= least for who, least in rows)
        return in_core and priced.paid == tried.paid

    play("packages against trying everything", agrees, size(250, 10_000), capsys)


@laws
@given(seeds)
def test_invariant_26_the_solution_is_feasible_and_of_the_largest_value(seed: int) -> None:
    asked = drawn(seed)
    chosen = won(asked)
    assert problem.is_feasible(asked, chosen)
    everybody = frozenset(offer.bidder for offer in asked.offers)
    assert value(asked, chosen) == blocking(asked, everybody)


@laws
@given(seeds)
def test_invariant_27_a_further_bid_that_loses_changes_nothing_and_none_lowers_the_value(
    seed: int,
) -> None:
    asked = drawn(seed, most_offers=9)
    *fewer, last = asked.offers
    before = replace(asked, offers=tuple(fewer))
    chosen, after = won(before), won(asked)
    assert value(asked, after) >= value(before, chosen)
    if len(fewer) not in after:
        assert after == chosen
    dominated = replace(asked.offers[0], value=asked.offers[0].value - 1)
    more = replace(asked, offers=(*asked.offers, dominated))
    if dominated.value >= 0 and asked.least_winners == 1:
        assert won(more) == after
    assert last in asked.offers


@laws
@given(seeds, st.integers(1, 100))
def test_invariant_28_a_winner_that_raises_its_bid_keeps_winning(seed: int, more: int) -> None:
    asked = drawn(seed)
    chosen = won(asked)
    for place in chosen:
        offers = list(asked.offers)
        offers[place] = replace(offers[place], value=offers[place].value + more)
        assert place in won(replace(asked, offers=tuple(offers)))


@laws
@given(seeds, st.integers(1, 100))
def test_invariant_29_vcg_lies_between_nothing_and_the_bid_and_ignores_the_own_amount(
    seed: int, more: int
) -> None:
    asked = drawn(seed)
    chosen = won(asked)
    prices = pricing.core(asked, chosen, highs.Highs(LIMIT_S)).vcg
    for at, place in enumerate(chosen):
        assert 0 <= prices[at] <= asked.offers[place].value
        offers = list(asked.offers)
        offers[place] = replace(offers[place], value=offers[place].value + more)
        raised = replace(asked, offers=tuple(offers))
        again = won(raised)
        if again == chosen:
            assert pricing.core(raised, again, highs.Highs(LIMIT_S)).vcg[at] == prices[at]


@laws
@given(seeds)
def test_invariant_30_prices_are_in_the_core_and_vcg_is_taken_where_it_is_in_it(seed: int) -> None:
    asked = drawn(seed)
    chosen = won(asked)
    priced = pricing.core(asked, chosen, highs.Highs(LIMIT_S))
    rows = every_row(asked, chosen)
    assert all(sum(priced.paid[k] for k in who) >= least for who, least in rows)
    assert all(p >= low for p, low in zip(priced.paid, priced.vcg, strict=True))
    # The whole core, not only the rows that were generated, has no smaller total or nearer point.
    high = [Fraction(asked.offers[place].value) for place in chosen]
    all_rows = [Row(who, Fraction(least)) for who, least in rows if who]
    assert exact.nearest(priced.vcg, high, all_rows).point == priced.paid
    if all(sum(priced.vcg[k] for k in who) >= least for who, least in rows):
        assert priced.paid == priced.vcg


@laws
@given(st.lists(bids_of_three, min_size=1, max_size=6))
def test_invariant_31_whole_prices_stay_within_the_bids_and_in_the_core(
    bids: list[dict[str, int]],
) -> None:
    found = solved(goods("ABC"), *bids)
    whole = {one["paddle"]: one["paid_minor"] for one in found["winners"]}
    assert all(one["paid_minor"] <= one["amount_minor"] for one in found["winners"])
    for block in found["blocks"]:
        assert sum(whole[paddle] for paddle in block["payers"]) >= block["least_minor"]
    assert sum(whole.values()) - sum(paid(found).values()) < max(1, len(whole))
    asked = posed(goods("ABC"), *bids)
    chosen = won(asked.problem)
    for who, least in every_row(asked.problem, chosen):
        assert sum(found["winners"][at]["paid_minor"] for at in who) >= least


@laws
@given(seeds)
def test_invariant_32_nobody_pays_less_than_the_reserves_of_its_cells(seed: int) -> None:
    rnd = random.Random(seed)
    on = goods("ABC")
    for cell in on["cells"]:
        cell["reserve_minor"] = rnd.randint(0, 10)
    reserve = {cell["code"]: cell["reserve_minor"] for cell in on["cells"]}
    packages = ["A", "B", "C", "AB", "BC", "ABC"]
    bids = [
        {cells: sum(map(reserve.__getitem__, cells)) + rnd.randint(0, 20)
         for cells in rnd.sample(packages, 3)}
        for _ in range(rnd.randint(1, 4))
    ]  # fmt: skip
    for one in solved(on, *bids)["winners"]:
        assert one["paid_minor"] >= sum(reserve[code] for code in one["cells"])


@laws
@given(seeds)
def test_invariant_33_other_names_of_bidders_and_cells_give_the_same_outcome(seed: int) -> None:
    rnd = random.Random(seed)
    asked = drawn(seed)
    order = rnd.sample(range(len(asked.offers)), len(asked.offers))
    names = rnd.sample(range(100), 10)
    cells = rnd.sample(range(len(asked.items)), len(asked.items))
    place = {old: new for new, old in enumerate(cells)}
    other = replace(
        asked,
        items=tuple(asked.items[old] for old in cells),
        offers=tuple(
            replace(asked.offers[old], bidder=names[asked.offers[old].bidder],
                    items=frozenset(place[item] for item in asked.offers[old].items))
            for old in order
        ),
    )  # fmt: skip
    mine, theirs = won(asked), won(other)
    assert sorted(order[at] for at in theirs) == list(mine)
    prices = dict(zip(mine, pricing.core(asked, mine, highs.Highs(LIMIT_S)).paid, strict=True))
    again = pricing.core(other, theirs, highs.Highs(LIMIT_S)).paid
    assert {order[at]: price for at, price in zip(theirs, again, strict=True)} == prices


@laws
@given(seeds)
def test_splitting_every_cell_in_two_leaves_the_value_as_it_is(seed: int) -> None:
    asked = drawn(seed)
    count = len(asked.items)
    spaces = 1 + max(item.space for item in asked.items)
    finer = replace(
        asked,
        items=(*asked.items, *(replace(item, space=item.space + spaces) for item in asked.items)),
        offers=tuple(
            replace(offer, items=offer.items | {item + count for item in offer.items})
            for offer in asked.offers
        ),
    )
    assert value(finer, won(finer)) == value(asked, won(asked))


@laws
@given(seeds)
def test_doubled_amounts_double_the_prices(seed: int) -> None:
    asked = drawn(seed)
    twice = replace(asked, offers=tuple(replace(one, value=2 * one.value) for one in asked.offers))
    chosen = won(asked)
    assert won(twice) == chosen
    single = pricing.core(asked, chosen, highs.Highs(LIMIT_S)).paid
    double = pricing.core(twice, chosen, highs.Highs(LIMIT_S)).paid
    assert double == tuple(2 * price for price in single)


def test_of_equal_values_more_cells_are_sold_and_then_the_lot_decides() -> None:
    one = Item(1, 0, True), Item(1, 1, True)
    few, many = Offer(1, frozenset({0}), 5), Offer(2, frozenset({0, 1}), 5)
    assert won(Problem(one, (few, many))) == (1,)
    assert won(Problem(one, (few, many, Offer(3, frozenset({1}), 0)), secondary="winners")) == (
        0,
        2,
    )
    lots = [Offer(at, frozenset({0}), 5, key) for at, key in enumerate([(1, 9), (3, 0), (3, 1)])]
    assert won(Problem(one, tuple(lots))) == (2,)


def test_a_lottery_gives_each_of_equals_its_turn() -> None:
    first = 0
    for seed in range(200):
        asked = posed(goods("A"), {"A": 7}, {"A": 7}, seed=seed.to_bytes(32, "big"))
        first += problem.winners(asked.problem, Brute()) == (0,)
    # Fair within 6 standard deviations of 200 throws of a coin.
    assert abs(first - 100) < 43


def test_an_exclusive_cell_sold_shuts_the_shared_one_out_and_shared_copies_are_counted() -> None:
    items = Item(1, 0, True), Item(2, 0, False)
    shared = [Offer(at, frozenset({1}), 4) for at in range(3)]
    alone = Offer(9, frozenset({0}), 9)
    assert won(Problem(items, (*shared, alone))) == (3,)
    assert len(won(Problem(items, (*shared, replace(alone, value=7))))) == 2
    unbounded = items[0], Item(None, 0, False)
    assert won(Problem(unbounded, (*shared, alone))) == (0, 1, 2)


def test_nothing_is_sold_where_too_few_would_win() -> None:
    items = Item(1, 0, True), Item(1, 1, True)
    both = Offer(1, frozenset({0, 1}), 100)
    apart = [Offer(2, frozenset({0}), 3), Offer(3, frozenset({1}), 4)]
    assert won(Problem(items, (both, *apart), least_winners=2)) == (1, 2)
    assert won(Problem(items, (both,), least_winners=2)) == ()


def test_amounts_of_ten_billion_are_told_apart_by_one_minor_unit() -> None:
    most = 10**12
    items = tuple(Item(1, at, True) for at in range(12))
    singles = [Offer(at, frozenset({at}), most - at) for at in range(12)]
    whole = sum(one.value for one in singles)
    bundle = Offer(99, frozenset(range(12)), whole - 1)
    asked = Problem(items, (*singles, bundle))
    assert len(won(asked)) == 12
    assert won(replace(asked, offers=(*singles, replace(bundle, value=whole + 1)))) == (12,)


def test_a_floating_price_would_break_the_core_and_ours_does_not() -> None:
    """The naive twin: a float QP gave 59.999999 and 40.000001 in the reference's trial."""
    low, high = [Fraction(40), Fraction(20)], [Fraction(80), Fraction(60)]
    row = Row(frozenset({0, 1}), Fraction(100))
    ours = exact.nearest(low, high, [row])
    assert ours.point == (60, 40)
    good = {"low": low, "high": high, "rows": [row]}
    assert exact.is_nearest(ours.point, ours.weights, **good)
    naive = [Fraction(59.999999), Fraction(40.000001)]
    assert not exact.is_nearest(naive, ours.weights, **good)


@laws
@given(st.data())
def test_the_nearest_point_proves_itself_and_no_other_does(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 5))
    numbers = st.integers(0, 20)
    low = [Fraction(data.draw(numbers)) for _ in range(count)]
    high = [one + data.draw(numbers) for one in low]
    sets = st.frozensets(st.integers(0, count - 1), min_size=1)
    rows = [
        Row(of, Fraction(data.draw(st.integers(0, int(sum(high[k] for k in of))))))
        for of in data.draw(st.lists(sets, max_size=6))
    ]
    found = exact.nearest(low, high, rows)
    bounds = {"low": low, "high": high, "rows": rows}
    assert exact.is_nearest(found.point, found.weights, **bounds)
    other = list(found.point)
    other[data.draw(st.integers(0, count - 1))] += data.draw(st.sampled_from([1, -1])) * Fraction(
        1, 7
    )
    assert not exact.is_nearest(other, found.weights, **bounds)


def test_pay_as_bid_needs_no_prices() -> None:
    found = solved(goods("AB", payments="bids"), {"A": 10}, {"B": 10}, {"AB": 10})
    assert [one["paid_minor"] for one in found["winners"]] == [10, 10]
    assert found["blocks"] is None


def test_a_floor_is_a_least_price_and_no_cost_of_each_package() -> None:
    """Two who win apart pay what the one who wanted both offered, and not a floor more."""
    on = goods("AB") | {"floor_minor": 4}
    assert paid(solved(on, {"A": 10}, {"B": 10}, {"AB": 10})) == {1: 5, 2: 5}
    assert paid(solved(on, {"A": 10}, {"B": 10})) == {1: 4, 2: 4}


def test_nothing_bid_is_nothing_sold() -> None:
    found = solved(goods("AB"))
    assert (found["winners"], found["value_minor"]) == ([], 0)
