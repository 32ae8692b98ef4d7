"""The invariants of bidding that pure rules answer for, by their numbers in the reference."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.refusal import Refusal
from listings.auctions import rules, steps
from listings.auctions.methods import dutch, proxy
from listings.auctions.model import Bid, Standing
from tests.listings import auctions_cases as cases
from tests.listings.auctions_cases import Play, at
from tests.listings.auctions_moves import (
    Move,
    accepted,
    any_reserve,
    any_step,
    forward,
    moves,
    play,
    rising,
)


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
