"""Rising prices, pauses, defaults and the log, by the rules of auctions."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import rfc3339
from contracts.money import MOST_MINOR, AmountOutOfRange, WrongCurrency
from contracts.refusal import InvalidContent
from listings.auctions import contents, rulebook, rules
from listings.auctions.model import Event, Standing
from tests.listings import auctions_cases as cases
from tests.listings.auctions_cases import at, game

SECOND = timedelta(seconds=1)


# --- English


def test_the_first_bid_may_be_the_floor() -> None:
    play = game()
    accepted = play.bid(3, 100_000, moment=at(0))
    assert not accepted.extended
    assert accepted.after == {
        "closes_at": "2026-11-22T09:10:00Z",
        "price_minor": 100_000,
        "leading_bid": str(UUID(int=1_001)),
    }
    assert (play.standing.leading_paddle, play.standing.bids) == (3, 1)


def test_a_low_bid_is_told_the_least_that_would_lead() -> None:
    play = game()
    play.bid(1, 150_000, moment=at(1))
    with pytest.raises(rules.BidTooLow) as refused:
        play.bid(2, 150_999, moment=at(1))
    assert refused.value.data == {"least_minor": 151_000, "currency": "CNY"}
    assert rules.least_minor(play.book, play.standing) == 151_000


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 300_000)), max_size=12))
def test_the_least_that_a_refusal_names_is_accepted_at_once(bids: list[tuple[int, int]]) -> None:
    play = game()
    for paddle, amount in bids:
        try:
            play.bid(paddle, amount, moment=at(1))
        except rules.BidTooLow as refusal:
            least = refusal.data["least_minor"]
            if least > 1:
                with pytest.raises(rules.BidTooLow):
                    play.bid(paddle, least - 1, moment=at(1))
            play.bid(paddle, least, moment=at(1))
            assert play.standing.price_minor == least


def test_the_leader_raises_itself_by_a_step_like_everybody() -> None:
    play = game()
    play.bid(1, 150_000, moment=at(1))
    with pytest.raises(rules.BidTooLow):
        play.bid(1, 150_500, moment=at(1))
    assert play.bid(1, 151_000, moment=at(1)).standing.bids == 2


def test_a_new_leader_in_the_last_minute_extends_the_close() -> None:
    play = game()
    accepted = play.bid(1, 100_000, moment=at(10, seconds=-20))
    assert accepted.extended
    assert (accepted.standing.closes_at, accepted.standing.extensions) == (at(10, seconds=40), 1)


def test_the_leaders_own_raise_in_the_last_minute_extends_nothing() -> None:
    play = game()
    play.bid(1, 100_000, moment=at(10, seconds=-20))
    assert not play.bid(1, 150_000, moment=at(10, seconds=30)).extended


def test_a_bid_before_the_last_minute_leaves_the_close_alone() -> None:
    play = game()
    assert not play.bid(1, 100_000, moment=at(9)).extended
    assert play.standing.closes_at == at(10)


def test_the_hard_stop_ends_the_extensions() -> None:
    play = game(hard_stop_at=cases.stamp(10, seconds=5))
    assert play.bid(1, 100_000, moment=at(10, seconds=-1)).extended
    assert play.standing.closes_at == at(10, seconds=5)
    assert not play.bid(2, 110_000, moment=at(10, seconds=4)).extended


def test_a_bid_at_the_very_instant_of_the_close_is_late() -> None:
    with pytest.raises(rules.AuctionClosed) as refused:
        game().bid(1, 100_000, moment=at(10))
    assert refused.value.data == {
        "closed_at": "2026-11-22T09:10:00Z", "least_minor": 100_000, "currency": "CNY",
    }  # fmt: skip


def test_a_bid_before_the_opening_is_refused() -> None:
    with pytest.raises(rules.AuctionNotOpen) as refused:
        game().bid(1, 100_000, moment=at(seconds=-1))
    assert refused.value.data == {"opens_at": "2026-11-22T09:00:00Z"}


def test_a_bid_in_another_currency_is_refused() -> None:
    with pytest.raises(WrongCurrency) as refused:
        game().bid(1, {"amount_minor": 100_000, "currency": "HKD"}, moment=at(1))
    assert refused.value.data == {"wanted": "CNY"}


def test_a_price_at_its_limit_is_raised_no_more() -> None:
    play = game()
    play.bid(1, MOST_MINOR, moment=at(1))
    with pytest.raises(AmountOutOfRange):
        play.bid(2, MOST_MINOR, moment=at(1))


def test_whole_steps_alone_are_taken_where_the_rules_say_so() -> None:
    play = game(terms={"multiples": True})
    play.bid(1, 103_000, moment=at(1))
    with pytest.raises(rules.BidNotAStep) as refused:
        play.bid(2, 104_500, moment=at(1))
    assert refused.value.data == {"least_minor": 104_000, "step_minor": 1_000, "currency": "CNY"}
    play.bid(2, 108_000, moment=at(1))


def test_a_hidden_reserve_shows_in_no_answer() -> None:
    plain, hidden = game(), game(reserve={"kind": "hidden", "amount_minor": 120_000})
    for paddle, amount in ((1, 100_000), (2, 100_500), (2, 119_999), (1, 120_000), (2, 120_500)):
        told = []
        for play in (plain, hidden):
            try:
                told.append(play.bid(paddle, amount, moment=at(1)).after)
            except rules.BidTooLow as refusal:
                told.append(refusal.data)
        assert told[0] == told[1]
    assert "120000" not in str(cases.document(reserve={"kind": "hidden", "amount_minor": 120_000}))


@pytest.mark.parametrize(("bid", "outcome"), [(119_999, "reserve-not-met"), (120_000, None)])
@pytest.mark.parametrize("kind", ["english", "proxy", "sealed", "vickrey"])
@pytest.mark.parametrize("hidden", ["open", "hidden"])
def test_nothing_is_sold_below_the_reserve(
    kind: str, bid: int, outcome: str | None, hidden: str
) -> None:
    play = game(kind, reserve={"kind": hidden, "amount_minor": 120_000})
    play.bid(1, bid, moment=at(1))
    result = play.award()
    assert result["reason"] == outcome
    assert [award["amount_minor"] for award in result["awards"]] == ([] if outcome else [120_000])


# --- timed cycles (多次报价)


def test_every_bid_after_the_free_period_starts_the_countdown_again() -> None:
    play = game("timed")
    play.bid(1, 100_000, moment=at(9))
    assert play.standing.closes_at == at(15)
    play.bid(2, 101_000, moment=at(11))
    assert play.standing.closes_at == at(16)
    play.bid(2, 102_000, moment=at(15))
    assert (play.standing.closes_at, play.standing.extensions) == (at(20), 2)


def test_the_countdown_runs_once_though_nobody_bids_in_it() -> None:
    play = game("timed")
    play.bid(1, 100_000, moment=at(9))
    assert play.award()["awards"][0]["paddle"] == 1
    assert play.standing.closes_at == at(15)


def test_only_who_bid_in_the_free_period_bids_on_where_the_rules_say_so() -> None:
    play = game("timed", terms={"needs_free_bid": True})
    play.bid(1, 100_000, moment=at(9))
    with pytest.raises(rules.NoFreeBid):
        play.bid(2, 101_000, moment=at(10))
    play.bid(1, 101_000, moment=at(10))


def test_a_pause_in_the_free_period_moves_its_end() -> None:
    play = game("timed", terms={"needs_free_bid": True})
    play.pause(at(9))
    play.resume(at(12))
    play.bid(2, 100_000, moment=at(12, seconds=59))
    assert play.standing.closes_at == at(18)
    play.bid(2, 101_000, moment=at(13))
    assert play.standing.closes_at == at(18)
    play.bid(2, 102_000, moment=at(13, seconds=1))
    assert play.standing.closes_at == at(18, seconds=1)


# --- proxy


def test_equal_maxima_leave_the_earlier_in_the_lead_at_that_price() -> None:
    play = game("proxy")
    play.bid(1, 200_000, moment=at(1))
    play.bid(2, 200_000, moment=at(2))
    assert (play.standing.leading_paddle, play.standing.price_minor) == (1, 200_000)
    assert rules.exposure(play.book, play.standing) == {1: 200_000}


def test_a_losing_maximum_extends_only_where_the_second_place_counts() -> None:
    for top_k, moved in ((1, False), (2, True)):
        closing = {"kind": "soft", "window_s": 60, "top_k": top_k}
        play = game("proxy", soft_close_s=None, closing=closing)
        play.bid(1, 200_000, moment=at(1))
        assert play.bid(2, 150_000, moment=at(10, seconds=-5)).extended is moved


def test_the_leader_is_told_its_own_maximum_and_nobody_elses() -> None:
    play = game("proxy")
    play.bid(1, 200_000, moment=at(1))
    with pytest.raises(rules.BidTooLow) as own:
        play.bid(1, 200_000, moment=at(1))
    assert own.value.data["least_minor"] == 200_001
    with pytest.raises(rules.BidTooLow) as other:
        play.bid(2, 100_999, moment=at(1))
    assert other.value.data["least_minor"] == 101_000


# --- pauses, defaults, the log


def test_a_bid_received_in_a_pause_is_refused_whenever_it_is_decided() -> None:
    play = game()
    play.pause(at(5))
    with pytest.raises(rules.AuctionPaused):
        play.bid(1, 100_000, moment=at(5))
    play.bid(1, 100_000, moment=at(5) - SECOND)
    assert not rules.is_due(play.standing, at(20))
    play.resume(at(8))
    with pytest.raises(rules.AuctionPaused):
        play.bid(2, 110_000, moment=at(8) - SECOND)
    play.bid(2, 110_000, moment=at(8))
    assert (play.standing.closes_at, play.standing.hard_stop_at) == (at(13), at(33))


def test_an_outage_moves_the_end_by_the_words_of_the_log() -> None:
    play = game()
    body = {"reason": "outage", "closes_at": cases.stamp(20), "hard_stop_at": cases.stamp(30)}
    play.add("extended", body, moment=at(19))
    assert (play.standing.closes_at, play.standing.extensions) == (at(20), 0)
    with pytest.raises(rules.BrokenLog):
        play.add("extended", {**body, "closes_at": cases.stamp(19)}, moment=at(19))


@pytest.mark.parametrize(("default", "outcome"), [("next-best", 101_000), ("none", None)])
def test_a_default_gives_it_to_the_next_where_the_rules_say_so(
    default: str, outcome: int | None
) -> None:
    play = game(default=default)
    play.bid(1, 101_000, moment=at(1))
    play.bid(2, 150_000, moment=at(1))
    play.close()
    assert play.award()["awards"][0]["paddle"] == 2
    play.default(2)
    result = play.award()
    awards = [award["amount_minor"] for award in result["awards"]]
    assert awards == ([] if outcome is None else [outcome])
    assert result["bids"] == 2
    play.default(1)
    assert play.award()["reason"] == "defaulted"


def test_a_void_auction_takes_nothing_more() -> None:
    play = game()
    play.add("voided", {"reason": "a fault"}, moment=at(1))
    with pytest.raises(rules.AuctionClosed):
        play.bid(1, 100_000, moment=at(1))
    with pytest.raises(rules.BrokenLog):
        play.add("awarded", {}, moment=at(1))
    with pytest.raises(rules.BrokenLog):
        play.add("voided", {"reason": ""}, moment=at(1))


def test_a_log_that_is_not_closed_has_no_result() -> None:
    play = game()
    with pytest.raises(rules.BrokenLog):
        rules.award(play.book, play.events)


@pytest.mark.parametrize("kind", cases.KINDS)
def test_an_auction_without_bids_is_unsold(kind: str) -> None:
    result = game(kind).award()
    assert (result["outcome"], result["reason"]) == ("unsold", "no-bids")
    assert (result["bids"], result["last_bid_seq"], result["ranking"]) == (0, None, [])


def test_every_change_of_a_logged_bid_is_noticed() -> None:
    play = game()
    play.bid(1, 100_000, moment=at(1))
    first, bid = play.events
    standing = rules.advance(play.book, rules.begin(play.book), first)
    for body in (
        {**bid.body, "content": cases.content(play.book, 100_001)},
        {**bid.body, "content": cases.content(play.book, 99_999)},
        {**bid.body, "rulebook_sha256": "00" * 32},
        {**bid.body, "after": {**bid.body["after"], "price_minor": 1}},
    ):
        with pytest.raises(rules.BrokenLog):
            rules.advance(play.book, standing, replace(bid, body=body))
    for forged in (replace(bid, seq=2), replace(bid, at=at(10)), Event(1, "unheard", at(1), {})):
        with pytest.raises(rules.BrokenLog):
            rules.advance(play.book, standing, forged)


@given(st.integers(0, 10**6), st.sampled_from([None, 5]))
def test_a_standing_is_written_and_read_exactly(micros: int, paused: int | None) -> None:
    play = game("proxy")
    play.bid(1, 150_000, moment=at(9, seconds=59, microseconds=micros % 999_999))
    moment = None if paused is None else at(paused)
    standing = replace(play.standing, paused_at=moment, hard_stop_at=None)
    assert Standing.from_json(standing.to_json()) == standing


def test_which_results_follow_the_close_at_once() -> None:
    assert all(rules.settles_at_close(cases.book(kind)) for kind in cases.KINDS)
    document = cases.document("vickrey")
    document["secrecy"] = {"bidders": "hidden", "amounts": "sealed"}
    assert not rules.settles_at_close(rulebook.read(document))


def test_contents_have_exactly_their_members() -> None:
    for method, bad, field in (
        ("english", {"amount_minor": 1}, "currency"),
        ("english", {"amount_minor": 1, "currency": "CNY", "more": 1}, "more"),
        ("english", {"amount_minor": 1, "currency": "cny"}, "currency"),
        ("english", {"match": 1}, "match"),
        ("proxy", {"match": True}, "amount_minor"),
        ("dutch", {"amount_minor": 1, "currency": "CNY"}, "tick"),
        ("dutch", {"amount_minor": 1, "currency": "CNY", "tick": True}, "tick"),
        ("weighted", {"amount_minor": 1, "currency": "CNY", "values": {"a": 1.0}}, "values.a"),
        ("package", {"currency": "CNY", "packages": []}, "packages"),
        (None, {"commitment": "00", "sealed": "AAAA"}, "commitment"),
        (None, [], ""),
    ):
        with pytest.raises(InvalidContent) as refused:
            contents.read(method, bad)
        assert refused.value.data["errors"][0]["field"] == field


def test_instants_of_events_are_written_exactly() -> None:
    accepted = game().bid(1, 100_000, moment=at(9, seconds=30, microseconds=7))
    assert accepted.after["closes_at"] == "2026-11-22T09:10:30.000007Z"
    assert rfc3339.exact(accepted.standing.closes_at) == accepted.after["closes_at"]
