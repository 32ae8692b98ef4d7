import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.money import MOST_MINOR, AmountOutOfRange, Money, WrongCurrency
from contracts.refusal import Refusal
from listings.auctions import rules
from listings.auctions.rules import Accepted, Bidder, Proposal, Standing, Terms, judge
from tests.conftest import NOW
from tests.listings.auctions_factory import sale_of

SELLER = UUID(int=1)
BIDDERS = [Bidder(UUID(int=n), True, True) for n in (2, 3, 4)]
TERMS = Terms(
    currency="CNY",
    floor_minor=100_000,
    step_minor=1_000,
    opens_at=NOW,
    closes_at=NOW + timedelta(minutes=10),
    soft_close_s=60,
    hard_stop_at=NOW + timedelta(minutes=12),
    barred=frozenset({SELLER}),
)
START = Standing(closes_at=TERMS.closes_at)


def proposal(amount_minor: int, *, number: int = 0, bidder: Bidder = BIDDERS[0]) -> Proposal:
    return Proposal(UUID(int=1_000 + number), bidder, Money(amount_minor, "CNY"))


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    floor = draw(st.integers(1, 10**6))
    open_s = draw(st.integers(1, 3_600))
    closes_at = NOW + timedelta(seconds=open_s)
    return Terms(
        currency="CNY",
        floor_minor=floor,
        step_minor=draw(st.integers(1, 10**5)),
        opens_at=NOW,
        closes_at=closes_at,
        soft_close_s=draw(st.integers(0, 3_600)),
        hard_stop_at=closes_at + timedelta(seconds=draw(st.integers(0, 7_200))),
        barred=frozenset({SELLER}),
    )


@st.composite
def sequences(draw: st.DrawFn) -> tuple[Terms, list[tuple[Proposal, datetime]]]:
    """Terms, and bids at times that mostly go forward but may step back a little."""
    rule, log, seconds = draw(terms()), [], 0
    for number in range(draw(st.integers(0, 25))):
        seconds += draw(st.integers(-5, 600))
        amount = draw(st.integers(1, 3 * 10**6))
        who = draw(st.sampled_from(BIDDERS))
        log.append((proposal(amount, number=number, bidder=who), NOW + timedelta(seconds=seconds)))
    return rule, log


def play(
    rule: Terms,
    log: list[tuple[Proposal, datetime]],
    seen: Callable[[Standing, Standing, Proposal, datetime], None] = lambda *_: None,
) -> tuple[Standing, list[tuple[Proposal, datetime]]]:
    standing, accepted = Standing(closes_at=rule.closes_at), []
    for bid, at in log:
        try:
            verdict = judge(rule, standing, bid, at)
        except Refusal:
            continue
        seen(standing, verdict.standing, bid, at)
        standing = verdict.standing
        accepted.append((bid, at))
    return standing, accepted


@given(sequences())
def test_accepted_amounts_rise_by_at_least_a_step(
    case: tuple[Terms, list[tuple[Proposal, datetime]]],
) -> None:
    rule, log = case
    _, accepted = play(rule, log)
    amounts = [bid.amount.amount_minor for bid, _ in accepted]
    assert all(b - a >= rule.step_minor for a, b in itertools.pairwise(amounts))
    assert all(amount >= rule.floor_minor for amount in amounts)


@given(sequences())
def test_the_standing_is_the_highest_accepted_bid(
    case: tuple[Terms, list[tuple[Proposal, datetime]]],
) -> None:
    standing, accepted = play(*case)
    assert standing.bids == len(accepted)
    best = max(accepted, key=lambda entry: entry[0].amount.amount_minor, default=None)
    if best is None:
        assert (standing.leading_bid, standing.leading_minor) == (None, None)
    else:
        assert standing.leading_bid == best[0].bid_id
        assert standing.leading_minor == best[0].amount.amount_minor


