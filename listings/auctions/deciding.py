"""Deciding a batch of bids in memory: each against the standing that the one before it left.

No input or output: what has to be written is collected, and written by `placing` in one statement.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from contracts import canonical, rfc3339
from contracts.facts import service as facts
from contracts.facts.service import Happened
from contracts.refusal import IdReused, Kind, Refusal
from listings.admissions import rules as admission_rules
from listings.admissions.rules import Admission
from listings.auctions import chain, rules
from listings.auctions.arrivals import Arrival, Later, Placed
from listings.auctions.model import Accepted, Book, Standing
from listings.auctions.model import Bid as Proposal

Answer = Placed | Refusal | Later
SEALED = {"commitment", "sealed"}  # the members of a bid that nobody can read


class OtherRules(Refusal):
    """The bid names the hash of another rulebook than this auction's."""

    kind, code = Kind.CONFLICT, "other-rules"
    hint = "Read the auction's rulebook again and bid by its `rulebook_sha256`."


@dataclass(slots=True)
class Batch:
    """What a batch has decided so far."""

    auction_id: UUID
    book: Book
    standing: Standing
    head: bytes
    admitted: Mapping[UUID, Admission]
    known: dict[UUID, Placed]
    bids: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    told: list[Happened] = field(default_factory=list)
    is_hidden: bool = field(init=False)  # paddles and numbers stay hidden
    is_open: bool = field(init=False)  # amounts are visible

    def __post_init__(self) -> None:
        """Read off the rulebook what every bid asks for."""
        self.is_hidden = self.book.secrecy["bidders"] == "hidden"
        self.is_open = self.book.secrecy["amounts"] == "open"


def may_be_late(batch: Batch, arrival: Arrival) -> bool:
    """Tell whether a bid looks late while the end may still move: another door may hold one."""
    standing = batch.standing
    return (
        arrival.received_at >= standing.closes_at
        and arrival.bid_id not in batch.known
        and standing.phase == "bidding"
        and standing.paused_at is None
        and not (batch.book.method in ("fixed", "dutch") and standing.leading_bid is not None)
    )


def decide(batch: Batch, arrival: Arrival) -> Answer:
    """Accept or refuse a bid, and keep for writing what follows."""
    known = batch.known.get(arrival.bid_id)
    if known is not None:
        return _same(known, arrival)
    try:
        accepted = _judge(batch, arrival)
    except Refusal as refusal:
        batch.refused.append(_refused(batch.book, arrival, refusal))
        return refusal
    return _take(batch, arrival, accepted)


def received(auction: UUID, bid: UUID, event_sha256: bytes, at: str) -> dict[str, Any]:
    """Return the record of `bid.received`."""
    return {
        "auction": str(auction),
        "bid": str(bid),
        "event_sha256": event_sha256.hex(),
        "received_at": at,
    }


def _same(known: Placed, arrival: Arrival) -> Answer:
    content = known.content or canonical.quick(
        {"amount_minor": known.amount_minor, "currency": known.currency}
    )
    if (known.party_id, content) != (arrival.party_id, canonical.quick(arrival.content)):
        return IdReused("This id names another bid of this auction.")
    return replace(known, is_new=False)


def _judge(batch: Batch, arrival: Arrival) -> Accepted:
    named = arrival.rulebook_sha256
    if named not in (None, batch.book.sha256):
        raise OtherRules("The auction has other rules.", rulebook_sha256=batch.book.sha256)
    admission = batch.admitted[arrival.party_id]
    admission_rules.check(admission, committed_minor=0)
    paddle = admission.paddle
    assert paddle is not None  # noqa: S101 - whoever is admitted has a number.
    proposal = Proposal(arrival.bid_id, paddle, arrival.content, arrival.received_at)
    accepted = rules.judge(batch.book, batch.standing, proposal)
    if admission.cap_minor is not None or admission.room_minor is not None:
        bound = rules.exposure(batch.book, accepted.standing).get(paddle, 0)
        admission_rules.check(admission, committed_minor=bound)
    return accepted


