"""Rows of avails: files that were imported, and the lines of offers they left registered."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from contracts import column


class AvailImport(SQLModel, table=True):
    """A file of avails that was applied, with its report and what it changed."""

    __tablename__ = "avail_import"
    __table_args__ = (
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="avail_import_sha256_has_form"),
        CheckConstraint("form IN ('xlsx', 'xml')", name="avail_import_form_is_known"),
        CheckConstraint(
            "jsonb_typeof(counts) = 'object' AND jsonb_typeof(report) = 'object' "
            "AND jsonb_typeof(changes) = 'array'",
            name="avail_import_tells_all",
        ),
    )

    id: UUID = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="party.id", index=True)
    sha256: str
    form: str
    version: str
    counts: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    report: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    changes: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    imported_at: datetime = Field(sa_column=column.instant())


class AvailLine(SQLModel, table=True):
    """One offer of a party, as it said it last; `wire` is what it means as rights, when it does."""

    __tablename__ = "avail_line"
    __table_args__ = (
        CheckConstraint("state IN ('offered', 'withdrawn')", name="avail_line_state_is_known"),
        CheckConstraint("content_sha256 ~ '^[0-9a-f]{64}$'", name="avail_line_sha256_has_form"),
        CheckConstraint(
            "jsonb_typeof(content) = 'object' AND jsonb_typeof(wire) = 'object'",
            name="avail_line_says_objects",
        ),
        CheckConstraint(
            "char_length(alid) BETWEEN 1 AND 400 AND char_length(key) BETWEEN 1 AND 420",
            name="avail_line_has_names",
        ),
        Index("avail_line_work", "work_id", postgresql_where=text("work_id IS NOT NULL")),
    )

    party_id: UUID = Field(primary_key=True, foreign_key="party.id")
    alid: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    state: str
    work_id: UUID | None = Field(default=None, foreign_key="work.id")
    content: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    content_sha256: str
    wire: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True)
    )
    import_id: UUID = Field(foreign_key="avail_import.id", index=True)
    imported_at: datetime = Field(sa_column=column.instant())
