"""Rows of the edge: which reactions have taken effect, what requests with a key were answered."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, DateTime, SmallInteger
from sqlmodel import Field, SQLModel

from contracts import column


class ReactionDone(SQLModel, table=True):
    """A reaction to a fact whose effect is committed; at most one per pair."""

    __tablename__ = "reaction_done"

    fact_id: UUID = Field(primary_key=True, foreign_key="fact.id")
    reaction: str = Field(primary_key=True)
    done_at: datetime = Field(sa_column=column.instant())


class IdempotencyKey(SQLModel, table=True):
    """A key that somebody sent with a request, and what that was answered; an answer stays."""

    __tablename__ = "idempotency_key"
    __table_args__ = (
        CheckConstraint("key ~ '^[!-~]{1,255}$'", name="idempotency_key_is_visible"),
        CheckConstraint("request_sha256 ~ '^[0-9a-f]{64}$'", name="idempotency_key_sha256_is_hex"),
        CheckConstraint(
            "(status IS NULL) = (answer IS NULL) AND (content_type IS NULL OR status IS NOT NULL)",
            name="idempotency_key_answer_is_whole",
        ),
        CheckConstraint("status BETWEEN 200 AND 299", name="idempotency_key_answer_is_a_success"),
    )

    person_id: UUID = Field(primary_key=True, foreign_key="person.id")
    key: str = Field(primary_key=True)
    request_sha256: str
    status: int | None = Field(default=None, sa_column=Column(SmallInteger, nullable=True))
    content_type: str | None = None
    answer: bytes | None = Field(default=None, sa_column=column.octets(nullable=True))
    made_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False, index=True))
