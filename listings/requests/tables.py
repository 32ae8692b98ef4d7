"""Rows of requests for proposals and their answers."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    Index,
    Uuid,
    text,
)
from sqlmodel import Field, SQLModel

from contracts import column


class ProposalRequest(SQLModel, table=True):
    """What a broadcaster looks for; `invited` is null where every rights holder may answer."""

    __tablename__ = "proposal_request"
    __table_args__ = (
        CheckConstraint(
            "state IN ('open', 'opened', 'withdrawn')", name="proposal_request_state_is_known"
        ),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="proposal_request_sha256_is_hex"),
        CheckConstraint("deadline_at > made_at", name="proposal_request_has_time"),
        CheckConstraint(
            "(state = 'open') = (ended_at IS NULL)", name="proposal_request_ended_when"
        ),
        Index("ix_proposal_request_due", "deadline_at", postgresql_where=text("state = 'open'")),
    )

    id: UUID = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="party.id", index=True)
    content: bytes = Field(sa_column=column.octets())
    sha256: str
    invited: list[UUID] | None = Field(default=None, sa_column=Column(ARRAY(Uuid()), nullable=True))
    state: str = "open"
    deadline_at: datetime = Field(sa_column=column.instant())
    made_at: datetime = Field(sa_column=column.instant())
    ended_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))


class Proposal(SQLModel, table=True):
    """An answer: nobody but its maker reads it before all are opened."""

    __tablename__ = "proposal"
    __table_args__ = (
        CheckConstraint(
            "state IN ('sealed', 'replaced', 'withdrawn', 'opened')", name="proposal_state_is_known"
        ),
        CheckConstraint("commitment ~ '^[0-9a-f]{64}$'", name="proposal_commitment_is_hex"),
        CheckConstraint("octet_length(nonce) = 32", name="proposal_nonce_is_32_bytes"),
        Index(
            "proposal_one_of_a_party", "request_id", "party_id",
            unique=True, postgresql_where=text("state IN ('sealed', 'opened')"),
        ),
    )  # fmt: skip

    request_id: UUID = Field(primary_key=True, foreign_key="proposal_request.id")
    id: UUID = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="party.id", index=True)
    person_id: UUID
    asked: bytes = Field(sa_column=column.octets())
    content: bytes = Field(sa_column=column.octets())
    nonce: bytes = Field(sa_column=column.octets())
    commitment: str
    state: str = "sealed"
    made_at: datetime = Field(sa_column=column.instant())
    offer_id: UUID | None = None