def _take(batch: Batch, arrival: Arrival, accepted: Accepted) -> Placed:
    """Enter an accepted bid into the log and the batch."""
    before, standing, book = batch.standing, accepted.standing, batch.book
    paddle = batch.admitted[arrival.party_id].paddle or 0
    bid, at = str(arrival.bid_id), rfc3339.exact(arrival.received_at)
    body = canonical.quick(
        {
            "bid": bid,
            "paddle": paddle,
            "content": arrival.content,
            "rulebook_sha256": book.sha256,
            "signed": arrival.signed and arrival.signed.wire(),
            "after": accepted.after,
        }
    )
    batch.head = chain.link(batch.head, chain.event_at(standing.seq, "bid", at, body))
    batch.standing = standing
    moved = (before.price_minor, before.closes_at) != (standing.price_minor, standing.closes_at)
    closes_at = accepted.after["closes_at"]
    if batch.is_open and (moved or not batch.is_hidden):
        fact = _placed(batch, arrival, paddle, bid=bid, at=at, closes_at=closes_at)
    else:
        fact = _kept(batch, arrival, at=at)
    placed = Placed(
        auction_id=batch.auction_id,
        bid_id=arrival.bid_id,
        party_id=arrival.party_id,
        amount_minor=arrival.content.get("amount_minor"),
        currency=book.currency,
        paddle=paddle,
        sequence=standing.seq,
        received_at=arrival.received_at,
        closes_at=standing.closes_at,
        leads=standing.leading_bid == arrival.bid_id,
        price_minor=standing.price_minor,
        event_sha256=batch.head,
        fact_id=fact.id,
        commitment=fact.commitment,
        content=canonical.quick(arrival.content),
        rulebook_sha256=book.sha256,
        is_hidden=batch.is_hidden,
        is_open=batch.is_open,
        is_new=True,
    )
    batch.known[arrival.bid_id] = placed
    row = {"id": bid, "received_at": at, "closes_at": closes_at, "body": _hex(body)}
    batch.bids.append(row | _row(placed, arrival, fact))
    return placed


def _placed(
    batch: Batch, arrival: Arrival, paddle: int, *, bid: str, at: str, closes_at: str
) -> Happened:
    """Tell everybody of the bid at once."""
    standing = batch.standing
    told = facts.happened(
        "bid.placed",
        batch.auction_id,
        {
            "auction": str(batch.auction_id),
            "bid": bid,
            "paddle": None if batch.is_hidden else paddle,
            "amount_minor": standing.price_minor,
            "currency": batch.book.currency,
            "sequence": None if batch.is_hidden else standing.seq,
            "received_at": at,
            "closes_at": closes_at,
        },
        now=arrival.received_at,
    )
    batch.told.append(told)
    return told


def _kept(batch: Batch, arrival: Arrival, *, at: str) -> Happened:
    """Prepare what is told at the close: a leaf of the public log for each bid would be a count."""
    return facts.happened(
        "bid.received",
        batch.auction_id,
        received(batch.auction_id, arrival.bid_id, batch.head, at),
        parties=[arrival.party_id],
        now=arrival.received_at,
    )


def _row(placed: Placed, arrival: Arrival, fact: Happened) -> dict[str, Any]:
    return {
        "party_id": str(placed.party_id),
        "person_id": str(arrival.person_id),
        "paddle": placed.paddle,
        "sequence": placed.sequence,
        "amount_minor": placed.amount_minor,
        "currency": placed.currency,
        "content": _hex(placed.content),
        "leads": placed.leads,
        "price_minor": placed.price_minor,
        "event_sha256": _hex(placed.event_sha256),
        "fact_id": str(placed.fact_id),
        "commitment": placed.commitment,
        "blind": _hex(fact.blind),
        "message": None if arrival.signed is None else _hex(arrival.signed.message),
    }


def _refused(book: Book, arrival: Arrival, refusal: Refusal) -> dict[str, Any]:
    # An amount in clear where the exchange may not know it is not kept, whatever it is refused for.
    clear = book.secrecy["amounts"] == "sealed" and set(arrival.content) != SEALED
    content = {} if clear else arrival.content
    return {
        "bid_id": str(arrival.bid_id),
        "party_id": str(arrival.party_id),
        "person_id": str(arrival.person_id),
        "received_at": rfc3339.exact(arrival.received_at),
        "content": _hex(canonical.quick(content)),
        "code": refusal.code,
        "told": _hex(canonical.quick(refusal.data)),
    }


def _hex(raw: bytes) -> str:
    return "\\x" + raw.hex()
