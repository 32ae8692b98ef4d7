"""Rows of conformance: what was measured and declared of a master, and the reports made of it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from contracts import column

_HEX = "~ '^[0-9a-f]{64}$'"


class MasterMeasures(SQLModel, table=True):
    """What the decode pass measured of a master: integers, lists and null."""

    __tablename__ = "master_measures"
    __table_args__ = (
        CheckConstraint("tier IN ('sampled', 'full')", name="master_measures_tier_is_known"),
        CheckConstraint(f"sha256 {_HEX}", name="master_measures_sha256_is_hex"),
        CheckConstraint("jsonb_typeof(content) = 'object'", name="master_measures_is_an_object"),
    )

    master_id: UUID = Field(primary_key=True, foreign_key="master.id", ondelete="CASCADE")
    tier: str
    sha256: str
    content: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    measured_at: datetime = Field(sa_column=column.instant())


class MasterDeclaration(SQLModel, table=True):
    """What its holder declares of a master (permit cards, versions, shape of the picture)."""

    __tablename__ = "master_declaration"
    __table_args__ = (
        CheckConstraint("jsonb_typeof(content) = 'object'", name="master_declaration_is_an_object"),
    )

    master_id: UUID = Field(primary_key=True, foreign_key="master.id", ondelete="CASCADE")
    content: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    declared_at: datetime = Field(sa_column=column.instant())


class ConformanceReport(SQLModel, table=True):
    """A report (母版技术审查报告) as it was made; later ones of a profile stand beside it.

    `sha256` is that of the canonical bytes of `document`.
    """

    __tablename__ = "conformance_report"
    __table_args__ = (
        CheckConstraint(
            "tier IN ('probe', 'sampled', 'full')", name="conformance_report_tier_is_known"
        ),
        CheckConstraint(f"sha256 {_HEX}", name="conformance_report_sha256_is_hex"),
        CheckConstraint(
            "jsonb_typeof(document) = 'object'", name="conformance_report_is_an_object"
        ),
    )

    master_id: UUID = Field(primary_key=True, foreign_key="master.id", ondelete="CASCADE")
    profile: str = Field(primary_key=True)
    sha256: str = Field(primary_key=True)
    tier: str
    uhd_label: bool | None = None
    document: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    judged_at: datetime = Field(sa_column=column.instant())
