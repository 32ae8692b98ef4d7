"""The invariants of bidding about amounts, openings, prices and lots, by their numbers."""

import hashlib
import random
from collections import Counter
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.money import MOST_MINOR
from contracts.refusal import InvalidContent
from listings.auctions import contents, rulebook, rules
from tests.listings import auctions_cases as cases
from tests.listings.auctions_cases import Play, at
from tests.listings.auctions_moves import Move, any_reserve, moves, play, sealed

BAD_AMOUNTS = (
    float("nan"), float("inf"), -float("inf"), 1e300, 1e-300, 1e3, 1.0, 0.0, True, False, None,
    "12", "012", "1e3", "", [], {}, [12], 0, -1, -(10**13), MOST_MINOR + 1, 2**53, 2**63,
    2**63 - 1, 10**400,
)  # fmt: skip


@pytest.mark.parametrize("amount", BAD_AMOUNTS, ids=lambda value: str(value)[:20] or "empty")
@pytest.mark.parametrize("kind", ["english", "proxy", "fixed", "sealed", "vickrey", "intent"])
def test_invariant_20_only_whole_amounts_within_the_limits_are_read(kind: str, amount: Any) -> None:
    game = Play(cases.book(kind))
    before = game.standing
    with pytest.raises(InvalidContent) as refused:
        contents.read(game.book.method, {"amount_minor": amount, "currency": "CNY"})
    assert refused.value.data["errors"][0]["field"] == "amount_minor"
    with pytest.raises(InvalidContent):
        game.bid(1, {"amount_minor": amount, "currency": "CNY"}, moment=at(1))
    assert (game.standing, len(game.events)) == (before, 1)


@given(st.integers(1, MOST_MINOR))
def test_invariant_20_every_whole_amount_within_the_limits_is_read_as_it_is(amount: int) -> None:
    said = {"amount_minor": amount, "currency": "CNY"}
    assert contents.read("english", said) == said


def cipher(kind: str, **changes: Any) -> rules.Book:
    """Return a rulebook whose bids nobody can read before the opening."""
    document = cases.document(kind, **changes)
    document["secrecy"] = {"bidders": "hidden", "amounts": "sealed"}
    document["opening"] = {"plain_bytes": 256}
    return rulebook.read(document)


def sealed_play(of: rules.Book, amounts: dict[int, int], withheld: set[int]) -> dict[str, Any]:
    """Play sealed bids of each paddle; return the result with some of them not opened."""
    game, clear = Play(of), {}
    for paddle, amount in amounts.items():
        game.bid(paddle, cases.cipher(paddle), moment=at(1))
        clear[paddle] = (game.events[-1].body["bid"], cases.content(of, amount))
    game.close()
    openings = [
        {"bid": bid, "content": said, "nonce": "00" * 32}
        for paddle, (bid, said) in clear.items()
        if paddle not in withheld
    ]
    failures = [{"bid": clear[n][0], "reason": "not-revealed"} for n in clear if n in withheld]
    body = {"openings": openings, "failures": failures, "key": None}
    game.add("revealed", body, moment=game.standing.closes_at)
    return rules.award(of, game.events)


@given(
    sealed,
    st.dictionaries(st.integers(1, 9), st.integers(100_000, 100_020), min_size=1),
    st.sets(st.integers(1, 9)),
)
def test_invariant_23_withheld_openings_leave_the_order_of_the_others_alone(
    kind: str, amounts: dict[int, int], withheld: set[int]
) -> None:
    of = cipher(kind)
    whole = sealed_play(of, amounts, set())["ranking"]
    part = sealed_play(of, amounts, withheld)
    assert part["ranking"] == [one for one in whole if one["paddle"] not in withheld]
    if not part["ranking"]:
        assert (part["outcome"], part["reason"]) == ("unsold", "no-valid-bids")


def test_invariant_23_a_bid_below_the_floor_does_not_count_when_opened() -> None:
    of = cipher("sealed")
    low = sealed_play(of, {1: 99_999, 2: 100_000}, set())
    assert [one["paddle"] for one in low["ranking"]] == [2]


@given(
    st.dictionaries(st.integers(1, 9), st.integers(100_000, 200_000), min_size=2),
    st.integers(0, 100_000),
    any_reserve,
)
def test_invariant_24_the_second_price_does_not_depend_on_the_winners_own_bid(
    amounts: dict[int, int], more: int, reserve: dict[str, Any]
) -> None:
    def sold(kind: str, bids: dict[int, int]) -> dict[str, Any] | None:
        game = play(cases.book(kind, **reserve), [(n, amount, 60) for n, amount in bids.items()])
        awards = game.award()["awards"]
        return awards[0] if awards else None

    second = sold("vickrey", amounts)
    if second is None:
        return
    winner = second["paddle"]
    higher = {**amounts, winner: amounts[winner] + more}
    again = sold("vickrey", higher)
    assert again is not None
    assert (again["paddle"], again["amount_minor"]) == (winner, second["amount_minor"])
    others = [amount for paddle, amount in amounts.items() if paddle != winner]
    floor = reserve.get("reserve", {}).get("amount_minor", 0)
    assert second["amount_minor"] == max([*others, floor])
    first = sold("sealed", higher)
    assert first is not None
    assert (first["paddle"], first["amount_minor"]) == (winner, higher[winner])


