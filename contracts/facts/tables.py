"""Rows of facts: what happened, and which facts still wait for their number."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    Identity,
    Uuid,
)
from sqlmodel import Field, SQLModel

from contracts import column


class Fact(SQLModel, table=True):
    """One thing that happened. Never changed, never deleted (migration 0001 forbids it)."""

    __tablename__ = "fact"
    __table_args__ = (CheckConstraint("octet_length(blind) = 32", name="fact_blind_is_32_bytes"),)

    id: UUID = Field(primary_key=True)
    kind: str = Field(index=True)
    subject: UUID = Field(index=True)
    parties: list[UUID] = Field(sa_column=Column(ARRAY(Uuid()), nullable=False))
    record: bytes = Field(sa_column=column.octets())
    blind: bytes = Field(sa_column=column.octets())
    recorded_at: datetime = Field(sa_column=column.instant())


class FactPending(SQLModel, table=True):
    """A fact that no number has been given to yet.

    `turn` orders facts about one object, whose writers hold its lock; it has gaps and late comers,
    which is why it is not the number that readers follow.
    """

    __tablename__ = "fact_pending"

    turn: int | None = Field(
        default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True)
    )
    fact_id: UUID = Field(foreign_key="fact.id", unique=True)
