"""Rows of approvals: who made what, and who approved or refused exactly that."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from contracts import column


class Approval(SQLModel, table=True):
    """A decision (复核) on one content. Never changed, except that it is used once."""

    __tablename__ = "approval"
    __table_args__ = (
        CheckConstraint("object_type ~ '^[a-z][a-z-]{1,39}$'", name="approval_object_type"),
        CheckConstraint("object_hash ~ '^[0-9a-f]{64}$'", name="approval_object_hash_is_hex"),
        CheckConstraint("maker_id <> checker_id", name="approval_needs_two_people"),
        CheckConstraint("outcome IN ('approved', 'refused')", name="approval_outcome_is_known"),
        CheckConstraint(
            "(outcome = 'refused') = (reason IS NOT NULL)", name="approval_refused_with_a_reason"
        ),
        CheckConstraint(
            "outcome = 'refused' OR proof_id IS NOT NULL", name="approval_proved_in_person"
        ),
        CheckConstraint("char_length(reason) BETWEEN 1 AND 500", name="approval_reason_has_length"),
        CheckConstraint("expires_at > decided_at", name="approval_expires_later"),
        CheckConstraint(
            "used_at IS NULL OR (outcome = 'approved' AND used_at < expires_at)",
            name="approval_used_in_time",
        ),
        Index(
            "ix_approval_used_once",
            "object_type",
            "object_id",
            "object_hash",
            unique=True,
            postgresql_where=text("used_at IS NOT NULL"),
        ),
        Index("ix_approval_object", "object_type", "object_id"),
    )

    id: UUID = Field(primary_key=True)
    object_type: str
    object_id: UUID
    object_hash: str
    maker_id: UUID = Field(foreign_key="person.id")
    checker_id: UUID = Field(foreign_key="person.id")
    outcome: str
    reason: str | None = None
    proof_id: UUID | None = Field(default=None, foreign_key="person_proof.id", unique=True)
    decided_at: datetime = Field(sa_column=column.instant())
    expires_at: datetime = Field(sa_column=column.instant())
    used_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
