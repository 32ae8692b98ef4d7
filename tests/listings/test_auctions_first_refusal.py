"""First refusal (场内行权): who may match the price, when, and what follows."""

from datetime import timedelta

import pytest

from listings.auctions import rules
from tests.listings.auctions_cases import at, game

SECOND = timedelta(seconds=1)


def test_a_holder_matches_after_the_end_of_bidding_and_leads_at_the_same_price() -> None:
    play = game("refusal")
    play.bid(4, 150_000, moment=at(5))
    assert play.standing.closes_at == at(12)
    assert rules.phase(play.book, play.standing, at(11)) == "matching"
    play.bid(1, {"match": True}, moment=at(11))
    assert (play.standing.leading_paddle, play.standing.price_minor) == (1, 150_000)
    award = play.award()["awards"][0]
    assert (award["paddle"], award["amount_minor"]) == (1, 150_000)


def test_after_a_match_bidding_is_open_again_and_the_holder_may_match_again() -> None:
    play = game("refusal")
    play.bid(4, 150_000, moment=at(5))
    play.bid(1, {"match": True}, moment=at(11))
    assert rules.phase(play.book, play.standing, at(12)) == "bidding"
    play.bid(4, 151_000, moment=at(12))
    play.bid(1, {"match": True}, moment=play.standing.closes_at - SECOND)
    ranking = play.award()["ranking"]
    assert [(one["paddle"], one["amount_minor"]) for one in ranking] == [(1, 151_000), (4, 151_000)]


def test_matching_is_for_holders_alone_and_in_its_time() -> None:
    play = game("refusal")
    with pytest.raises(rules.NothingToMatch):
        play.bid(1, {"match": True}, moment=at(11))
    play.bid(4, 150_000, moment=at(5))
    with pytest.raises(rules.NothingToMatch):
        play.bid(1, {"match": True}, moment=at(9))
    with pytest.raises(rules.NoFirstRefusal):
        play.bid(3, {"match": True}, moment=at(11))
    with pytest.raises(rules.MatchingOnly):
        play.bid(3, 200_000, moment=at(11))
    play.bid(2, {"match": True}, moment=at(11))
    with pytest.raises(rules.NothingToMatch):
        play.bid(1, {"match": True}, moment=play.standing.closes_at - SECOND)
    with pytest.raises(rules.NoFirstRefusal):
        game().bid(1, {"match": True}, moment=at(1))


def test_a_match_keeps_its_price_when_the_bidder_it_matched_defaults() -> None:
    play = game("refusal")
    play.bid(4, 150_000, moment=at(5))
    play.bid(1, {"match": True}, moment=at(11))
    play.close()
    play.default(4)
    assert play.award()["awards"][0]["amount_minor"] == 150_000
