"""When sealed bids open, for whom, and what becomes of those that do not (pure).

Shares count once the auction is closed, not before. Two of them open every bid together. Until
then, and for `reveal_s` after the close, a bidder may say itself what it sealed; if two shares have
not come by then, the bids that were said are opened, together as well, and the others are out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from contracts import rfc3339
from contracts.refusal import Kind, Refusal
from listings.sealed import commitment
from listings.sealed.sharing import HOLDERS

BROKEN, MISMATCH = "does-not-decrypt", "commitment-mismatch"
BAD_CONTENT, NOT_REVEALED, ABOVE_CAP = "bad-content", "not-revealed", "above-cap"
FORFEITS = "seal-not-opened"  # the trigger that a notice names for deposits


class NotTheHolder(Refusal):
    """Another holder acknowledges and hands in this share."""

    kind, code = Kind.FORBIDDEN, "not-the-holder"
    hint = "The seller, an operator and an auditor each act for their own share alone."


class OpeningKeyNotReady(Refusal):
    """The opening key is not registered, or a holder has not shown that it has its share."""

    kind, code = Kind.CONFLICT, "opening-key-not-ready"
    hint = "Register `opening.json`, then have `missing` run `exchange sealed acknowledge`."


class OpeningNotDue(Refusal):
    """Nothing of a sealed auction is opened before its close."""

    kind, code = Kind.CONFLICT, "opening-not-due"
    hint = "Keep the share, or the sealed bid, and send it after `closes_at`."


class OpeningDone(Refusal):
    """The bids are open already."""

    kind, code = Kind.CONFLICT, "opening-done"
    hint = "Read what was opened at /v1/auctions/{id}/opening."


class RevealMismatch(Refusal):
    """The content and the nonce are not those of the commitment."""

    kind, code = Kind.CONFLICT, "reveal-mismatch"
    hint = "Send exactly what was kept when the bid was sealed: `exchange bid open FILE`."


class RevealOver(Refusal):
    """The time in which bidders may open their bids themselves is over."""

    kind, code = Kind.CONFLICT, "reveal-over"
    hint = "It lasted until `until`; what was not opened by then is out."


class BidReplaced(Refusal):
    """A later sealed bid of the same bidder stands in its place."""

    kind, code = Kind.CONFLICT, "bid-replaced"
    hint = "Open the bid named in `by`."


@dataclass(frozen=True, slots=True)
class Lot:
    """What the opening of an auction depends on."""

    auction: UUID
    listing: UUID
    is_closed: bool
    is_void: bool
    is_opened: bool
    closes_at: datetime
    reveal_s: int

    @property
    def reveal_until(self) -> datetime:
        """The end of the time in which bidders may open their bids themselves."""
        return self.closes_at + timedelta(seconds=self.reveal_s)


@dataclass(frozen=True, slots=True)
class SealedBid:
    """A bid as the log holds it, with its number there."""

    bid: UUID
    paddle: int
    sequence: int
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What a bid is said to hold, by its ciphertext or by its bidder."""

    content: dict[str, Any]
    nonce: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """A bid, opened; or the reason why it is out."""

    bid: UUID
    paddle: int
    found: Found | None
    reason: str | None

    def wire(self) -> dict[str, Any]:
        """Return it as the event `revealed` names it."""
        if self.found is None:
            return {"bid": str(self.bid), "reason": self.reason}
        return {
            "bid": str(self.bid), "content": self.found.content, "nonce": self.found.nonce.hex(),
        }  # fmt: skip


def check_due(lot: Lot) -> None:
    """Check that the opening may go on.

    Raises:
        OpeningNotDue: the auction has not closed.
        OpeningDone: the bids are open, or never will be.
    """
    if lot.is_opened or lot.is_void:
        raise OpeningDone("The bids of this auction are opened, or the auction is void.")
    if not lot.is_closed:
        raise OpeningNotDue("The auction has not closed.", closes_at=rfc3339.exact(lot.closes_at))


def check_reveal(
    lot: Lot, bid: SealedBid, *, standing: Iterable[SealedBid], found: Found, now: datetime
) -> None:
    """Check that a bidder opens its standing bid, as it was sealed, in time.

    Raises:
        OpeningNotDue, OpeningDone: see `check_due`.
        RevealOver: it comes too late.
        BidReplaced: another bid of the same bidder stands.
        RevealMismatch: it is not what was sealed.
    """
    check_due(lot)
    if now >= lot.reveal_until:
        raise RevealOver("It is too late.", until=rfc3339.exact(lot.reveal_until))
    stands = next(one for one in standing if one.paddle == bid.paddle)
    if stands.bid != bid.bid:
        raise BidReplaced("A later bid stands.", by=str(stands.bid))
    if not _fits(lot, bid, found):
        raise RevealMismatch("This is not what was sealed.")


def standing(bids: Iterable[SealedBid]) -> list[SealedBid]:
    """Return the bids that stand, the latest of each paddle, in the order of their sequence."""
    latest: dict[int, SealedBid] = {}
    for bid in sorted(bids, key=lambda one: one.sequence):
        latest[bid.paddle] = bid
    return sorted(latest.values(), key=lambda one: one.sequence)


def opened(lot: Lot, bid: SealedBid, found: Found | None, *, missing: str) -> Opened:
    """Judge what was found in a bid; `missing` is the reason when nothing was."""
    if found is None:
        return Opened(bid.bid, bid.paddle, None, missing)
    if not _fits(lot, bid, found):
        return Opened(bid.bid, bid.paddle, None, MISMATCH)
    return Opened(bid.bid, bid.paddle, found, None)


def missing_holders(acknowledged: Iterable[str]) -> list[str]:
    """Return the holders who have not shown that they have their share."""
    known = set(acknowledged)
    return [holder for holder in HOLDERS if holder not in known]


def bound_minor(content: Mapping[str, Any]) -> int:
    """Return the most that an opened bid binds its bidder for."""
    said: list[int] = [one["amount_minor"] for one in content.get("packages", ())]
    said.append(content.get("amount_minor", 0))
    return max(said)


def _fits(lot: Lot, bid: SealedBid, found: Found) -> bool:
    try:
        said = commitment.of(
            auction=lot.auction,
            listing=lot.listing,
            paddle=bid.paddle,
            content=found.content,
            nonce=found.nonce,
        )
    except (Refusal, ValueError):  # no single form, or no nonce: nothing that could be sealed
        return False
    return said == str(bid.content["commitment"])