def lottery(seed: bytes, paddles: list[int]) -> dict[str, Any]:
    """Award equal sealed bids under a seed."""
    document = cases.document("sealed", tie={"rule": "lottery"})
    commitment = rulebook.seed_commitment(cases.AUCTION, seed)
    document["tie"] = {"rule": "lottery", "seed_commitment": commitment}
    game = play(rulebook.read(document), [(n, 150_000, 60 + n) for n in paddles])
    end = game.standing.closes_at
    game.add("closed", {"closes_at": cases.rfc3339.exact(end)}, moment=end)
    game.add("lottery", {"seed": seed.hex()}, moment=end)
    return rules.award(game.book, game.events)


def test_invariant_25_a_lottery_is_uniform_over_equals() -> None:
    draw, wins = random.Random(25), Counter()
    for _ in range(3_000):
        wins[lottery(draw.randbytes(32), [1, 2, 3, 4])["awards"][0]["paddle"]] += 1
    # Chi-squared with 3 degrees of freedom stays below 16.27 in 999 of 1000 fair lotteries.
    assert sum((wins[n] - 750) ** 2 / 750 for n in (1, 2, 3, 4)) < 16.27


def test_invariant_25_the_lot_is_fixed_by_the_seed_committed_before_the_first_bid() -> None:
    assert lottery(b"\x07" * 32, [1, 2, 3]) == lottery(b"\x07" * 32, [1, 2, 3])
    game = play(cases.book("sealed", tie={"rule": "lottery"}), [(1, 150_000, 60)])
    end = game.standing.closes_at
    game.add("closed", {"closes_at": cases.rfc3339.exact(end)}, moment=end)
    with pytest.raises(rules.BrokenLog):
        game.add("lottery", {"seed": "07" * 32}, moment=end)
    with pytest.raises(rules.BrokenLog):
        rules.award(game.book, game.events)
    game.add("lottery", {"seed": cases.SEED.hex()}, moment=end)
    keys = [hashlib.sha256(cases.SEED + UUID(int=1_000 + n).bytes).digest() for n in (1, 2, 3)]
    drawn = play(game.book, [(n, 150_000, 60) for n in (1, 2, 3)]).award()["ranking"]
    assert [one["paddle"] for one in drawn] == sorted([1, 2, 3], key=lambda n: keys[n - 1])


@given(st.sampled_from(["english", "timed", "proxy", "sealed", "vickrey", "intent"]), moves,
       st.permutations([1, 2, 3, 4]))  # fmt: skip
def test_invariant_33_new_numbers_for_the_bidders_permute_the_outcome_alike(
    kind: str, some: list[Move], numbers: list[int]
) -> None:
    def renamed(result: dict[str, Any]) -> dict[str, Any]:
        awards = [{**one, "paddle": numbers[one["paddle"] - 1]} for one in result["awards"]]
        ranking = [{**one, "paddle": numbers[one["paddle"] - 1]} for one in result["ranking"]]
        return {**result, "awards": awards, "ranking": ranking}

    of = cases.book(kind)
    other = [(numbers[paddle - 1], amount, second) for paddle, amount, second in some]
    assert play(of, other).award() == renamed(play(of, some).award())


@given(st.sampled_from(["english", "proxy", "sealed", "vickrey"]), moves)
def test_doubling_every_amount_doubles_every_price(kind: str, some: list[Move]) -> None:
    step = {"step_minor": 2_000} if kind in ("english", "proxy") else {}
    plain = play(cases.book(kind), some).award()
    double = [(paddle, 2 * amount, second) for paddle, amount, second in some]
    twice = play(cases.book(kind, floor_minor=200_000, **step), double).award()
    assert [one["paddle"] for one in twice["ranking"]] == [
        one["paddle"] for one in plain["ranking"]
    ]
    prices = [one["amount_minor"] for one in plain["awards"]]
    assert [one["amount_minor"] for one in twice["awards"]] == [2 * price for price in prices]


@settings(max_examples=60)
@given(
    st.sampled_from(["sealed", "vickrey", "intent"]),
    st.dictionaries(st.integers(1, 9), st.integers(100_000, 100_030)),
    st.randoms(use_true_random=False),
)
def test_the_order_of_arrival_decides_nothing_but_ties(
    kind: str, amounts: dict[int, int], draw: random.Random
) -> None:
    def ranking(bids: list[tuple[int, int]]) -> list[list[int]]:
        game = play(cases.book(kind), [(n, amount, 60) for n, amount in bids])
        levels: dict[int, list[int]] = {}
        for one in game.award()["ranking"]:
            levels.setdefault(one["amount_minor"], []).append(one["paddle"])
        assert all(high > low for high, low in pairwise(levels))
        return [sorted(paddles) for paddles in levels.values()]

    shuffled = list(amounts.items())
    draw.shuffle(shuffled)
    assert ranking(shuffled) == ranking(list(amounts.items()))
