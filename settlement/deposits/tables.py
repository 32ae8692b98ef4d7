"""Rows of deposits, what the bank credited, and the movements that two people decide.

Migration 0025 adds triggers: sums only grow, the terms stay, and what a deposit holds is what its
account in the ledger shows when the transaction commits; and migration 0066: what is pledged for it
is one card that holds, or one letter of guarantee that was accepted.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    text,
)
from sqlmodel import Field, SQLModel

from contracts import column
from contracts.money import Money
from settlement.deposits.rules import APPROVED, DRAW, WIRE, Balance, Move, Terms


def _count() -> Column[int]:
    return Column(Integer, nullable=False, server_default=text("0"))


class Deposit(SQLModel, table=True):
    """The deposit (保证金) of one bidder in one auction."""

    __tablename__ = "deposit"
    __table_args__ = (
        CheckConstraint(
            "state IN ('required', 'received', 'frozen', 'released', 'applied', 'forfeited', "
            "'partial')",
            name="deposit_state_is_known",
        ),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="deposit_currency_is_a_code"),
        CheckConstraint("required_minor >= 1", name="deposit_requires_something"),
        CheckConstraint(
            "held_minor >= 0 AND released_minor >= 0 AND applied_minor >= 0 "
            "AND forfeited_minor >= 0",
            name="deposit_is_not_negative",
        ),
        CheckConstraint(
            "held_minor + released_minor + applied_minor + forfeited_minor = paid_in_minor",
            name="deposit_is_conserved",
        ),
        CheckConstraint("(free_at IS NULL) = (return_by IS NULL)", name="deposit_free_until_when"),
        CheckConstraint(
            "cardinality(modes) >= 1 "
            "AND modes <@ ARRAY['wire', 'charge', 'card_hold', 'guarantee']::varchar[]",
            name="deposit_modes_are_known",
        ),
        CheckConstraint("pledged_minor IN (0, required_minor)", name="deposit_pledge_counts_once"),
        CheckConstraint(
            "pledged_until IS NULL OR pledged_minor > 0", name="deposit_pledged_until_when"
        ),
        CheckConstraint(
            "card_margin_h >= 0 AND guarantee_days >= 0", name="deposit_pledge_margins"
        ),
        Index("deposit_to_return", "return_by", postgresql_where=text("held_minor > 0")),
        Index("deposit_of_party", "party_id"),
    )

    auction_id: UUID = Field(primary_key=True)
    party_id: UUID = Field(primary_key=True, foreign_key="party.id")
    seller_id: UUID = Field(foreign_key="party.id")
    currency: str = Field(sa_column=column.currency())
    required_minor: int = Field(sa_column=column.minor())
    paid_in_minor: int = Field(default=0, sa_column=column.minor())
    held_minor: int = Field(default=0, sa_column=column.minor())
    released_minor: int = Field(default=0, sa_column=column.minor())
    applied_minor: int = Field(default=0, sa_column=column.minor())
    forfeited_minor: int = Field(default=0, sa_column=column.minor())
    state: str
    until: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    forfeits: list[str] = Field(sa_column=Column(ARRAY(String()), nullable=False))
    required_at: datetime = Field(sa_column=column.instant())
    # By the bank's date.
    frozen_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    free_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    return_by: date | None = None
    modes: list[str] = Field(
        default_factory=lambda: [WIRE],
        sa_column=Column(
            ARRAY(String()), nullable=False, server_default=text("ARRAY['wire']::varchar[]")
        ),
    )
    ends_by: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    card_margin_h: int = Field(default=0, sa_column=_count())
    guarantee_days: int = Field(default=0, sa_column=_count())
    pledged_minor: int = Field(
        default=0, sa_column=Column(BigInteger, nullable=False, server_default=text("0"))
    )
    pledged_until: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))

    def terms(self) -> Terms:
        """Return what the notice says about it."""
        return Terms(
            auction_id=self.auction_id,
            party_id=self.party_id,
            seller_id=self.seller_id,
            required=Money(self.required_minor, self.currency),
            until=self.until,
            forfeits=tuple(self.forfeits),
            modes=tuple(self.modes),
            ends_by=self.ends_by,
            card_margin_h=self.card_margin_h,
            guarantee_days=self.guarantee_days,
        )

    def balance(self) -> Balance:
        """Return what was paid in and what became of it."""
        return Balance(
            required_minor=self.required_minor,
            paid_in_minor=self.paid_in_minor,
            held_minor=self.held_minor,
            released_minor=self.released_minor,
            applied_minor=self.applied_minor,
            forfeited_minor=self.forfeited_minor,
            pledged_minor=self.pledged_minor,
        )

    def stand(self, balance: Balance, state: str) -> None:
        """Take over a new balance."""
        self.paid_in_minor = balance.paid_in_minor
        self.held_minor = balance.held_minor
        self.released_minor = balance.released_minor
        self.applied_minor = balance.applied_minor
        self.forfeited_minor = balance.forfeited_minor
        self.state = state


class DepositReceipt(SQLModel, table=True):
    """A credit on the bank's statement (到账); one reference of the bank is one receipt."""

    __tablename__ = "deposit_receipt"
    __table_args__ = (
        ForeignKeyConstraint(
            ["auction_id", "party_id"],
            ["deposit.auction_id", "deposit.party_id"],
            name="deposit_receipt_of_deposit",
        ),
        CheckConstraint("amount_minor >= 1", name="deposit_receipt_is_positive"),
        CheckConstraint(
            "char_length(reference) BETWEEN 1 AND 100", name="deposit_receipt_reference"
        ),
        Index("deposit_receipt_deposit", "auction_id", "party_id"),
    )

    id: UUID = Field(primary_key=True)
    auction_id: UUID
    party_id: UUID
    amount_minor: int = Field(sa_column=column.minor())
    reference: str = Field(unique=True)
    credited_at: datetime = Field(sa_column=column.instant())
    recorded_by: UUID = Field(foreign_key="person.id")
    recorded_at: datetime = Field(sa_column=column.instant())
    # Where the money lies; of what staff typed: the account that holds deposits alone.
    bank_account_id: UUID | None = Field(default=None, foreign_key="bank_account.id")


