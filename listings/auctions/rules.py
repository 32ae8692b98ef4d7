"""Auctions decided: a bid against a standing, a log folded, an award (竞价, pure).

`RULES.md` beside this file is the text of these rules; a second implementation is written from it.
Source: 拍卖法 art. 36 (a bid binds until a higher one stands), art. 50 (a bid below the reserve has
no effect); 国资发产权规〔2025〕17号 for the methods.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts import rfc3339
from contracts.refusal import Refusal
from listings.auctions import closing, contents, logs
from listings.auctions.model import (
    Accepted,
    Bid,
    Book,
    BrokenLog,
    Case,
    Event,
    Outcome,
    Standing,
)
from listings.auctions.refusals import (
    AlreadyBid,
    AlreadyTaken,
    AuctionClosed,
    AuctionNotOpen,
    AuctionPaused,
    BadSale,
    BidNotAStep,
    BidNotSealed,
    BidTooLow,
    MatchingOnly,
    NoFirstRefusal,
    NoFreeBid,
    NothingToMatch,
    StaleTick,
    WrongPrice,
)

__all__ = [
    "Accepted",
    "AlreadyBid",
    "AlreadyTaken",
    "AuctionClosed",
    "AuctionNotOpen",
    "AuctionPaused",
    "BadSale",
    "Bid",
    "BidNotAStep",
    "BidNotSealed",
    "BidTooLow",
    "Book",
    "BrokenLog",
    "Event",
    "MatchingOnly",
    "NoFirstRefusal",
    "NoFreeBid",
    "NothingToMatch",
    "StaleTick",
    "Standing",
    "WrongPrice",
    "advance",
    "award",
    "begin",
    "exposure",
    "fold",
    "is_due",
    "judge",
    "least_minor",
    "opened",
    "phase",
    "settles_at_close",
]  # fmt: skip


def begin(book: Book) -> Standing:
    """Return the standing before the first event."""
    return Standing(
        seq=-1,
        bids=0,
        extensions=0,
        closes_at=book.closes_at + book.match_window,
        hard_stop_at=book.hard_stop_at,
        phase="bidding",
        paused_at=None,
        price_minor=None,
        leading_bid=None,
        leading_paddle=None,
    )


def judge(book: Book, standing: Standing, bid: Bid) -> Accepted:
    """Decide a bid by the instant it was received at; nothing changes on a refusal.

    Raises:
        InvalidContent, WrongCurrency, BidNotSealed, BadSeal: the content does not fit the rules.
        AuctionNotOpen, AuctionClosed, AuctionPaused: too early, too late, inside a pause.
        Refusal: what the method says no with (BidTooLow, AlreadyTaken, StaleTick, …).
    """
    content = contents.fit(book, bid.content)
    bid = Bid(bid.bid_id, bid.paddle, content, bid.received_at)
    closing.check_time(book, standing, bid.received_at)
    change = book.mechanism.propose(book, standing, bid)
    closes_at = closing.closes_at(book, standing, change, bid.received_at)
    extended = closes_at > standing.closes_at
    after = Standing(
        seq=standing.seq + 1,
        bids=standing.bids + 1,
        extensions=standing.extensions + extended,
        closes_at=closes_at,
        hard_stop_at=standing.hard_stop_at,
        phase=standing.phase,
        paused_at=standing.paused_at,
        price_minor=change.price_minor,
        leading_bid=change.leading_bid,
        leading_paddle=change.leading_paddle,
        own=change.own,
    )
    return Accepted(after, _after(after), extended)


def opened(book: Book, bid: Bid) -> None:
    """Check that what was sealed could have been a bid in clear.

    Raises:
        Refusal: it could not; the bid does not count.
    """
    book.mechanism.check(book, contents.clear(book, bid.content))


def advance(book: Book, standing: Standing, event: Event) -> Standing:
    """Return the standing after one more event of the log; bids are judged again.

    Raises:
        BrokenLog: these rules could not have written this event here.
    """
    if event.seq != standing.seq + 1 or (event.kind == "opened") != (event.seq == 0):
        raise BrokenLog(f"event {event.seq} ({event.kind}) does not follow {standing.seq}")
    if event.kind != "bid":
        return logs.follow(book, standing, event)
    body = event.body
    bid = Bid(UUID(body["bid"]), body["paddle"], body["content"], event.at)
    try:
        accepted = judge(book, standing, bid)
    except Refusal as refusal:
        raise BrokenLog(f"event {event.seq}: the bid is refused: {refusal.code}") from refusal
    if body["after"] != accepted.after or body["rulebook_sha256"] != book.sha256:
        raise BrokenLog(f"event {event.seq}: the bid leaves another standing")
    return accepted.standing


def fold(book: Book, events: Iterable[Event]) -> Standing:
    """Return the standing after a log.

    Raises:
        BrokenLog: these rules could not have written it.
    """
    standing = begin(book)
    for event in events:
        standing = advance(book, standing, event)
    return standing


def least_minor(book: Book, standing: Standing) -> int | None:
    """Return the least that would lead, in minor units; None where nobody is told."""
    return book.mechanism.least_minor(book, standing)


def exposure(book: Book, standing: Standing) -> Mapping[int, int]:
    """Return what each paddle is bound for now, in minor units."""
    return book.mechanism.exposure(book, standing)


def is_due(standing: Standing, now: datetime) -> bool:
    """Tell whether the auction is to be closed."""
    return standing.phase != "ended" and standing.paused_at is None and now >= standing.closes_at


def phase(book: Book, standing: Standing, now: datetime) -> str:
    """Return `bidding`, `matching` (only holders of a first refusal act) or `ended`."""
    if standing.phase == "ended" or now >= standing.closes_at:
        return "ended"
    return "bidding" if now < closing.bidding_ends_at(book, standing) else "matching"


def settles_at_close(book: Book) -> bool:
    """Tell whether the result follows the close at once."""
    return book.method != "package" and book.secrecy["amounts"] != "sealed"


def award(book: Book, events: Sequence[Event]) -> dict[str, Any]:
    """Return the result of a closed log; earlier results in it are passed over.

    Raises:
        BrokenLog: the log is not closed, or something that was committed to is not opened.
    """
    case = logs.case(book, events)
    bids = [event.seq for event in events if event.kind == "bid"]
    outcome = _outcome(book, case, is_empty=not bids)
    return {
        "outcome": outcome.outcome,
        "awards": outcome.awards,
        "reason": outcome.reason,
        "ranking": outcome.ranking,
        "bids": len(bids),
        "rulebook_sha256": book.sha256,
        "last_bid_seq": bids[-1] if bids else None,
    }


def _outcome(book: Book, case: Case, *, is_empty: bool) -> Outcome:
    if is_empty:
        return Outcome("unsold", "no-bids", [], [])
    found = book.mechanism.decide(book, case)
    if case.out and book.default == "none":
        return Outcome("unsold", "defaulted", [], found.ranking)
    return found


def _after(standing: Standing) -> dict[str, Any]:
    return {
        "closes_at": rfc3339.exact(standing.closes_at),
        "price_minor": standing.price_minor,
        "leading_bid": str(standing.leading_bid) if standing.leading_bid else None,
    }
