"""Rows of masters (母版): the upload, its examination, and the codes of its fingerprint."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from contracts import canonical, column


class Master(SQLModel, table=True):
    """A UHD file on its way from the first byte to `ready` or `refused`.

    `received_bytes` is the committed offset: every byte before it is on disk and stays. The
    file is `<objects>/masters/<id>`. `hash_state` is what its running sums go on from (`chunks`).
    `purpose` is `asset` for a file that goes with a work and is not examined as its master (see
    `listings/packages`); `reference` says where a master that was not uploaded is fetched from.
    """

    __tablename__ = "master"
    __table_args__ = (
        CheckConstraint("declared_bytes > 0", name="master_is_not_empty"),
        CheckConstraint(
            "received_bytes BETWEEN 0 AND declared_bytes", name="master_holds_what_was_declared"
        ),
        CheckConstraint(
            "state IN ('uploading', 'received', 'examining', 'ready', 'refused')",
            name="master_state_is_known",
        ),
        CheckConstraint(
            "stage IN ('uploading', 'waiting', 'hashing', 'probing', 'decoding', 'fingerprinting', "
            "'done')",
            name="master_stage_is_known",
        ),
        CheckConstraint("done_bp BETWEEN 0 AND 10000", name="master_done_is_a_share"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="master_sha256_is_hex"),
        CheckConstraint(
            "state = 'uploading' OR (sha256 IS NOT NULL AND received_bytes = declared_bytes) "
            "OR (state = 'refused' AND reference IS NOT NULL)",
            name="master_received_is_whole",
        ),
        CheckConstraint("chunk_root ~ '^[0-9a-f]{64}$'", name="master_chunk_root_is_hex"),
        CheckConstraint("purpose IN ('master', 'asset')", name="master_purpose_is_known"),
        CheckConstraint("jsonb_typeof(reference) = 'object'", name="master_reference_says_where"),
        CheckConstraint(
            "state <> 'ready' OR (probe IS NOT NULL AND fingerprint IS NOT NULL)",
            name="master_ready_is_examined",
        ),
        CheckConstraint(
            "(state = 'refused') = (refusal IS NOT NULL)", name="master_refused_says_why"
        ),
        Index("ix_master_overdue", "expires_at", postgresql_where=text("state = 'uploading'")),
    )

    id: UUID = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="party.id", index=True)
    work_id: UUID | None = Field(default=None, foreign_key="work.id", index=True)
    filename: str
    declared_bytes: int = Field(sa_column=Column(BigInteger, nullable=False))
    received_bytes: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    state: str = "uploading"
    stage: str = "uploading"
    done_bp: int = 0
    sha256: str | None = None
    chunk_root: str | None = None
    purpose: str = Field(default="master", sa_column_kwargs={"server_default": text("'master'")})
    hash_state: bytes | None = Field(default=None, sa_column=column.octets(nullable=True))
    reference: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True)
    )
    probe: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True)
    )
    fingerprint: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True)
    )
    refusal: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True)
    )
    created_at: datetime = Field(sa_column=column.instant())
    expires_at: datetime = Field(sa_column=column.instant())
    examined_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))

    @property
    def probe_sha256(self) -> str:
        """SHA-256 (hex) of the canonical bytes of the probe; facts and listings carry it."""
        return canonical.sha256_hex(canonical.dumps(self.probe))

    @property
    def fingerprint_sha256(self) -> str:
        """SHA-256 (hex) of the canonical bytes of the fingerprint record."""
        return canonical.sha256_hex(canonical.dumps(self.fingerprint))


class FingerprintSegment(SQLModel, table=True):
    """Twelve seconds of one track of a master's fingerprint, in order.

    Tracks: `video` (40 bytes a code, five a second) is what others are compared with; `query` (ten
    codes each, ten times a second) is used when this master is the one in question; `audio` is
    Chromaprint (4 bytes little endian, about eight a second).
    """

    __tablename__ = "fingerprint_segment"
    __table_args__ = (
        CheckConstraint("track IN ('video', 'query', 'audio')", name="segment_track_is_known"),
        CheckConstraint("seg >= 0", name="segment_counts_from_zero"),
    )

    master_id: UUID = Field(primary_key=True, foreign_key="master.id", ondelete="CASCADE")
    track: str = Field(primary_key=True)
    seg: int = Field(primary_key=True)
    codes: bytes = Field(sa_column=column.octets())
