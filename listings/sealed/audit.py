"""Was every bid opened as it was sealed? Asked of an exported log alone, by whoever has it (pure).

The opening publishes the private key: so each bid can be decrypted again, and a bid that opens
cannot be called broken. Whether the log itself is whole is for `verify_auction.py` to say.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts import canonical
from contracts.refusal import Kind, Refusal
from listings.auctions import contents, rulebook
from listings.auctions.model import Book
from listings.sealed import curve, envelope, opening, rules
from listings.sealed.envelope import SealBroken
from listings.sealed.rules import Found, SealedBid

LEFT_OUT, STRANGE, WRONG_KEY, OTHER = "left-out", "not-standing", "wrong-key", "other-content"


class NothingOpened(Refusal):
    """The log is not that of a sealed auction, or its bids were never opened."""

    kind, code = Kind.INVALID, "nothing-opened"
    hint = "Export the log of a sealed auction once its result is in."


@dataclass(frozen=True, slots=True)
class Fault:
    """A bid about which the log says one thing, and its ciphertext another."""

    bid: str
    said: str
    found: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was found; `trusted` counts failures that a log without the key cannot show."""

    checked: int
    trusted: int
    faults: tuple[Fault, ...]


def audit(lines: Iterable[bytes]) -> Report:
    """Open every bid of an exported log again and compare.

    Raises:
        NothingOpened: there is nothing to compare.
        Refusal: the file is no such log.
    """
    documents = [canonical.loads(line) for line in lines]
    try:
        book = rulebook.read(documents[0]["rulebook"])
        events = documents[1:]
        bids = [_bid(event) for event in events if event["kind"] == "bid"]
        body = next(event["body"] for event in events if event["kind"] == "revealed")
        return _compared(book, rules.standing(bids), body)
    except (IndexError, KeyError, TypeError, ValueError, StopIteration) as wrong:
        raise NothingOpened("No sealed bids were opened in this log.") from wrong


def reason(book: Book, found: Found, *, cap_minor: int | None) -> str | None:
    """Return why an opened content could not have been a bid; None if it could."""
    try:
        book.mechanism.check(book, contents.clear(book, found.content))
    except Refusal:
        return rules.BAD_CONTENT
    if cap_minor is not None and rules.bound_minor(found.content) > cap_minor:
        return rules.ABOVE_CAP
    return None


def unsealed(private: int, lot_auction: UUID, bid: SealedBid) -> Found | None:
    """Return what a bid's ciphertext holds; None if it does not open."""
    try:
        held, nonce = envelope.unseal(private, bid.content, auction=lot_auction, paddle=bid.paddle)
    except SealBroken:
        return None
    return Found(held, nonce)


def _compared(book: Book, standing: list[SealedBid], body: Mapping[str, Any]) -> Report:
    said = {one["bid"]: "opened" for one in body["openings"]}
    said |= {one["bid"]: one["reason"] for one in body["failures"]}
    known = {str(bid.bid) for bid in standing}
    faults = [Fault(bid, told, STRANGE) for bid, told in said.items() if bid not in known]
    private = _private(book, body)
    if body["key"] is not None and private is None:
        faults.append(Fault("", "key", WRONG_KEY))
    revealed = {
        one["bid"]: Found(one["content"], bytes.fromhex(one["nonce"])) for one in body["openings"]
    }
    trusted = 0
    for bid in standing:
        told = said.get(str(bid.bid), LEFT_OUT)
        given = revealed.get(str(bid.bid))
        if private is None and given is None and told != LEFT_OUT:
            trusted += 1  # only its bidder could have shown more
            continue
        found = given if private is None else unsealed(private, book.auction, bid)
        truth = _truth(book, bid, found)
        if told == rules.ABOVE_CAP and truth == "opened":
            trusted += 1  # a cap of the bidder's own stands in no log
        elif told != truth:
            faults.append(Fault(str(bid.bid), told, truth))
        elif given is not None and given != found:
            faults.append(Fault(str(bid.bid), told, OTHER))
    return Report(len(standing), trusted, tuple(faults))


def _truth(book: Book, bid: SealedBid, found: Found | None) -> str:
    lot = rules.Lot(
        auction=book.auction, listing=book.listing, is_closed=True, is_void=False,
        is_opened=True, closes_at=book.closes_at, reveal_s=0,
    )  # fmt: skip
    judged = rules.opened(lot, bid, found, missing=rules.BROKEN)
    if judged.found is None:
        return str(judged.reason)
    cap = book.admission.get("cap_minor")
    return reason(book, judged.found, cap_minor=cap) or "opened"


def _private(book: Book, body: Mapping[str, Any]) -> int | None:
    """Return the published key, if it is that of the rulebook."""
    if body["key"] is None:
        return None
    private = int(body["key"]["private"], 16)
    read = opening.parse(book.opening, auction=book.auction)
    fits = 0 < private < curve.N and envelope.point_of(private) == read.public
    return private if fits else None


def _bid(event: Mapping[str, Any]) -> SealedBid:
    body = event["body"]
    return SealedBid(UUID(body["bid"]), body["paddle"], event["seq"], body["content"])
