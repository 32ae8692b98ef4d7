"""Rows of auctions: the frozen rules and the head of the log, its events, bids and refused bids.

The log (`auction_event`) is the truth; the auction's row keeps the fold of it. Migration 0024 has
the triggers: the frozen columns stay, closes never move back, a void auction stays void, events,
bids and refused bids are only ever added.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from contracts import column


class Auction(SQLModel, table=True):
    """One auction (竞价) of one listing: its rulebook and how it stands."""

    __tablename__ = "auction"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'paused', 'closed', 'void')", name="auction_state"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="auction_currency"),
        CheckConstraint("rulebook_sha256 ~ '^[0-9a-f]{64}$'", name="auction_rulebook_hash"),
        CheckConstraint(
            "floor_minor >= 1 AND step_minor >= 1 AND leading_amount_minor >= 1",
            name="auction_amounts",
        ),
        CheckConstraint("soft_close_s BETWEEN 0 AND 3600", name="auction_soft_close"),
        CheckConstraint("opens_at < closes_at AND closes_at <= hard_stop_at", name="auction_times"),
        CheckConstraint("extensions >= 0 AND bids >= 0 AND seq >= 0", name="auction_counts"),
        CheckConstraint(
            "(state IN ('closed', 'void')) = (closed_at IS NOT NULL)", name="auction_closed"
        ),
        CheckConstraint(
            "octet_length(head_sha256) = 32 AND (head_sha256 IS NULL) = (seq IS NULL)",
            name="auction_head",
        ),
        CheckConstraint("result IS NULL OR state IN ('closed', 'void')", name="auction_result"),
        Index("auction_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index(
            "auction_of_listing",
            "listing_id",
            unique=True,
            postgresql_where=text("state <> 'void'"),
        ),
    )

    id: UUID = Field(primary_key=True)
    work_id: UUID = Field(index=True)
    listing_id: UUID
    seller_id: UUID = Field(foreign_key="party.id")
    barred: list[UUID] = Field(sa_column=Column(ARRAY(Uuid()), nullable=False))
    state: str
    method: str | None = None  # None: opened before auctions had logs
    supersedes: UUID | None = None
    rulebook: bytes = Field(sa_column=column.octets())
    rulebook_sha256: str
    currency: str
    floor_minor: int = Field(sa_column=column.minor())
    step_minor: int | None = Field(default=None, sa_column=column.minor(nullable=True))
    opens_at: datetime = Field(sa_column=column.instant())
    announced_closes_at: datetime = Field(sa_column=column.instant())
    closes_at: datetime = Field(sa_column=column.instant())
    soft_close_s: int | None = None
    hard_stop_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    extensions: int = 0
    leading_bid: UUID | None = None
    leading_amount_minor: int | None = Field(
        default=None, sa_column=Column(BigInteger, nullable=True)
    )  # the visible price
    bids: int = 0
    closed_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    seq: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    head_sha256: bytes | None = Field(default=None, sa_column=column.octets(nullable=True))
    standing: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB, nullable=True))
    # When the closer looks at it next; None while it waits for something other than the clock.
    due_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    result: bytes | None = Field(default=None, sa_column=column.octets(nullable=True))
    # What the rulebook only commits to: the hidden reserve and its nonce, the lottery's seed.
    secret: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True)
    )


class AuctionEvent(SQLModel, table=True):
    """One event of an auction's log; `body` holds RFC 8785 bytes, `hash` the chain up to it."""

    __tablename__ = "auction_event"
    __table_args__ = (
        CheckConstraint("seq >= 0", name="auction_event_seq"),
        CheckConstraint("kind ~ '^[a-z]+$'", name="auction_event_kind"),
        CheckConstraint("octet_length(hash) = 32", name="auction_event_hash"),
        # Few rows, which bids do not touch: how many closes an outage moved.
        Index("auction_event_extended", "at", postgresql_where=text("kind = 'extended'")),
    )

    auction_id: UUID = Field(primary_key=True, foreign_key="auction.id")
    seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    kind: str
    at: datetime = Field(sa_column=column.instant())
    body: bytes = Field(sa_column=column.octets())
    hash: bytes = Field(sa_column=column.octets())


class Bid(SQLModel, table=True):
    """An accepted bid and what it was answered with; `sequence` is the number of its event."""

    __tablename__ = "bid"
    __table_args__ = (
        UniqueConstraint("auction_id", "sequence", name="bid_sequence"),
        CheckConstraint("sequence >= 1", name="bid_sequence_from_one"),
        CheckConstraint("paddle >= 1", name="bid_paddle_from_one"),
        CheckConstraint("amount_minor >= 1", name="bid_amount"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="bid_currency"),
    )

    auction_id: UUID = Field(primary_key=True, foreign_key="auction.id")
    id: UUID = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="party.id")
    person_id: UUID
    paddle: int
    sequence: int
    amount_minor: int | None = Field(default=None, sa_column=column.minor(nullable=True))
    currency: str
    received_at: datetime = Field(sa_column=column.instant())
    closes_at: datetime = Field(sa_column=column.instant())
    # NULL in bids placed before auctions had logs.
    content: bytes | None = Field(default=None, sa_column=column.octets(nullable=True))
    leads: bool | None = None  # it led when it was accepted
    price_minor: int | None = Field(default=None, sa_column=column.minor(nullable=True))
    event_sha256: bytes | None = Field(default=None, sa_column=column.octets(nullable=True))
    # The fact that tells of it, and what its leaf will hold; where it may not be told before the
    # close it is recorded then, with this blind.
    fact_id: UUID | None = None
    commitment: str | None = None
    blind: bytes | None = Field(default=None, sa_column=column.octets(nullable=True))
    message: bytes | None = Field(default=None, sa_column=column.octets(nullable=True))


class RefusedBid(SQLModel, table=True):
    """A bid that was refused, with what was told: for disputes and screens, outside of the log."""

    __tablename__ = "refused_bid"

    id: int | None = Field(
        default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True)
    )
    auction_id: UUID = Field(foreign_key="auction.id", index=True)
    bid_id: UUID
    party_id: UUID = Field(foreign_key="party.id")
    person_id: UUID
    received_at: datetime = Field(sa_column=column.instant())
    content: bytes = Field(sa_column=column.octets())
    code: str
    told: bytes = Field(sa_column=column.octets())


class Ingress(SQLModel, table=True):
    """A process that takes bids in: when it beat last, and up to when it has written all."""

    __tablename__ = "ingress"

    id: UUID = Field(primary_key=True)
    beat_at: datetime = Field(sa_column=column.instant())
    watermark: datetime = Field(sa_column=column.instant())


class Outage(SQLModel, table=True):
    """A stretch in which no process took bids in."""

    __tablename__ = "outage"
    __table_args__ = (CheckConstraint("began_at < ended_at", name="outage_lasts"),)

    id: UUID = Field(primary_key=True)
    began_at: datetime = Field(sa_column=column.instant())
    ended_at: datetime = Field(
        sa_column=Column(DateTime(timezone=True), nullable=False, index=True)
    )
