"""Rows of incidents: what staff proposed and decided about an auction."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from contracts import column

CHECKS = {
    "kind_is_known": "kind IN ('pause', 'resume', 'rebid', 'void', 'default')",
    "state_is_known": "state IN ('proposed', 'done', 'refused')",
    "reason_is_short": "char_length(reason) BETWEEN 1 AND 500",
    "is_decided_by_somebody": (
        "(state = 'proposed') = (decided_by IS NULL) "
        "AND (decided_by IS NULL) = (decided_at IS NULL)"
    ),
    "takes_two": "kind IN ('pause', 'resume') OR decided_by <> proposed_by",
}


class Incident(SQLModel, table=True):
    """One measure of the staff: at once, or proposed by one person and decided by another."""

    __tablename__ = "incident"
    __table_args__ = (
        *(CheckConstraint(rule, name=f"incident_{name}") for name, rule in CHECKS.items()),
        Index("incident_waiting", "proposed_at", postgresql_where=text("state = 'proposed'")),
        Index("incident_of_auction", "auction_id", "proposed_at"),
    )

    id: UUID = Field(primary_key=True)
    auction_id: UUID = Field(foreign_key="auction.id")
    kind: str
    reason: str
    # Of bidding anew: the new auction and its times; of a default: the paddle.
    detail: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    state: str
    proposed_by: UUID
    proposed_at: datetime = Field(sa_column=column.instant())
    decided_by: UUID | None = None
    decided_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