@given(sequences())
def test_the_close_never_goes_back_and_never_passes_the_hard_stop(
    case: tuple[Terms, list[tuple[Proposal, datetime]]],
) -> None:
    rule, log = case

    def seen(before: Standing, after: Standing, _bid: Proposal, at: datetime) -> None:
        assert before.closes_at <= after.closes_at <= rule.hard_stop_at
        assert rule.opens_at <= at < before.closes_at
        assert after.extensions - before.extensions == (after.closes_at > before.closes_at)
        left = min(rule.hard_stop_at, at + timedelta(seconds=rule.soft_close_s))
        assert after.closes_at >= left

    play(rule, log, seen)


@given(sequences())
def test_replaying_the_accepted_bids_gives_the_same_standing(
    case: tuple[Terms, list[tuple[Proposal, datetime]]],
) -> None:
    rule, log = case
    standing, accepted = play(rule, log)
    again, all_of_them = play(rule, accepted)
    assert again == standing
    assert all_of_them == accepted


@given(sequences())
def test_the_least_that_a_refusal_names_is_accepted_at_once(
    case: tuple[Terms, list[tuple[Proposal, datetime]]],
) -> None:
    rule, log = case
    standing = Standing(closes_at=rule.closes_at)
    for bid, at in log:
        try:
            standing = judge(rule, standing, bid, at).standing
        except rules.BidTooLow as refusal:
            least = Money(refusal.data["least_minor"], refusal.data["currency"])
            verdict = judge(rule, standing, replace(bid, amount=least), at)
            assert verdict.standing.leading_minor == least.amount_minor
            below = Money(least.amount_minor - 1, least.currency)
            if below.amount_minor:
                with pytest.raises(rules.BidTooLow):
                    judge(rule, standing, replace(bid, amount=below), at)
        except (rules.AuctionClosed, rules.AuctionNotOpen):
            continue


def test_the_first_bid_may_be_the_floor() -> None:
    verdict = judge(TERMS, START, proposal(100_000), NOW)
    assert verdict == Accepted(
        replace(START, leading_bid=UUID(int=1_000), leading_minor=100_000, bids=1), False
    )


def test_a_low_bid_is_told_the_least_that_would_lead() -> None:
    standing = judge(TERMS, START, proposal(150_000), NOW).standing
    with pytest.raises(rules.BidTooLow) as refused:
        judge(TERMS, standing, proposal(150_999, bidder=BIDDERS[1]), NOW)
    assert refused.value.data == {"least_minor": 151_000, "currency": "CNY"}


def test_the_leader_raises_itself_by_a_step_like_everybody() -> None:
    standing = judge(TERMS, START, proposal(150_000), NOW).standing
    with pytest.raises(rules.BidTooLow):
        judge(TERMS, standing, proposal(150_500, number=1), NOW)
    assert judge(TERMS, standing, proposal(151_000, number=1), NOW).standing.bids == 2


def test_a_bid_in_the_last_minute_extends_the_close() -> None:
    at = TERMS.closes_at - timedelta(seconds=20)
    verdict = judge(TERMS, START, proposal(100_000), at)
    assert verdict.extended
    assert verdict.standing.closes_at == at + timedelta(seconds=60)
    assert verdict.standing.extensions == 1


def test_a_bid_before_the_last_minute_leaves_the_close_alone() -> None:
    at = TERMS.closes_at - timedelta(seconds=60)
    verdict = judge(TERMS, START, proposal(100_000), at)
    assert (verdict.extended, verdict.standing.closes_at) == (False, TERMS.closes_at)


def test_the_hard_stop_ends_the_extensions() -> None:
    standing = replace(START, closes_at=TERMS.hard_stop_at)
    at = TERMS.hard_stop_at - timedelta(microseconds=1)
    assert not judge(TERMS, standing, proposal(100_000), at).extended


def test_a_bid_at_the_very_instant_of_the_close_is_late() -> None:
    with pytest.raises(rules.AuctionClosed) as refused:
        judge(TERMS, START, proposal(100_000), TERMS.closes_at)
    assert refused.value.data == {
        "closed_at": "2026-11-22T09:10:00Z", "least_minor": 100_000, "currency": "CNY",
    }  # fmt: skip


