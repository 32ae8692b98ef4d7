"""Rows of examinations: a master that is being decoded, and the pieces that workers take."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from contracts import column


class ExaminationRun(SQLModel, table=True):
    """The decoding of one master, from its plan to its end.

    `record` is the technical record it was planned by; `sums` holds the ISCC units of the bytes.
    """

    __tablename__ = "examination"
    __table_args__ = (
        CheckConstraint("tier IN ('sampled', 'full')", name="examination_tier_is_known"),
        CheckConstraint("pieces > 0", name="examination_has_pieces"),
        CheckConstraint(
            "jsonb_typeof(record) = 'object' AND jsonb_typeof(sums) = 'object'",
            name="examination_says_objects",
        ),
    )

    master_id: UUID = Field(primary_key=True, foreign_key="master.id", ondelete="CASCADE")
    tier: str
    pieces: int
    record: dict[str, Any] = Field(sa_column=Column(JSONB(none_as_null=True), nullable=False))
    sums: dict[str, Any] = Field(sa_column=Column(JSONB(none_as_null=True), nullable=False))
    started_at: datetime = Field(sa_column=column.instant())
    ended_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))


class ExaminationPiece(SQLModel, table=True):
    """A piece of a master: waiting, being decoded by a worker, or done.

    What it found lies under `derived/<master_id>/pieces/<number>/` until the pieces are joined.
    """

    __tablename__ = "examination_piece"
    __table_args__ = (
        CheckConstraint("number >= 0", name="examination_piece_counts_from_zero"),
        CheckConstraint(
            "state IN ('waiting', 'running', 'done')", name="examination_piece_state_is_known"
        ),
        CheckConstraint("attempts >= 0", name="examination_piece_attempts_count"),
        CheckConstraint("done_bp BETWEEN 0 AND 10000", name="examination_piece_done_is_a_share"),
        CheckConstraint(
            "state = 'waiting' OR (worker IS NOT NULL AND started_at IS NOT NULL)",
            name="examination_piece_taken_by_somebody",
        ),
        CheckConstraint(
            "(state = 'done') = (ended_at IS NOT NULL)", name="examination_piece_done_has_ended"
        ),
        CheckConstraint("jsonb_typeof(span) = 'object'", name="examination_piece_has_a_span"),
    )

    master_id: UUID = Field(
        primary_key=True, foreign_key="examination.master_id", ondelete="CASCADE"
    )
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    span: dict[str, Any] = Field(sa_column=Column(JSONB(none_as_null=True), nullable=False))
    state: str = "waiting"
    worker: str | None = None
    attempts: int = 0
    done_bp: int = 0
    started_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    ended_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
