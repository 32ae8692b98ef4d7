"""Laws of the opening over arbitrary bids, faults and reveals: pure rules, no database."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import rfc3339
from listings.auctions import rulebook, rules
from listings.auctions.model import Bid, Event
from listings.sealed import audit, commitment, envelope, sharing
from listings.sealed import rules as sealed
from listings.sealed.rules import Found, SealedBid
from tests.conftest import NOW
from tests.listings.sealed_factory import AUCTION, LISTING, ceremony_of, sale_of

HELD = ceremony_of()
KEY = sharing.join({holder: HELD.shares[holder] for holder in ("seller", "exchange")})
CLOSES = NOW + timedelta(hours=1)
WHOLE = ("good", "copied", "garbage", "low", "other-promise")


def book_of(method: str) -> tuple[dict[str, Any], Any]:
    sale = rulebook.read_sale(sale_of(HELD, method=method), barred=frozenset(), now=NOW)
    made = rulebook.rulebook(sale, auction=AUCTION, listing=LISTING, work=UUID(int=9))
    return made, rulebook.read(made)


BOOKS = {method: book_of(method)[1] for method in ("sealed", "vickrey")}
BIDS = st.lists(
    st.tuples(st.integers(1, 5), st.sampled_from(WHOLE), st.integers(100_000, 100_020)),
    min_size=1, max_size=8,
)  # fmt: skip


def content_of(paddle: int, kind: str, amount: int, before: list[SealedBid]) -> dict[str, str]:
    """What somebody sends: honestly, or not."""
    if kind == "copied" and before:
        return dict(before[0].content)
    if kind == "garbage":
        raw = b"\x01\x04" + bytes(HELD.opening.plain_bytes + commitment.OVERHEAD - 2)
        return {"commitment": "cd" * 32, "sealed": commitment.encoded(raw)}
    asked = {"amount_minor": 99 if kind == "low" else amount, "currency": "CNY"}
    made = envelope.seal(HELD.opening, listing=LISTING, paddle=paddle, content=asked).content
    if kind == "other-promise":
        return {**made, "commitment": "ab" * 32}
    return made


def sent(plan: list[tuple[int, str, int]]) -> list[SealedBid]:
    bids: list[SealedBid] = []
    for n, (paddle, kind, amount) in enumerate(plan):
        content = content_of(paddle, kind, amount, bids)
        bids.append(SealedBid(UUID(int=1000 + n), paddle, n + 1, content))
    return bids


def counts(plan: list[tuple[int, str, int]]) -> dict[int, int]:
    """A naive model: the amount of each paddle whose last bid is honest and high enough."""
    last = {paddle: (n, kind, amount) for n, (paddle, kind, amount) in enumerate(plan)}
    found = {}
    for paddle, (n, kind, amount) in last.items():
        # a copy of one's own first bid is honest; with nothing to copy it is an honest bid
        own = kind == "copied" and n > 0 and plan[0][0] == paddle
        honest = kind == "good" or (kind == "copied" and n == 0)
        if honest:
            found[paddle] = amount
        elif own and (plan[0][1] == "good" or plan[0][1] == "copied"):
            found[paddle] = plan[0][2]
    return found


def log_of(book: Any, bids: list[SealedBid], body: dict[str, Any]) -> list[Event]:
    """The whole log of an auction with these bids and this opening."""
    events = [Event(0, "opened", NOW, {"rulebook_sha256": book.sha256})]
    standing = rules.advance(book, rules.begin(book), events[0])
    for bid in bids:
        at = NOW + timedelta(seconds=bid.sequence)
        verdict = rules.judge(book, standing, Bid(bid.bid, bid.paddle, bid.content, at))
        events.append(
            Event(
                verdict.standing.seq, "bid", at,
                {"bid": str(bid.bid), "paddle": bid.paddle, "content": dict(bid.content),
                 "rulebook_sha256": book.sha256, "signed": None, "after": dict(verdict.after)},
            )
        )  # fmt: skip
        standing = verdict.standing
    closed = {"closes_at": rfc3339.exact(CLOSES)}
    for kind, at, said in (
        ("closed", CLOSES, closed), ("roll", CLOSES, {"paddles": []}), ("revealed", CLOSES, body),
    ):  # fmt: skip
        events.append(Event(len(events), kind, at, said))
    return events


def opening(book: Any, bids: list[SealedBid], found: dict[UUID, Found]) -> dict[str, Any]:
    """What the service writes: every standing bid, opened or out."""
    lot = sealed.Lot(AUCTION, LISTING, True, False, False, CLOSES, 3600)
    judged = []
    for bid in sealed.standing(bids):
        one = sealed.opened(lot, bid, found.get(bid.bid), missing=sealed.BROKEN)
        fault = one.found and audit.reason(book, one.found, cap_minor=None)
        judged.append(sealed.Opened(one.bid, one.paddle, None, fault) if fault else one)
    return {
        "openings": [one.wire() for one in judged if one.reason is None],
        "failures": [one.wire() for one in judged if one.reason is not None],
        "key": None,
    }


def unsealed(bids: list[SealedBid]) -> dict[UUID, Found]:
    tried = {bid.bid: audit.unsealed(KEY, AUCTION, bid) for bid in sealed.standing(bids)}
    return {bid: found for bid, found in tried.items() if found is not None}


@settings(max_examples=80)
@given(BIDS)
def test_the_key_opens_exactly_the_last_honest_bid_of_each_paddle(
    plan: list[tuple[int, str, int]],
) -> None:
    bids, book = sent(plan), BOOKS["sealed"]
    body = opening(book, bids, unsealed(bids))
    paddles = {str(bid.bid): bid.paddle for bid in bids}
    amounts = {paddles[one["bid"]]: one["content"]["amount_minor"] for one in body["openings"]}
    assert amounts == counts(plan)
    named = [one["bid"] for one in (*body["openings"], *body["failures"])]
    assert sorted(named) == sorted(str(bid.bid) for bid in sealed.standing(bids))


@settings(max_examples=60)
@given(BIDS, st.sampled_from(sorted(BOOKS)), st.data())
def test_invariant_23_withheld_reveals_never_change_the_order_of_the_others(
    plan: list[tuple[int, str, int]], method: str, data: st.DataObject
) -> None:
    bids, book = sent(plan), BOOKS[method]
    found = unsealed(bids)
    some = data.draw(st.sets(st.sampled_from(sorted(found)))) if found else set()
    everything = rules.award(book, log_of(book, bids, opening(book, bids, found)))
    revealed = {bid: found[bid] for bid in some}
    less = rules.award(book, log_of(book, bids, opening(book, bids, revealed)))
    shown = {str(bid) for bid in some}
    assert [one["bid"] for one in less["ranking"]] == [
        one["bid"] for one in everything["ranking"] if one["bid"] in shown
    ]


@settings(max_examples=60)
@given(BIDS, st.integers(100_000, 200_000))
def test_a_bid_that_does_not_open_changes_the_result_like_no_bid_at_all(
    plan: list[tuple[int, str, int]], amount: int
) -> None:
    book = BOOKS["vickrey"]
    bids = sent(plan)
    garbage = SealedBid(UUID(int=5), 99, len(bids) + 1, content_of(99, "garbage", amount, []))
    found, more = unsealed(bids), [*bids, garbage]
    with_it = rules.award(book, log_of(book, more, opening(book, more, found)))
    without = rules.award(book, log_of(book, bids, opening(book, bids, found)))
    same = ("outcome", "awards", "reason", "ranking")
    assert [with_it[name] for name in same] == [without[name] for name in same]


@settings(max_examples=40)
@given(BIDS, st.permutations(range(8)))
def test_the_order_in_which_bids_are_opened_changes_nothing(
    plan: list[tuple[int, str, int]], order: list[int]
) -> None:
    bids, book = sent(plan), BOOKS["sealed"]
    shuffled = [bids[n] for n in order if n < len(bids)]
    assert sealed.standing(shuffled) == sealed.standing(bids)
    assert opening(book, shuffled, unsealed(bids)) == opening(book, bids, unsealed(bids))


@settings(max_examples=60)
@given(
    st.tuples(st.booleans(), st.booleans(), st.booleans()), st.integers(-10, 4000),
)  # fmt: skip
def test_nothing_is_taken_before_the_close_or_after_the_opening(
    state: tuple[bool, bool, bool], after_s: int
) -> None:
    is_closed, is_void, is_opened = state
    lot = sealed.Lot(AUCTION, LISTING, is_closed, is_void, is_opened, CLOSES, 3600)
    bid = sent([(7, "good", 100_000)])[0]
    found = unsealed([bid])[bid.bid]
    now = CLOSES + timedelta(seconds=after_s)
    try:
        sealed.check_reveal(lot, bid, standing=[bid], found=found, now=now)
        taken = True
    except (sealed.OpeningNotDue, sealed.OpeningDone, sealed.RevealOver):
        taken = False
    assert taken == (is_closed and not is_void and not is_opened and after_s < 3600)
