"""Defects found in real auction systems: a naive twin shows each, these rules do not.

The twins are written from the description of the defect, as short as it can be shown.
"""

import json
import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import canonical
from contracts.refusal import Refusal
from listings.auctions import contents, rules
from listings.auctions.methods import weighted
from tests.listings import auctions_cases as cases
from tests.listings.auctions_cases import Play, at


class NaiveAmounts:
    """Takes what a JSON reader calls a number, if it is not below zero or above the last bid."""

    @staticmethod
    def takes(text: str, most: float) -> bool:
        amount = json.loads(text)
        return not (amount <= 0 or amount > most)

    @staticmethod
    def ranked(texts: list[str]) -> list[float]:
        """Rank a reverse auction: the lowest is last and wins."""
        return sorted((json.loads(text) for text in texts), reverse=True)


def ours_takes(text: str) -> bool:
    """Read an amount as our door and our rules do."""
    try:
        raw = canonical.loads(f'{{"amount_minor":{text},"currency":"CNY"}}'.encode())
        contents.read("english", raw)
    except Refusal:
        return False
    return True


def test_p2_nan_is_no_bid_though_every_comparison_with_it_is_false() -> None:
    assert NaiveAmounts.takes("NaN", 500.0)
    assert not ours_takes("NaN")
    assert not ours_takes("Infinity")
    # It gets worse: with a NaN among them, the bids are not even sorted.
    naive = NaiveAmounts.ranked(["100", "NaN", "300"])
    numbers = [amount for amount in naive if not math.isnan(amount)]
    assert numbers != sorted(numbers, reverse=True)


def test_p2_a_nan_that_got_past_the_reader_changes_nothing() -> None:
    game = Play(cases.book("sealed"))
    game.bid(1, 100_000, moment=at(1))
    game.bid(3, 300_000, moment=at(1))
    assert not game.tries(2, {"amount_minor": float("nan"), "currency": "CNY"}, moment=at(1))
    assert [one["amount_minor"] for one in game.award()["ranking"]] == [300_000, 100_000]


@pytest.mark.parametrize("text", ["true", "1e-300", "0.1", "1e2", "100.0", "1E2", "1e-5"])
def test_p3_booleans_floats_and_exponents_are_no_amounts(text: str) -> None:
    assert NaiveAmounts.takes(text, 500.0)
    assert not ours_takes(text)


@pytest.mark.parametrize("text", ['"100"', "0100", "+100", "-0", "1_000", "null", "[100]"])
def test_p3_nothing_but_a_plain_number_is_an_amount(text: str) -> None:
    assert not ours_takes(text)
    assert ours_takes("100")


def mixed_criteria() -> rules.Book:
    """Return a weighted auction in which quality outweighs price."""
    rows = [
        {"code": "price", "kind": "price", "weight_bp": 3_000, "worst": 0, "best": 300},
        {"code": "quality", "kind": "number", "weight_bp": 7_000, "worst": 0, "best": 100},
    ]
    titled = [{**row, "title_zh": "项", "title_en": "Item"} for row in rows]
    return cases.book("weighted", floor_minor=1, terms={"criteria": titled})


class NaiveMixed:
    """Chooses how to rank in two `if`s of which the second forgets the first."""

    @staticmethod
    def ranked(of: rules.Book, bids: list[dict[str, Any]], features: str) -> list[dict[str, Any]]:
        if features == "mixed":

            def get_amount(bid: dict[str, Any]) -> Any:
                return weighted.score(of, bid)

        if features == "quality":

            def get_amount(bid: dict[str, Any]) -> Any:
                return bid["values"]["quality"]
        else:

            def get_amount(bid: dict[str, Any]) -> Any:
                return bid["amount_minor"]

        return sorted(bids, key=get_amount, reverse=True)  # fmt: skip


def test_p4_a_mixed_score_is_not_ranked_by_plain_price() -> None:
    of = mixed_criteria()
    dear = cases.content(of, 300, values={"quality": 10})
    good = cases.content(of, 100, values={"quality": 90})
    assert weighted.score(of, good) > weighted.score(of, dear)
    assert NaiveMixed.ranked(of, [dear, good], "mixed")[0] is dear
    game = Play(of)
    game.bid(1, dear, moment=at(1))
    game.bid(2, good, moment=at(1))
    result = game.award()
    assert [one["paddle"] for one in result["ranking"]] == [2, 1]
    assert result["awards"][0]["amount_minor"] == 100


def test_p4_every_part_of_a_score_is_published_and_adds_up() -> None:
    of = mixed_criteria()
    game = Play(of)
    game.bid(1, cases.content(of, 100, values={"quality": 90}), moment=at(1))
    entry = game.award()["ranking"][0]
    assert entry["parts"] == {"price": [1, 3], "quality": [9, 10]}
    assert entry["score"] == [73, 100]
    parts = {code: Fraction(*pair) for code, pair in entry["parts"].items()}
    assert Fraction(3, 10) * parts["price"] + Fraction(7, 10) * parts["quality"] == Fraction(
        73, 100
    )


class NaiveProxy:
    """Moves a price bid by bid: the leader's own raise never moves it."""

    def __init__(self, start: int, step: int) -> None:
        self.start, self.step = start, step
        self.leader: int | None = None
        self.top, self.price = 0, 0

    def bid(self, paddle: int, top: int) -> bool:
        if self.leader is None:
            self.leader, self.top, self.price = paddle, top, self.start
            return top >= self.start
        if paddle == self.leader:
            taken, self.top = top > self.top, max(top, self.top)
            return taken
        if top < self.price + self.step:
            return False
        self.price = min(max(top, self.top), min(top, self.top) + self.step)
        if top > self.top:
            self.leader, self.top = paddle, top
        return True


def proxies(of: rules.Book, maxima: list[tuple[int, int]]) -> tuple[int | None, int | None]:
    """Return the price of our rules and of the twin; None of the twin where they part on a bid."""
    game, naive = Play(of), NaiveProxy(100_000, 10_000)
    for paddle, top in maxima:
        if game.tries(paddle, top, moment=at(1)) != naive.bid(paddle, top):
            return game.standing.price_minor, None
    return game.standing.price_minor, naive.price


def test_a_price_that_is_accumulated_depends_on_the_order_of_raises() -> None:
    of = cases.book("proxy", step_minor=10_000)
    a, b, c = 1, 2, 3
    maxima = [(a, 155_000), (b, 188_000), (a, 235_000), (c, 231_000), (a, 286_000)]
    assert proxies(of, maxima) == (241_000, 235_000)
    other_order = [(b, 188_000), (a, 286_000), (c, 231_000)]
    assert proxies(of, other_order) == (241_000, 241_000)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(100_000, 300_000)), max_size=8))
def test_the_closed_form_never_depends_on_the_order_of_raises(bids: list[tuple[int, int]]) -> None:
    of = cases.book("proxy", step_minor=10_000)
    game = Play(of)
    for paddle, top in bids:
        game.tries(paddle, top, moment=at(1))
    taken = [event.body for event in game.events[1:]]
    best: dict[int, int] = {}
    for body in taken:
        paddle, top = body["paddle"], body["content"]["amount_minor"]
        best[paddle] = max(best.get(paddle, 0), top)
    if not best:
        return
    # Everybody names the maximum at once, the lowest first: the same price.
    again = Play(of)
    for paddle, top in sorted(best.items(), key=lambda one: one[1]):
        again.tries(paddle, top, moment=at(1))
    assert again.standing.price_minor == game.standing.price_minor
