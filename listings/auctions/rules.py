"""Auctions decided: an ascending price with steps and a soft close (多次报价, pure).

Source: 拍卖法 art. 30 (a seller does not bid), art. 36 (a bid binds until a higher one stands);
国资发产权规〔2025〕17号 for bidding in several rounds; Ockenfels & Roth (2006) for soft closes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts import rfc3339
from contracts.money import EXPONENTS, MOST_MINOR, AmountOutOfRange, Money, WrongCurrency
from contracts.refusal import Kind, Refusal

METHOD = "english"
# An extension longer than an hour would no longer be a soft close; practice is two to five minutes.
MOST_SOFT_CLOSE_S = 3_600
SALE_FIELDS = frozenset(
    {"method", "auction_id", "currency", "floor_minor", "step_minor",
     "opens_at", "closes_at", "soft_close_s", "hard_stop_at"}
)  # fmt: skip


class BadSale(Refusal):
    """The terms of sale contradict themselves or are incomplete."""

    kind, code = Kind.INVALID, "bad-sale"
    hint = "Give opens_at < closes_at <= hard_stop_at in UTC, and a floor and step of at least 1."


class BidTooLow(Refusal):
    """The bid would not lead."""

    kind, code = Kind.CONFLICT, "bid-too-low"
    hint = "Bid `least_minor` or more under a new bid id."


class AuctionClosed(Refusal):
    """The auction has closed; the bid came too late."""

    kind, code = Kind.CONFLICT, "auction-closed"
    hint = "No bid counts any more; `least_minor` is what would have led."


class AuctionNotOpen(Refusal):
    """The auction has not opened yet."""

    kind, code = Kind.CONFLICT, "auction-not-open"
    hint = "Bid again with the same id once `opens_at` has come."


class OwnListing(Refusal):
    """A seller, or a co-owner of the work, does not bid for it (拍卖法 art. 30)."""

    kind, code = Kind.FORBIDDEN, "own-listing"
    hint = "Only parties without a share in the work may bid."


class BidderNotVerified(Refusal):
    """The bidder is not a verified broadcaster."""

    kind, code = Kind.FORBIDDEN, "bidder-not-verified"
    hint = "Bid for a broadcaster whose papers the exchange has checked."


@dataclass(frozen=True, slots=True)
class Terms:
    """What was promised at publication and never changes; times are aware UTC."""

    currency: str
    floor_minor: int
    step_minor: int
    opens_at: datetime
    closes_at: datetime  # as announced; the standing holds the one in force
    soft_close_s: int
    hard_stop_at: datetime
    barred: frozenset[UUID] = frozenset()  # the seller and the co-owners


@dataclass(frozen=True, slots=True)
class Standing:
    """How the auction stands after the bids so far."""

    closes_at: datetime
    leading_bid: UUID | None = None
    leading_minor: int | None = None
    bids: int = 0
    extensions: int = 0
    is_closed: bool = False


@dataclass(frozen=True, slots=True)
class Bidder:
    """The party that bids, as the register knows it."""

    party_id: UUID
    is_broadcaster: bool
    is_verified: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """A bid before it is judged."""

    bid_id: UUID
    bidder: Bidder
    amount: Money


@dataclass(frozen=True, slots=True)
class Accepted:
    """The bid leads: the new standing, and whether it moved the close."""

    standing: Standing
    extended: bool


def judge(terms: Terms, standing: Standing, bid: Proposal, now: datetime) -> Accepted:
    """Decide a bid received at `now`; an accepted bid leads.

    The leader may raise its own bid, by a step like everybody. A bid is late from `closes_at` on,
    that instant included. `closes_at` never decreases and never passes the hard stop.

    Raises:
        OwnListing, BidderNotVerified: the party may not bid here.
        WrongCurrency, AmountOutOfRange: the amount does not fit the terms.
        AuctionNotOpen, AuctionClosed: too early, too late.
        BidTooLow: less than the least that would lead, which the refusal names.
    """
    _admit(terms, bid.bidder)
    _fit(terms, bid.amount)
    _in_time(terms, standing, now)
    least = least_minor(terms, standing)
    if least > MOST_MINOR:
        raise AmountOutOfRange("The price has reached its limit.", most_minor=MOST_MINOR)
    if bid.amount.amount_minor < least:
        raise BidTooLow(
            f"The least that would lead is {Money(least, terms.currency).decimal()} "
            f"{terms.currency}.",
            least_minor=least,
            currency=terms.currency,
        )
    closes_at = _soft_close(terms, standing, now)
    extended = closes_at > standing.closes_at
    after = replace(
        standing,
        closes_at=closes_at,
        leading_bid=bid.bid_id,
        leading_minor=bid.amount.amount_minor,
        bids=standing.bids + 1,
        extensions=standing.extensions + extended,
    )
    return Accepted(after, extended)


def least_minor(terms: Terms, standing: Standing) -> int:
    """Return the least amount that would lead, in minor units."""
    if standing.leading_minor is None:
        return terms.floor_minor
    return standing.leading_minor + terms.step_minor


def is_due(standing: Standing, now: datetime) -> bool:
    """Tell whether the auction is to be closed."""
    return not standing.is_closed and now >= standing.closes_at


def read_sale(sale: Mapping[str, Any], *, barred: frozenset[UUID], now: datetime) -> Terms:
    """Read the terms of sale as the wire carries them.

    Raises:
        BadSale: a field is missing, unknown or contradicts another, or the close is in the past.
        WrongCurrency: the currency is not handled.
        AmountOutOfRange: floor or step are below 1 or leave no room for a raise.
    """
    odd = SALE_FIELDS.symmetric_difference(sale)
    if odd:
        raise BadSale("The terms of sale are incomplete or unknown.", fields=sorted(odd))
    if sale["method"] != METHOD:
        raise BadSale("This method of sale is not offered.", methods=[METHOD])
    floor = Money(sale["floor_minor"], sale["currency"])
    step = Money(sale["step_minor"], sale["currency"])
    first_two = floor.amount_minor + step.amount_minor
    if min(floor.amount_minor, step.amount_minor) < 1 or first_two > MOST_MINOR:
        raise AmountOutOfRange(
            "Floor and step are at least 1 and leave room for a raise.",
            least_minor=1,
            most_minor=MOST_MINOR,
        )
    terms = Terms(
        currency=floor.currency,
        floor_minor=floor.amount_minor,
        step_minor=step.amount_minor,
        opens_at=_instant(sale["opens_at"]),
        closes_at=_instant(sale["closes_at"]),
        soft_close_s=sale["soft_close_s"],
        hard_stop_at=_instant(sale["hard_stop_at"]),
        barred=barred,
    )
    _check_times(terms, now)
    return terms


def rulebook(terms: Terms, *, auction: UUID, listing: UUID, work: UUID) -> dict[str, Any]:
    """Return the whole rules of one auction as plain JSON; its bytes are hashed at opening."""
    return {
        "version": 1,
        "auction": str(auction),
        "listing": str(listing),
        "work": str(work),
        "method": METHOD,
        "method_zh": "多次报价（增价竞价）",
        "legal_basis": (
            "Listing for sale (挂牌) with open bidding in several rounds (多次报价), after "
            "国资发产权规〔2025〕17号; a bid binds until a higher one stands (拍卖法 art. 36)."
        ),
        "currency": terms.currency,
        "exponent": EXPONENTS[terms.currency],
        "floor_minor": terms.floor_minor,
        "step_minor": terms.step_minor,
        "opens_at": rfc3339.exact(terms.opens_at),
        "closes_at": rfc3339.exact(terms.closes_at),
        "soft_close_s": terms.soft_close_s,
        "hard_stop_at": rfc3339.exact(terms.hard_stop_at),
        "bidders": "Verified broadcasters without a share in the work; known by paddle (号牌).",
        "least": "floor_minor for the first bid, then the leading amount plus step_minor.",
        "time": "The exchange's clock at the moment the bid is received.",
        "late": "A bid received at closes_at or after is refused.",
        "soft_close": (
            "A bid accepted within the last soft_close_s moves closes_at to received_at plus "
            "soft_close_s, not past hard_stop_at; closes_at never decreases."
        ),
        "tie": "Equal amounts cannot both stand: the bid earlier in sequence leads (时间优先).",
        "outcome": "The leading bid at the close wins at its amount; without a bid, unsold (流标).",
    }


def _admit(terms: Terms, bidder: Bidder) -> None:
    if bidder.party_id in terms.barred:
        raise OwnListing("You have a share in what is sold here.")
    if not (bidder.is_broadcaster and bidder.is_verified):
        raise BidderNotVerified("Only verified broadcasters bid.")


def _fit(terms: Terms, amount: Money) -> None:
    if amount.currency != terms.currency:
        raise WrongCurrency(f"Bids are in {terms.currency}.", wanted=terms.currency)
    if amount.amount_minor < 1:
        raise AmountOutOfRange("A bid is at least 1.", least_minor=1, most_minor=MOST_MINOR)


def _in_time(terms: Terms, standing: Standing, now: datetime) -> None:
    if now < terms.opens_at:
        raise AuctionNotOpen("The auction has not opened.", opens_at=rfc3339.exact(terms.opens_at))
    if standing.is_closed or now >= standing.closes_at:
        raise AuctionClosed(
            "The auction has closed.",
            closed_at=rfc3339.exact(standing.closes_at),
            least_minor=least_minor(terms, standing),
            currency=terms.currency,
        )


def _soft_close(terms: Terms, standing: Standing, now: datetime) -> datetime:
    wanted = min(terms.hard_stop_at, now + timedelta(seconds=terms.soft_close_s))
    return max(standing.closes_at, wanted)


def _check_times(terms: Terms, now: datetime) -> None:
    if type(terms.soft_close_s) is not int or not 0 <= terms.soft_close_s <= MOST_SOFT_CLOSE_S:
        raise BadSale("The soft close is out of range.", most_s=MOST_SOFT_CLOSE_S)
    if not terms.opens_at < terms.closes_at <= terms.hard_stop_at:
        raise BadSale("The times do not follow one another.")
    if terms.closes_at <= now:
        raise BadSale("The close is in the past.", closes_at=rfc3339.exact(terms.closes_at))


def _instant(text: Any) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise BadSale(f"{text!r} is not a time.") from error
    if instant.tzinfo is None:
        raise BadSale(f"{text!r} names no zone.")
    return instant.astimezone(UTC)
