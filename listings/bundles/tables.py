"""Rows of package auctions: how far the solving of each has come."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from contracts import column


class BundleRun(SQLModel, table=True):
    """The solving of one auction: its stage, and how often its process was begun."""

    __tablename__ = "bundle_run"
    __table_args__ = (
        CheckConstraint(
            "stage IN ('started', 'winners', 'vcg', 'core', 'died', 'solved')",
            name="bundle_run_stage",
        ),
        CheckConstraint("attempts >= 1 AND stage_at >= 0", name="bundle_run_counts"),
        CheckConstraint("(stage = 'solved') = (ended_at IS NOT NULL)", name="bundle_run_ended"),
    )

    auction_id: UUID = Field(primary_key=True, foreign_key="auction.id")
    attempts: int
    stage: str
    stage_at: int = 0  # winners whose VCG price is known, or rows of the core found
    begun_at: datetime = Field(sa_column=column.instant())
    changed_at: datetime = Field(sa_column=column.instant())
    ended_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
