"""Rows of auctions: the rules frozen at opening, the standing, bids and paddles.

Migration 0007 adds triggers: the frozen columns stay, `closes_at` never decreases, a closed auction
stays closed, bids and paddles are only ever added.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    LargeBinary,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlmodel import Field, SQLModel

from listings.auctions import rules


class Auction(SQLModel, table=True):
    """One auction (竞价) of one listing: its rulebook and how it stands."""

    __tablename__ = "auction"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'closed')", name="auction_state"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="auction_currency"),
        CheckConstraint("rulebook_sha256 ~ '^[0-9a-f]{64}$'", name="auction_rulebook_hash"),
        CheckConstraint("floor_minor >= 1 AND step_minor >= 1", name="auction_amounts"),
        CheckConstraint("soft_close_s BETWEEN 0 AND 3600", name="auction_soft_close"),
        CheckConstraint("opens_at < closes_at AND closes_at <= hard_stop_at", name="auction_times"),
        CheckConstraint("extensions >= 0 AND bids >= extensions", name="auction_counts"),
        CheckConstraint(
            "(bids = 0) = (leading_bid IS NULL) AND (bids = 0) = (leading_amount_minor IS NULL)",
            name="auction_leader",
        ),
        CheckConstraint("leading_amount_minor >= floor_minor", name="auction_leads_above_floor"),
        CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name="auction_closed"),
        Index("auction_due", "closes_at", postgresql_where=text("state = 'open'")),
    )

    id: UUID = Field(primary_key=True)
    work_id: UUID = Field(index=True)
    listing_id: UUID = Field(unique=True)
    seller_id: UUID = Field(foreign_key="party.id")
    barred: list[UUID] = Field(sa_column=Column(ARRAY(Uuid()), nullable=False))
    state: str
    rulebook: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    rulebook_sha256: str
    currency: str
    floor_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    step_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    opens_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    announced_closes_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    closes_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    soft_close_s: int
    hard_stop_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    extensions: int = 0
    leading_bid: UUID | None = None
    leading_amount_minor: int | None = Field(
        default=None, sa_column=Column(BigInteger, nullable=True)
    )
    bids: int = 0
    closed_at: datetime | None = Field(
        default=None, sa_column=Column(DateTime(timezone=True), nullable=True)
    )

    def terms(self) -> rules.Terms:
        """Return what was promised at opening."""
        return rules.Terms(
            currency=self.currency,
            floor_minor=self.floor_minor,
            step_minor=self.step_minor,
            opens_at=self.opens_at,
            closes_at=self.announced_closes_at,
            soft_close_s=self.soft_close_s,
            hard_stop_at=self.hard_stop_at,
            barred=frozenset(self.barred),
        )

    def standing(self) -> rules.Standing:
        """Return how the auction stands."""
        return rules.Standing(
            closes_at=self.closes_at,
            leading_bid=self.leading_bid,
            leading_minor=self.leading_amount_minor,
            bids=self.bids,
            extensions=self.extensions,
            is_closed=self.state == "closed",
        )

    def stand(self, standing: rules.Standing) -> None:
        """Take over a new standing."""
        self.closes_at = standing.closes_at
        self.leading_bid = standing.leading_bid
        self.leading_amount_minor = standing.leading_minor
        self.bids = standing.bids
        self.extensions = standing.extensions


class Bid(SQLModel, table=True):
    """An accepted bid; refused ones leave no row."""

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
    amount_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    currency: str
    received_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    closes_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class Paddle(SQLModel, table=True):
    """The number (号牌) under which the public sees a bidder in one auction."""

    __tablename__ = "paddle"
    __table_args__ = (
        UniqueConstraint("auction_id", "number", name="paddle_number"),
        CheckConstraint("number >= 1", name="paddle_from_one"),
    )

    auction_id: UUID = Field(primary_key=True, foreign_key="auction.id")
    party_id: UUID = Field(primary_key=True, foreign_key="party.id")
    number: int
