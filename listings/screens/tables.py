"""Rows of screens: each run with all it found; leads are read from the latest."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from contracts import column


class ScreenRun(SQLModel, table=True):
    """One run of every screen over the auctions that were over then."""

    __tablename__ = "screen_run"
    __table_args__ = (
        CheckConstraint("auctions >= 0 AND leads >= 0", name="screen_run_counts"),
        CheckConstraint("findings_sha256 ~ '^[0-9a-f]{64}$'", name="screen_run_sha256_is_hex"),
        CheckConstraint("jsonb_typeof(findings) = 'array'", name="screen_run_has_findings"),
    )

    id: UUID = Field(primary_key=True)
    ran_at: datetime = Field(sa_column=column.instant())
    auctions: int
    leads: int
    findings: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    findings_sha256: str
