"""The invariants of bidding that pure rules answer for, by their numbers in the reference."""

import hashlib
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.money import MOST_MINOR
from contracts.refusal import InvalidContent, Refusal
from listings.auctions import contents, rulebook, rules, steps
from listings.auctions.methods import dutch, proxy
from listings.auctions.model import Bid, Standing
from tests.listings import auctions_cases as cases
from tests.listings.auctions_cases import Play, at

TABLE = {"kind": "table", "rows": [[0, 1_000], [130_000, 2_500], [170_000, 6_000]]}
STEPPED: tuple[dict[str, Any], ...] = (
    {},
    {"step_minor": None, "terms": {"step": TABLE}},
    {"step_minor": None, "terms": {"step": {"kind": "bp", "bp": 700, "least_minor": 900}}},
)
RESERVES: tuple[dict[str, Any], ...] = (
    {}, {"reserve": {"kind": "open", "amount_minor": 140_000}},
    {"reserve": {"kind": "hidden", "amount_minor": 140_000}},
)  # fmt: skip
Move = tuple[int, int, int]  # paddle, amount, seconds since the opening
moves = st.lists(
    st.tuples(st.integers(1, 4), st.integers(95_000, 220_000), st.integers(-5, 700)), max_size=25
)
forward = moves.map(lambda some: sorted(some, key=lambda move: move[2]))
rising = st.sampled_from(["english", "timed", "proxy"])
sealed = st.sampled_from(["sealed", "vickrey", "intent"])
any_step, any_reserve = st.sampled_from(STEPPED), st.sampled_from(RESERVES)
Seen = Callable[[Standing, Standing, Bid], None]


def play(of: rules.Book, some: list[Move], seen: Seen = lambda *_: None, **more: Any) -> Play:
    """Play moves; what is refused leaves nothing."""
    game = Play(of)
    for paddle, amount, second in some:
        before, moment = game.standing, at(seconds=second)
        if game.tries(paddle, amount, moment=moment, **more):
            bid = Bid(UUID(int=1_000 + game.made), paddle, {"amount_minor": amount}, moment)
            seen(before, game.standing, bid)
    return game


def accepted(game: Play) -> list[tuple[int, int]]:
    """Return paddle and amount of each bid that counts, in order."""
    bids = [event.body for event in game.events if event.kind == "bid"]
    return [(body["paddle"], body["content"]["amount_minor"]) for body in bids]


@given(rising, any_step, any_reserve, moves)
def test_invariant_05_who_takes_the_lead_raises_the_price_by_a_step_and_nobody_lowers_it(
    kind: str, step: dict[str, Any], reserve: dict[str, Any], some: list[Move]
) -> None:
    of = cases.book(kind, **step, **reserve)

    def seen(before: Standing, after: Standing, bid: Bid) -> None:
        if before.price_minor is None:
            return
        assert after.price_minor is not None
        assert after.price_minor >= before.price_minor
        if bid.paddle != before.leading_paddle:
            assert after.price_minor >= steps.after(of.terms["step"], before.price_minor)

    play(of, some, seen)


@given(rising, any_step, any_reserve, moves)
def test_invariant_06_the_price_lies_between_the_start_and_the_leaders_maximum(
    kind: str, step: dict[str, Any], reserve: dict[str, Any], some: list[Move]
) -> None:
    game = play(cases.book(kind, **step, **reserve), some)
    if game.standing.price_minor is None:
        return
    highest = max(amount for _, amount in accepted(game))
    assert 100_000 <= game.standing.price_minor <= highest
    result = game.award()
    if result["outcome"] == "sold":
        assert result["awards"][0]["amount_minor"] >= (game.book.reserve_minor or 0)
        assert result["awards"][0]["amount_minor"] == game.standing.price_minor
    else:
        assert highest < (game.book.reserve_minor or 0)


@given(rising, any_step, moves)
def test_invariant_07_the_leader_is_the_highest_and_among_equals_the_earlier(
    kind: str, step: dict[str, Any], some: list[Move]
) -> None:
    game = play(cases.book(kind, **step), some)
    bids = accepted(game)
    best = max(range(len(bids)), key=lambda n: (bids[n][1], -n), default=None)
    assert game.standing.leading_paddle == (None if best is None else bids[best][0])


@given(any_step, any_reserve, moves)
def test_invariant_08_the_price_comes_from_the_maxima_alone_whatever_their_order(
    step: dict[str, Any], reserve: dict[str, Any], some: list[Move]
) -> None:
    game = play(cases.book("proxy", **step, **reserve), some)
    best: dict[int, int] = {}
    for paddle, amount in accepted(game):
        best[paddle] = max(best.get(paddle, 0), amount)
    if not best:
        assert game.standing.price_minor is None
        return
    first, *others = sorted(best.values(), reverse=True)
    second = others[0] if others else None
    price = proxy.price(game.book, first, second, game.book.reserve_minor)
    assert game.standing.price_minor == price


@given(rising, any_step, moves)
def test_invariant_09_refused_bids_change_nothing(
    kind: str, step: dict[str, Any], some: list[Move]
) -> None:
    of, kept = cases.book(kind, **step), []
    first = Play(of)
    for move in some:
        if first.tries(move[0], move[1], moment=at(seconds=move[2])):
            kept.append(move)
    again = play(of, kept)
    assert len(accepted(again)) == len(kept)
    assert replace(again.standing, leading_bid=None) == replace(first.standing, leading_bid=None)


