"""Rows of the chain of title (权属链): what each document is, and the hash of its bytes."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from contracts import column


class TitleDocument(SQLModel, table=True):
    """A document of a work: declared first, filed once its bytes are here and are what was said.

    What was declared never changes, nor a filed document at all (migration 0013 has a trigger).
    """

    __tablename__ = "title_document"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('registration-certificate', 'contract', 'assignment', 'licence-in', "
            "'co-owner-consent', 'pledge-contract', 'permit', 'manuscript', 'other')",
            name="title_document_kind_is_known",
        ),
        CheckConstraint("state IN ('declared', 'filed')", name="title_document_state_is_known"),
        CheckConstraint("bytes BETWEEN 1 AND 20971520", name="title_document_has_a_size"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="title_document_sha256_is_hex"),
        CheckConstraint(
            "char_length(filename) BETWEEN 1 AND 200", name="title_document_has_a_name"
        ),
        CheckConstraint(
            "coalesce(char_length(from_party), 1) BETWEEN 1 AND 200 "
            "AND coalesce(char_length(to_party), 1) BETWEEN 1 AND 200",
            name="title_document_names_are_short",
        ),
        CheckConstraint(
            "issued_on BETWEEN '1888-01-01' AND '2200-12-31'",
            name="title_document_issued_on_is_possible",
        ),
        CheckConstraint(
            "media_type IN ('application/pdf', 'image/png', 'image/jpeg')",
            name="title_document_is_of_a_kind_that_is_taken",
        ),
        CheckConstraint(
            "(state = 'filed') = (media_type IS NOT NULL) "
            "AND (state = 'filed') = (filed_at IS NOT NULL)",
            name="title_document_filed_was_looked_at",
        ),
    )

    work_id: UUID = Field(primary_key=True, foreign_key="work.id")
    id: UUID = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="party.id")
    kind: str
    state: str = "declared"
    filename: str
    sha256: str
    bytes: int
    media_type: str | None = None
    issued_on: date | None = Field(default=None, sa_column=column.day(nullable=True))
    from_party: str | None = None
    to_party: str | None = None
    covers: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True)
    )
    grant_id: UUID | None = None
    created_at: datetime = Field(sa_column=column.instant())
    filed_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
