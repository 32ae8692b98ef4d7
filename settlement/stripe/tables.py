"""Rows of events received, and how far the provider's lists were read."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from contracts import column


class InboundEvent(SQLModel, table=True):
    """An event as it came, byte for byte; stored once, applied from here."""

    __tablename__ = "inbound_event"
    __table_args__ = (
        UniqueConstraint("provider", "event_id", name="inbound_event_is_stored_once"),
        CheckConstraint("tries >= 0", name="inbound_event_counts"),
        Index("ix_inbound_event_due", "next_at", postgresql_where=text("handled_at IS NULL")),
    )

    id: UUID = Field(primary_key=True)
    provider: str
    event_id: str
    type: str
    payment_intent: str | None = None
    payout: str | None = None
    account: str | None = None
    raw: bytes = Field(sa_column=column.octets())
    received_at: datetime = Field(sa_column=column.instant())
    tries: int = 0
    next_at: datetime = Field(sa_column=column.instant())
    handled_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    outcome: str | None = None


class ProviderList(SQLModel, table=True):
    """A list at the provider that is read whether or not it tells; migrations add the lines."""

    __tablename__ = "provider_list"
    __table_args__ = (
        CheckConstraint("name IN ('returns', 'movements')", name="provider_list_name_is_known"),
    )

    name: str = Field(primary_key=True)
    read_until: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    next_at: datetime = Field(sa_column=column.instant())