class DepositMovement(SQLModel, table=True):
    """A return, forfeiture, distribution or drawing: one person prepares it, another decides."""

    __tablename__ = "deposit_movement"
    __table_args__ = (
        ForeignKeyConstraint(
            ["auction_id", "party_id"],
            ["deposit.auction_id", "deposit.party_id"],
            name="deposit_movement_of_deposit",
        ),
        CheckConstraint(
            "kind IN ('return', 'forfeit', 'distribute', 'draw')",
            name="deposit_movement_kind_is_known",
        ),
        CheckConstraint(
            "state IN ('prepared', 'approved', 'refused', 'done', 'failed')",
            name="deposit_movement_state_is_known",
        ),
        CheckConstraint(
            "amount_minor >= 1 AND fees_minor >= 0 AND shortfall_minor >= 0 AND claim_minor >= 0",
            name="deposit_movement_amounts",
        ),
        CheckConstraint("char_length(reason) BETWEEN 1 AND 500", name="deposit_movement_reason"),
        CheckConstraint("prepared_by <> decided_by", name="deposit_movement_needs_two_people"),
        CheckConstraint(
            "(state = 'prepared') = (decided_by IS NULL) "
            "AND (decided_by IS NULL) = (decided_at IS NULL)",
            name="deposit_movement_decided_by_whom_and_when",
        ),
        CheckConstraint(
            "(kind = 'return' AND state = 'done') = (reference IS NOT NULL)",
            name="deposit_movement_returned_by_the_bank",
        ),
        CheckConstraint("content_sha256 ~ '^[0-9a-f]{64}$'", name="deposit_movement_sha256_is_hex"),
        Index(
            "deposit_movement_one_waits",
            "auction_id",
            "party_id",
            unique=True,
            postgresql_where=text("state = 'prepared'"),
        ),
        Index("deposit_movement_deposit", "auction_id", "party_id"),
    )

    id: UUID = Field(primary_key=True)
    auction_id: UUID
    party_id: UUID
    kind: str
    amount_minor: int = Field(sa_column=column.minor())
    reason: str
    fees_minor: int = Field(default=0, sa_column=column.minor())
    shortfall_minor: int = Field(default=0, sa_column=column.minor())
    claim_minor: int = Field(default=0, sa_column=column.minor())
    state: str
    content: bytes = Field(sa_column=column.octets())
    content_sha256: str
    prepared_by: UUID = Field(foreign_key="person.id")
    prepared_at: datetime = Field(sa_column=column.instant())
    decided_by: UUID | None = Field(default=None, foreign_key="person.id")
    decided_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    refused_reason: str | None = None
    reference: str | None = Field(default=None, unique=True)  # the bank's, of a return

    @property
    def is_drawing(self) -> bool:
        """Whether it is decided, and only its money has to come in."""
        return self.kind == DRAW and self.state == APPROVED

    def move(self) -> Move:
        """The value that the rules know."""
        return Move(
            self.kind, self.amount_minor, self.reason, self.fees_minor, self.shortfall_minor
        )
