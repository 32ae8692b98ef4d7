"""Rows of packages: the assets of a work (配套文件), and IMF packages made of them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from contracts import column


class ImfPackage(SQLModel, table=True):
    """An IMF package: which uploaded file stands at which path, and what its check found.

    `files` holds path → id of the upload. The master is the picture track file of a package that
    is complete.
    """

    __tablename__ = "imf_package"
    __table_args__ = (
        CheckConstraint(
            "state IN ('checking', 'complete', 'refused')", name="imf_package_state_is_known"
        ),
        CheckConstraint(
            "jsonb_typeof(files) = 'object' AND jsonb_typeof(report) = 'object'",
            name="imf_package_says_objects",
        ),
        CheckConstraint(
            "(state = 'checking') = (report IS NULL) "
            "AND (state = 'complete') = (master_id IS NOT NULL)",
            name="imf_package_complete_has_a_master",
        ),
    )

    id: UUID = Field(primary_key=True)
    work_id: UUID = Field(foreign_key="work.id", index=True)
    party_id: UUID = Field(foreign_key="party.id", index=True)
    files: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    state: str = "checking"
    report: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True)
    )
    master_id: UUID | None = Field(default=None, foreign_key="master.id", index=True)
    created_at: datetime = Field(sa_column=column.instant())
    checked_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))


class Asset(SQLModel, table=True):
    """A file that goes with a work: what it is said to be, and what its content shows.

    `content` holds what was read from the file (format, cues, size of the picture, channels).
    """

    __tablename__ = "asset"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('picture', 'sound_stem', 'subtitle', 'artwork', 'metadata', 'other')",
            name="asset_kind_is_known",
        ),
        CheckConstraint("state IN ('checking', 'ready', 'refused')", name="asset_state_is_known"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="asset_sha256_is_hex"),
        CheckConstraint(
            "char_length(label) BETWEEN 1 AND 200 AND char_length(language) BETWEEN 2 AND 35",
            name="asset_texts_are_short",
        ),
        CheckConstraint(
            "(state = 'ready') = (content IS NOT NULL) "
            "AND (state = 'refused') = (refusal IS NOT NULL)",
            name="asset_says_what_was_found",
        ),
        CheckConstraint(
            "jsonb_typeof(content) = 'object' AND jsonb_typeof(refusal) = 'object'",
            name="asset_says_objects",
        ),
    )

    id: UUID = Field(primary_key=True)
    work_id: UUID = Field(foreign_key="work.id", index=True)
    party_id: UUID = Field(foreign_key="party.id", index=True)
    file_id: UUID = Field(foreign_key="master.id", index=True)
    package_id: UUID | None = Field(default=None, foreign_key="imf_package.id", index=True)
    kind: str
    language: str | None = None
    label: str
    sha256: str
    state: str = "checking"
    content: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True)
    )
    refusal: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True)
    )
    created_at: datetime = Field(sa_column=column.instant())
    checked_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
