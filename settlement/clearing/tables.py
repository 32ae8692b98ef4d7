"""Rows of the provider's movements, of what differs from the ledger, and of each cut-off.

Migration 0053 adds the triggers: movements and cut-offs never change, and a cut-off commits only
with items that name the whole of its difference; that of 0064 asks the same of what is in transit.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, text
from sqlmodel import Field, SQLModel

from contracts import column
from settlement.clearing.rules import Entry


class PspEntry(SQLModel, table=True):
    """A movement of the balance at the provider, as its list shows it."""

    __tablename__ = "psp_entry"
    __table_args__ = (
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="psp_entry_currency_is_a_code"),
        Index("ix_psp_entry_reference", "currency", "reference"),
    )

    id: str = Field(primary_key=True)
    kind: str
    reference: str
    currency: str = Field(sa_column=column.currency())
    amount_minor: int = Field(sa_column=column.minor())
    fee_minor: int = Field(sa_column=column.minor())
    created_at: datetime = Field(sa_column=column.instant())
    available_at: datetime = Field(sa_column=column.instant())
    imported_at: datetime = Field(sa_column=column.instant())

    @classmethod
    def of(cls, entry: Entry, *, now: datetime) -> "PspEntry":
        """Return the row of a movement."""
        return cls(
            id=entry.id,
            kind=entry.kind,
            reference=entry.reference,
            currency=entry.currency,
            amount_minor=entry.amount_minor,
            fee_minor=entry.fee_minor,
            created_at=entry.created_at,
            available_at=entry.available_at,
            imported_at=now,
        )


class PspItem(SQLModel, table=True):
    """A reference of which ledger and provider have different sums (渠道差异)."""

    __tablename__ = "psp_item"
    __table_args__ = (
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="psp_item_currency_is_a_code"),
        CheckConstraint("ledger_minor <> provider_minor", name="psp_item_differs"),
        CheckConstraint("closed_at >= opened_at", name="psp_item_closes_later"),
        Index(
            "ix_psp_item_open",
            "currency",
            "reference",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
        ),
    )

    id: UUID = Field(primary_key=True)
    reference: str
    currency: str = Field(sa_column=column.currency())
    ledger_minor: int = Field(sa_column=column.minor())
    provider_minor: int = Field(sa_column=column.minor())
    opened_at: datetime = Field(sa_column=column.instant())
    due_on: date = Field(sa_column=column.day())
    closed_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))


class PspOwner(SQLModel, table=True):
    """Who has taken up money in suspense at the provider: `id` is the item's, see `rules.held`."""

    __tablename__ = "psp_owner"
    __table_args__ = (
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="psp_owner_currency_is_a_code"),
    )

    id: UUID = Field(primary_key=True)
    reference: str
    currency: str = Field(sa_column=column.currency())
    owner_id: UUID = Field(foreign_key="person.id")
    since: datetime = Field(sa_column=column.instant())


class PspCutoff(SQLModel, table=True):
    """How ledger and provider stood at one instant; `open_minor` is what the items name."""

    __tablename__ = "psp_cutoff"
    __table_args__ = (
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="psp_cutoff_currency_is_a_code"),
        CheckConstraint(
            "ledger_minor - provider_minor = open_minor", name="psp_cutoff_difference_is_named"
        ),
        CheckConstraint("entries >= 0 AND items >= 0", name="psp_cutoff_counts"),
        Index("ix_psp_cutoff_last", "currency", "at"),
    )

    id: UUID = Field(primary_key=True)
    at: datetime = Field(sa_column=column.instant())
    currency: str = Field(sa_column=column.currency())
    entries: int
    ledger_minor: int = Field(sa_column=column.minor())
    provider_minor: int = Field(sa_column=column.minor())
    open_minor: int = Field(sa_column=column.minor())
    items: int
    # What has left the provider and is in no account at a bank: the sweeps on their way, by name.
    in_transit_minor: int = Field(
        default=0, sa_column=Column(BigInteger, nullable=False, server_default=text("0"))
    )