def test_a_closed_auction_takes_no_bid_even_one_that_was_received_in_time() -> None:
    with pytest.raises(rules.AuctionClosed):
        judge(TERMS, replace(START, is_closed=True), proposal(100_000), NOW)


def test_a_bid_before_the_opening_is_refused() -> None:
    with pytest.raises(rules.AuctionNotOpen) as refused:
        judge(TERMS, START, proposal(100_000), NOW - timedelta(seconds=1))
    assert refused.value.data == {"opens_at": "2026-11-22T09:00:00Z"}


def test_the_seller_does_not_bid() -> None:
    with pytest.raises(rules.OwnListing):
        judge(TERMS, START, proposal(100_000, bidder=Bidder(SELLER, True, True)), NOW)


@pytest.mark.parametrize(
    "bidder", [Bidder(UUID(int=9), False, True), Bidder(UUID(int=9), True, False)]
)
def test_only_verified_broadcasters_bid(bidder: Bidder) -> None:
    with pytest.raises(rules.BidderNotVerified):
        judge(TERMS, START, proposal(100_000, bidder=bidder), NOW)


def test_a_bid_in_another_currency_is_refused() -> None:
    bid = Proposal(UUID(int=5), BIDDERS[0], Money(100_000, "HKD"))
    with pytest.raises(WrongCurrency) as refused:
        judge(TERMS, START, bid, NOW)
    assert refused.value.data == {"wanted": "CNY"}


@pytest.mark.parametrize("amount", [0, -1, -MOST_MINOR])
def test_a_bid_of_nothing_or_less_is_refused(amount: int) -> None:
    with pytest.raises(AmountOutOfRange):
        judge(TERMS, START, proposal(amount), NOW)


def test_a_price_at_its_limit_is_raised_no_more() -> None:
    standing = judge(TERMS, START, proposal(MOST_MINOR), NOW).standing
    with pytest.raises(AmountOutOfRange):
        judge(TERMS, standing, proposal(MOST_MINOR, number=1), NOW)


def test_an_auction_is_due_from_its_close_on_and_only_once() -> None:
    assert not rules.is_due(START, TERMS.closes_at - timedelta(microseconds=1))
    assert rules.is_due(START, TERMS.closes_at)
    assert not rules.is_due(replace(START, is_closed=True), TERMS.closes_at)


def test_the_terms_of_sale_are_read() -> None:
    read = rules.read_sale(
        sale_of(UUID(int=7), NOW, hard_stop_at="2026-11-22T17:12:00+08:00"),
        barred=frozenset({SELLER}),
        now=NOW,
    )
    assert read == TERMS


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "dutch"},
        {"surprise": 1},
        {"soft_close_s": -1},
        {"soft_close_s": 3_601},
        {"soft_close_s": True},
        {"closes_at": "2026-11-22T09:00:00Z"},
        {"hard_stop_at": "2026-11-22T09:09:59Z"},
        {"opens_at": "2026-11-22T09:10:00Z"},
        {"opens_at": "2026-11-20T09:00:00Z", "closes_at": "2026-11-21T09:00:00Z"},
        {"closes_at": "soon"},
        {"closes_at": 12},
        {"closes_at": "2026-11-22T09:10:00"},
    ],
)
def test_terms_of_sale_that_do_not_hold_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(rules.BadSale):
        rules.read_sale(sale_of(UUID(int=7), NOW, **changes), barred=frozenset(), now=NOW)


@pytest.mark.parametrize("name", ["floor_minor", "step_minor"])
@pytest.mark.parametrize("value", [0, -5, MOST_MINOR + 1, MOST_MINOR, 1.5, True, "7"])
def test_floor_and_step_are_whole_and_leave_room(name: str, value: object) -> None:
    with pytest.raises(AmountOutOfRange):
        rules.read_sale(sale_of(UUID(int=7), NOW, **{name: value}), barred=frozenset(), now=NOW)
