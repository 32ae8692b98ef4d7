"""Bids as they come in at the door, and what they are answered (values)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from listings.auctions.model import Book
from listings.auctions.tables import Bid


@dataclass(frozen=True, slots=True)
class Signature:
    """A checked Ed25519 signature over a bid: the party's key and the canonical message."""

    key: UUID
    signature: str  # base64
    message: bytes
    message_sha256: str

    def wire(self) -> dict[str, str]:
        """Return it as the log keeps it."""
        return {
            "key": str(self.key),
            "signature": self.signature,
            "message_sha256": self.message_sha256,
        }


@dataclass(frozen=True, slots=True)
class Arrival:
    """A bid whose form was read; `received_at` was stamped before anything else."""

    bid_id: UUID
    party_id: UUID
    person_id: UUID
    content: Mapping[str, Any]
    received_at: datetime
    rulebook_sha256: str | None = None  # the rules the bidder knows, when it names them
    signed: Signature | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """An accepted bid, as it was answered first; `is_new` is False when it is told again."""

    auction_id: UUID
    bid_id: UUID
    party_id: UUID
    amount_minor: int | None
    currency: str
    paddle: int
    sequence: int
    received_at: datetime
    closes_at: datetime
    leads: bool
    price_minor: int | None
    event_sha256: bytes
    fact_id: UUID | None
    commitment: str | None
    content: bytes
    rulebook_sha256: str
    is_hidden: bool  # paddles and numbers stay hidden
    is_open: bool  # amounts are visible
    is_new: bool

    @classmethod
    def again(cls, bid: Bid, book: Book) -> "Placed":
        """Return a stored bid as it was answered first."""
        return cls(
            rulebook_sha256=book.sha256,
            is_hidden=book.secrecy["bidders"] == "hidden",
            is_open=book.secrecy["amounts"] == "open",
            auction_id=bid.auction_id,
            bid_id=bid.id,
            party_id=bid.party_id,
            amount_minor=bid.amount_minor,
            currency=bid.currency,
            paddle=bid.paddle,
            sequence=bid.sequence,
            received_at=bid.received_at,
            closes_at=bid.closes_at,
            leads=bid.leads is not False,
            price_minor=bid.price_minor,
            event_sha256=bid.event_sha256 or b"",
            fact_id=bid.fact_id,
            commitment=bid.commitment,
            content=bid.content or b"",
            is_new=False,
        )


class Later(Enum):
    """No answer yet: whether a bid is late is known once every door has passed the close."""

    LATER = "later"
