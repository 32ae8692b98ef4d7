"""Rows of payout batches and their items."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Index,
    text,
)
from sqlmodel import Field, SQLModel

from contracts import column
from contracts.money import Money
from settlement.batches.rules import Item


class PayoutBatch(SQLModel, table=True):
    """Payouts that are decided together: prepared by one person, decided by another."""

    __tablename__ = "payout_batch"
    __table_args__ = (
        CheckConstraint(
            "state IN ('prepared', 'approved', 'refused')", name="payout_batch_state_is_known"
        ),
        CheckConstraint("prepared_by <> decided_by", name="payout_batch_needs_two_people"),
        CheckConstraint(
            "(state = 'prepared') = (decided_by IS NULL) "
            "AND (decided_by IS NULL) = (decided_at IS NULL)",
            name="payout_batch_decided_by_whom_and_when",
        ),
        CheckConstraint(
            "(state = 'refused') = (reason IS NOT NULL)", name="payout_batch_refused_with_a_reason"
        ),
        CheckConstraint(
            "char_length(reason) BETWEEN 1 AND 500", name="payout_batch_reason_has_length"
        ),
        CheckConstraint("content_sha256 ~ '^[0-9a-f]{64}$'", name="payout_batch_sha256_is_hex"),
        Index(
            "ix_payout_batch_to_decide",
            "prepared_at",
            postgresql_where=text("state = 'prepared'"),
        ),
    )

    id: UUID = Field(primary_key=True)
    state: str
    content: bytes = Field(sa_column=column.octets())
    content_sha256: str
    prepared_by: UUID = Field(foreign_key="person.id")
    prepared_at: datetime = Field(sa_column=column.instant())
    decided_by: UUID | None = Field(default=None, foreign_key="person.id")
    decided_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    reason: str | None = None


class PayoutBatchItem(SQLModel, table=True):
    """A payout in a batch; one that is not refused holds it alone, also once it is approved."""

    __tablename__ = "payout_batch_item"
    __table_args__ = (
        CheckConstraint(
            "state IN ('prepared', 'approved', 'refused')", name="payout_batch_item_state_is_known"
        ),
        CheckConstraint("amount_minor > 0", name="payout_batch_item_amount_is_positive"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="payout_batch_item_currency_is_a_code"),
        CheckConstraint("payout_sha256 ~ '^[0-9a-f]{64}$'", name="payout_batch_item_sha256_is_hex"),
        Index(
            "ix_payout_in_one_batch",
            "payout_id",
            unique=True,
            postgresql_where=text("state <> 'refused'"),
        ),
    )

    batch_id: UUID = Field(primary_key=True, foreign_key="payout_batch.id")
    payout_id: UUID = Field(primary_key=True, foreign_key="payout.id")
    payout_sha256: str
    amount_minor: int = Field(sa_column=column.minor())
    currency: str = Field(sa_column=column.currency())
    state: str

    def item(self) -> Item:
        """The value that the rules know."""
        amount = Money(self.amount_minor, self.currency)
        return Item(self.payout_id, self.payout_sha256, amount)
