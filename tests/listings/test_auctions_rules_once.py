"""Prices that are taken, and bids under seal, by the rules of auctions."""

from datetime import timedelta
from uuid import UUID

import pytest

from contracts.money import WrongCurrency
from contracts.refusal import InvalidContent
from listings.auctions import rulebook, rules
from listings.auctions.methods import dutch
from tests.listings import auctions_cases as cases
from tests.listings.auctions_cases import Play, at, game


def test_the_first_who_takes_the_price_ends_the_auction() -> None:
    play = game("fixed")
    with pytest.raises(rules.WrongPrice):
        play.bid(1, 100_001, moment=at(1))
    play.bid(1, 100_000, moment=at(2))
    assert play.standing.closes_at == at(2) + timedelta(microseconds=1)
    assert rules.is_due(play.standing, at(2, seconds=1))
    assert rules.least_minor(play.book, play.standing) is None
    for moment in (at(1), at(2), at(9)):
        with pytest.raises(rules.AlreadyTaken):
            play.bid(2, 100_000, moment=moment)
    assert play.award()["awards"][0]["paddle"] == 1


def test_a_falling_price_is_taken_at_the_tick_in_force_or_just_before_it() -> None:
    play = game("dutch")
    with pytest.raises(rules.StaleTick) as refused:
        play.bid(1, 200_000, tick=0, moment=at(seconds=36))
    assert refused.value.data == {"tick": 1, "price_minor": 193_000, "currency": "CNY"}
    with pytest.raises(rules.StaleTick):
        play.bid(1, 186_000, tick=2, moment=at(seconds=36))
    with pytest.raises(rules.WrongPrice):
        play.bid(1, 199_999, tick=0, moment=at(seconds=35))
    play.bid(1, 200_000, tick=0, moment=at(seconds=35))
    assert play.standing.price_minor == 193_000
    assert play.award()["awards"][0]["amount_minor"] == 193_000


def test_a_falling_price_stops_at_the_floor() -> None:
    book = cases.book("dutch")
    assert dutch.tick_at(book, [], at(9)) == 15
    assert [dutch.price_of(book, tick) for tick in (0, 14, 15, 99)] == [
        200_000, 102_000, 100_000, 100_000,
    ]  # fmt: skip


def test_a_later_bid_replaces_the_earlier_until_the_close() -> None:
    play = game("sealed")
    play.bid(1, 300_000, moment=at(1))
    play.bid(2, 200_000, moment=at(2))
    play.bid(1, 150_000, moment=at(3))
    assert rules.exposure(play.book, play.standing) == {1: 150_000, 2: 200_000}
    assert [one["paddle"] for one in play.award()["ranking"]] == [2, 1]


def test_one_shot_is_one_shot() -> None:
    play = game("sealed", preset="one-shot")
    play.bid(1, 300_000, moment=at(1))
    with pytest.raises(rules.AlreadyBid):
        play.bid(1, 400_000, moment=at(1))


def test_sealed_amounts_leave_no_price_and_no_leader() -> None:
    play = game("vickrey")
    accepted = play.bid(1, 300_000, moment=at(1))
    assert (accepted.after["price_minor"], accepted.after["leading_bid"]) == (None, None)
    assert rules.least_minor(play.book, play.standing) is None
    with pytest.raises(rules.AuctionClosed) as refused:
        play.bid(1, 300_000, moment=at(10))
    assert refused.value.data == {"closed_at": "2026-11-22T09:10:00Z"}


def test_an_amount_in_clear_is_refused_where_nobody_may_read_it_and_a_seal_elsewhere() -> None:
    document = cases.document("sealed")
    document["secrecy"] = {"bidders": "hidden", "amounts": "sealed"}
    document["opening"] = {"plain_bytes": 256}
    play = Play(rulebook.read(document))
    with pytest.raises(rules.BidNotSealed) as refused:
        play.bid(1, 300_000, moment=at(1))
    assert "300000" not in str(refused.value.data) + refused.value.detail
    play.bid(1, cases.cipher(1), moment=at(1))
    with pytest.raises(InvalidContent):
        game("sealed").bid(1, cases.cipher(1), moment=at(1))


def test_what_is_opened_has_to_be_a_bid() -> None:
    book = cases.book("weighted")
    good = cases.content(book, 100_000, values={"days": 5})
    rules.opened(book, rules.Bid(UUID(int=1), 1, good, at(1)))
    for bad, refusal in (
        ({**good, "amount_minor": 99_999}, rules.BidTooLow),
        ({**good, "values": {}}, InvalidContent),
        ({**good, "values": {"days": 5, "more": 1}}, InvalidContent),
        ({**good, "currency": "USD"}, WrongCurrency),
    ):
        with pytest.raises(refusal):
            rules.opened(book, rules.Bid(UUID(int=1), 1, bad, at(1)))


def test_a_score_counts_price_and_criteria_by_their_weights() -> None:
    play = game("weighted")
    play.bid(1, 200_000, moment=at(1), values={"days": 0})
    play.bid(2, 300_000, moment=at(1), values={"days": 180})
    play.bid(3, 400_000, moment=at(1), values={"days": 90})
    ranking = play.award()["ranking"]
    assert [(one["paddle"], one["score"]) for one in ranking] == [
        (3, [17, 20]), (2, [7, 10]), (1, [13, 20]),
    ]  # fmt: skip
    assert ranking[2]["parts"] == {"price": [1, 2], "days": [1, 1]}


def test_quotes_make_a_shortlist_and_sell_nothing() -> None:
    play = game("intent")
    play.bid(1, 120_000, moment=at(1))
    play.bid(2, 130_000, moment=at(1))
    result = play.award()
    assert (result["outcome"], result["awards"]) == ("shortlist", [])
    assert [one["paddle"] for one in result["ranking"]] == [2, 1]
    assert rules.exposure(play.book, play.standing) == {}
