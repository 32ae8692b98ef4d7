"""Rows of orders to the ledger."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    text,
)
from sqlmodel import Field, SQLModel

from contracts import column


class LedgerOrder(SQLModel, table=True):
    """What staff ask of the ledger by hand: prepared by one person, decided by another."""

    __tablename__ = "ledger_order"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('journal', 'reversal', 'exchange', 'mark', 'close')",
            name="ledger_order_kind_is_known",
        ),
        CheckConstraint(
            "state IN ('prepared', 'approved', 'refused')", name="ledger_order_state_is_known"
        ),
        CheckConstraint("prepared_by <> decided_by", name="ledger_order_needs_two_people"),
        CheckConstraint(
            "(state = 'prepared') = (decided_by IS NULL) "
            "AND (decided_by IS NULL) = (decided_at IS NULL)",
            name="ledger_order_decided_by_whom_and_when",
        ),
        CheckConstraint(
            "(state = 'refused') = (refused_reason IS NOT NULL)", name="ledger_order_refused_why"
        ),
        CheckConstraint(
            "(state = 'approved') = (approval_id IS NOT NULL) AND (journal_id IS NOT NULL) = "
            "(state = 'approved' AND kind IN ('journal', 'reversal', 'exchange'))",
            name="ledger_order_booked_once_approved",
        ),
        CheckConstraint("char_length(reason) BETWEEN 1 AND 500", name="ledger_order_has_a_reason"),
        CheckConstraint("content_sha256 ~ '^[0-9a-f]{64}$'", name="ledger_order_sha256_is_hex"),
        Index(
            "ix_ledger_order_to_decide",
            "prepared_at",
            postgresql_where=text("state = 'prepared'"),
        ),
    )

    id: UUID = Field(primary_key=True)
    kind: str
    content: bytes = Field(sa_column=column.octets())
    content_sha256: str
    reason: str
    state: str
    prepared_by: UUID = Field(foreign_key="person.id")
    prepared_at: datetime = Field(sa_column=column.instant())
    decided_by: UUID | None = Field(default=None, foreign_key="person.id")
    decided_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    refused_reason: str | None = None
    approval_id: UUID | None = Field(default=None, foreign_key="approval.id", unique=True)
    journal_id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger, ForeignKey("ledger_journal.id"), nullable=True, unique=True),
    )
