"""Rows of recognition (比对): what is protected, what resembles it, and what was declared of it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from contracts import column


class ProtectedMaster(SQLModel, table=True):
    """A master that was once listed: from then on nobody else lists its picture.

    Written in the transaction of the publication; `epoch` is the publication's, so that whoever
    searched up to one epoch has only later rows left to look at.
    """

    __tablename__ = "protected_master"
    __table_args__ = (
        CheckConstraint("epoch > 0", name="protected_master_has_an_epoch"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="protected_master_sha256_is_hex"),
        CheckConstraint("essence ~ '^[0-9a-f]{64}$'", name="protected_master_essence_is_hex"),
    )

    listing_id: UUID = Field(primary_key=True, foreign_key="listing.id")
    master_id: UUID = Field(foreign_key="master.id", index=True)
    party_id: UUID = Field(foreign_key="party.id")
    work_id: UUID = Field(foreign_key="work.id")
    root_id: UUID
    epoch: int = Field(sa_column=Column(BigInteger, nullable=False, unique=True))
    sha256: str | None = Field(default=None, index=True)
    essence: str | None = Field(default=None, index=True)


class Recognition(SQLModel, table=True):
    """The verdict on a master: compared with all that was protected up to `epoch`.

    Its id is the master's, and names the case where staff have to look.
    """

    __tablename__ = "recognition"
    __table_args__ = (
        CheckConstraint("state IN ('clear', 'doubtful', 'copy')", name="recognition_state"),
        CheckConstraint("epoch >= 0", name="recognition_epoch_counts"),
        CheckConstraint(
            "(state = 'clear') = (opened_at IS NULL)", name="recognition_is_open_unless_clear"
        ),
        CheckConstraint(
            "num_nonnulls(reason, decided_by, decided_at) IN (0, 3)",
            name="recognition_decided_when",
        ),
        CheckConstraint(
            "char_length(reason) BETWEEN 1 AND 500", name="recognition_reason_is_short"
        ),
        Index("recognition_open", "opened_at", postgresql_where=text("opened_at IS NOT NULL")),
    )

    master_id: UUID = Field(primary_key=True, foreign_key="master.id", ondelete="CASCADE")
    party_id: UUID = Field(foreign_key="party.id")
    state: str
    epoch: int = Field(sa_column=Column(BigInteger, nullable=False))
    searched_at: datetime = Field(sa_column=column.instant())
    opened_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    reason: str | None = None
    decided_by: UUID | None = Field(default=None, foreign_key="person.id")
    decided_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))


class Resemblance(SQLModel, table=True):
    """How a master is related to one that is protected; `settled` is what staff made of it.

    `segments` holds the stretches as `relation.Segment.as_dict` writes them: integers and names.
    """

    __tablename__ = "resemblance"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('same-file', 'copy', 'excerpt', 'contains', 'versions', 'picture-only', "
            "'sound-only')",
            name="resemblance_kind_is_known",
        ),
        CheckConstraint(
            "coverage_here_bp BETWEEN 0 AND 10000 AND coverage_there_bp BETWEEN 0 AND 10000 "
            "AND confidence_bp BETWEEN 0 AND 10000 AND sound_bp BETWEEN 0 AND 10000",
            name="resemblance_shares_are_shares",
        ),
        CheckConstraint("jsonb_typeof(segments) = 'array'", name="resemblance_has_segments"),
        CheckConstraint("state IN ('clear', 'doubtful', 'copy')", name="resemblance_state"),
        CheckConstraint("settled IN ('cleared', 'refused')", name="resemblance_settled"),
        CheckConstraint("master_id <> other_master_id", name="resemblance_is_of_two"),
    )

    master_id: UUID = Field(primary_key=True, foreign_key="master.id", ondelete="CASCADE")
    other_master_id: UUID = Field(primary_key=True, foreign_key="master.id", index=True)
    kind: str
    sure: bool
    segments: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    coverage_here_bp: int
    coverage_there_bp: int
    confidence_bp: int
    sound_bp: int | None = None
    state: str
    why: str
    settled: str | None = None
    found_at: datetime = Field(sa_column=column.instant())


class Declaration(SQLModel, table=True):
    """What a rights holder says that a resemblance is; accepted or rejected by staff.

    Without `here_ms` it is about the whole of what the two have in common.
    """

    __tablename__ = "declaration"
    __table_args__ = (
        CheckConstraint("claim IN ('version', 'archive', 'licensed')", name="declaration_claim"),
        CheckConstraint(
            "state IN ('declared', 'accepted', 'rejected')", name="declaration_state_is_known"
        ),
        CheckConstraint(
            "(state = 'declared') = (decided_at IS NULL) "
            "AND (state = 'declared') = (decided_by IS NULL) "
            "AND (state = 'declared') = (reason IS NULL)",
            name="declaration_decided_when",
        ),
        CheckConstraint(
            "(here_ms IS NULL) = (length_ms IS NULL) AND here_ms >= 0 AND length_ms > 0",
            name="declaration_stretch_is_whole",
        ),
        CheckConstraint(
            "char_length(source) BETWEEN 1 AND 500 AND char_length(reason) BETWEEN 1 AND 500 "
            "AND char_length(objection) BETWEEN 1 AND 500",
            name="declaration_texts_are_short",
        ),
        CheckConstraint(
            "(objection IS NULL) = (objected_at IS NULL)", name="declaration_objected_when"
        ),
        Index("declaration_open", "declared_at", postgresql_where=text("state = 'declared'")),
    )

    id: UUID = Field(primary_key=True)
    master_id: UUID = Field(foreign_key="master.id", index=True, ondelete="CASCADE")
    party_id: UUID = Field(foreign_key="party.id")
    other_master_id: UUID = Field(foreign_key="master.id", index=True)
    other_party_id: UUID = Field(foreign_key="party.id")
    listing_id: UUID = Field(foreign_key="listing.id")
    claim: str
    source: str
    here_ms: int | None = None
    length_ms: int | None = None
    state: str = "declared"
    reason: str | None = None
    decided_by: UUID | None = Field(default=None, foreign_key="person.id")
    objection: str | None = None
    objected_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    declared_at: datetime = Field(sa_column=column.instant())
    decided_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