@given(any_step, any_reserve, forward, st.integers(1, 50_000))
def test_invariant_10_raising_ones_own_maximum_extends_nothing_and_lifts_a_capped_price_at_most(
    step: dict[str, Any], reserve: dict[str, Any], some: list[Move], more: int
) -> None:
    game = play(cases.book("proxy", **step, **reserve), some)
    before = game.standing
    if before.leading_paddle is None:
        return
    top, second = before.own[proxy.MAX], before.own[proxy.SECOND]
    moment = before.closes_at - timedelta(seconds=1)
    assert game.tries(before.leading_paddle, top + more, moment=moment)
    after = game.standing
    assert (after.closes_at, after.extensions) == (before.closes_at, before.extensions)
    if after.price_minor != before.price_minor:
        capped = second is not None and before.price_minor == top
        reserve_minor = game.book.reserve_minor
        crossed = reserve_minor is not None and top < reserve_minor <= top + more
        assert capped or crossed
        if not crossed and second is not None:
            assert (after.price_minor or 0) <= steps.after(game.book.terms["step"], second)


@given(
    rising,
    st.sampled_from([None, 0, 1, 3]),
    st.sampled_from([None, 16, 20]),
    st.integers(1, 3),
    moves,
)
def test_invariant_11_the_close_never_goes_back_nor_past_its_limits(
    kind: str, most: int | None, stop: int | None, top_k: int, some: list[Move]
) -> None:
    limits = {"most_extensions": most, "top_k": top_k}
    closing = {"kind": "soft", "window_s": 60, **limits}
    if kind == "timed":
        closing = {"kind": "timed", "window_s": 300, "free_until": cases.stamp(10), **limits}
    stop_at = None if stop is None else cases.stamp(stop)
    of = cases.book(kind, soft_close_s=None, closing=closing, hard_stop_at=stop_at)

    def seen(before: Standing, after: Standing, _bid: Bid) -> None:
        assert before.closes_at <= after.closes_at
        assert stop is None or after.closes_at <= at(stop)
        assert after.extensions - before.extensions == (after.closes_at > before.closes_at)
        assert most is None or after.extensions <= most

    play(of, some, seen)


@given(st.sampled_from(["english", "timed", "proxy", "sealed", "vickrey"]), moves)
def test_invariant_12_no_bid_counts_from_the_close_on_and_there_is_one_close(
    kind: str, some: list[Move]
) -> None:
    def seen(before: Standing, _after: Standing, bid: Bid) -> None:
        assert bid.received_at < before.closes_at

    game = play(cases.book(kind), some, seen)
    end = game.standing.closes_at
    for moment in (end, end + timedelta(days=1)):
        with pytest.raises(rules.AuctionClosed):
            game.bid(1, 10**9, moment=moment)
    game.close()
    with pytest.raises(rules.AuctionClosed):
        game.bid(1, 10**9, moment=end - timedelta(seconds=1))
    with pytest.raises(rules.BrokenLog):
        game.add("closed", game.events[-2].body, moment=end)


@given(st.sampled_from(cases.KINDS), moves, st.integers(0, 3_000))
def test_invariant_13_a_bid_received_in_time_is_never_called_late(
    kind: str, some: list[Move], later: int
) -> None:
    game = Play(cases.book(kind))
    for paddle, amount, second in some:
        end = game.standing.closes_at
        try:
            game.bid(paddle, amount, moment=at(seconds=second))
        except rules.AuctionClosed:
            assert at(seconds=second) >= end
        except Refusal:
            continue
    # However late it is decided: only the instant it was received at is looked at.
    assert not rules.is_due(game.standing, game.standing.closes_at - timedelta(microseconds=1))
    assert rules.is_due(game.standing, game.standing.closes_at + timedelta(seconds=later))


@given(rising, moves)
def test_invariant_14_a_clock_that_steps_back_reopens_nothing(kind: str, some: list[Move]) -> None:
    game = play(cases.book(kind), some)
    end = game.standing.closes_at
    game.tries(1, 500_000, moment=at(seconds=-1))
    game.tries(1, 500_000, moment=at(0))
    assert game.standing.closes_at >= end
    game.close()
    standing = game.standing
    for back in (1, 30, 600):
        assert not game.tries(2, 10**9, moment=end - timedelta(seconds=back))
    assert game.standing == standing


@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2), st.integers(0, 599)), max_size=12),
    st.integers(0, 90),
)
def test_invariant_15_a_falling_price_is_a_function_of_the_instant_and_has_one_taker(
    some: list[tuple[int, int, int]], pause_s: int
) -> None:
    game = Play(cases.book("dutch"))
    game.pause(at(1))
    game.resume(at(1, seconds=pause_s))
    stop = [(at(1), at(1, seconds=pause_s))]
    for paddle, behind, second in some:
        moment = at(seconds=second)
        tick = dutch.tick_at(game.book, stop, moment)
        seen = max(0, tick - behind)
        said = dutch.price_of(game.book, seen)
        if game.tries(paddle, said, tick=seen, moment=moment):
            run = second if second < 60 else second - pause_s
            assert game.standing.price_minor == max(100_000, 200_000 - 7_000 * (run // 30))
            assert seen in (tick, tick - 1)
    takers = accepted(game)
    assert len(takers) <= 1
    if takers:
        assert game.award()["awards"][0]["amount_minor"] == game.standing.price_minor
        assert game.standing.closes_at <= at(10, seconds=pause_s)


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
