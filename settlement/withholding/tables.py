"""Rows of withheld taxes, and of what went back of them."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from contracts import column
from contracts.money import Money


class WithheldTax(SQLModel, table=True):
    """One tax withheld of what one payee was paid. Never changed.

    `gross_minor` is what the payee was owed in this payout; what it was paid and all that was
    withheld of it make the gross.
    """

    __tablename__ = "withheld_tax"
    __table_args__ = (
        ForeignKeyConstraint(
            ["payout_id", "party_id"], ["payout_transfer.payout_id", "payout_transfer.party_id"]
        ),
        UniqueConstraint("payout_id", "party_id", "tax", name="withheld_tax_once_each"),
        CheckConstraint("tax IN ('withheld-income', 'withheld-vat')", name="withheld_tax_is_known"),
        CheckConstraint(
            "amount_minor > 0 AND amount_minor < gross_minor", name="withheld_tax_is_part_of_it"
        ),
        CheckConstraint("rate_bp BETWEEN 1 AND 10000", name="withheld_tax_rate_in_range"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="withheld_tax_currency_is_a_code"),
        CheckConstraint("country ~ '^[A-Z]{2}$'", name="withheld_tax_country_is_a_code"),
        CheckConstraint("due_on >= withheld_on", name="withheld_tax_due_later"),
        Index("ix_withheld_tax_group", "authority", "tax", "currency", "period"),
    )

    id: UUID = Field(primary_key=True)
    payout_id: UUID
    party_id: UUID = Field(foreign_key="party.id", index=True)
    deal_id: UUID = Field(foreign_key="settlement.deal_id", index=True)
    tax: str
    rule: str  # the row of the tax rules
    rate_bp: int
    legal_basis: str
    authority: str
    country: str = Field(sa_column=Column(String(2), nullable=False))
    certificate_no: str | None = None  # where a treaty lowered it
    gross_minor: int = Field(sa_column=column.minor())
    amount_minor: int = Field(sa_column=column.minor())
    currency: str = Field(sa_column=column.currency())
    withheld_on: date
    period: str  # 2026-11, or a day: what is remitted together
    due_on: date
    created_at: datetime = Field(sa_column=column.instant())

    @property
    def amount(self) -> Money:
        """What was withheld."""
        return Money(self.amount_minor, self.currency)


class WithheldReturn(SQLModel, table=True):
    """What went back of a withheld tax for one refund, dispute or red letter. Never changed.

    `reversed`: it was not remitted, so that much less will be. `claimed`: it was, and the authority
    owes it.
    """

    __tablename__ = "withheld_return"
    __table_args__ = (
        UniqueConstraint("withheld_id", "cause", "cause_id", name="withheld_return_once_each"),
        CheckConstraint("state IN ('reversed', 'claimed')", name="withheld_return_state_is_known"),
        CheckConstraint(
            "cause IN ('refund', 'dispute', 'red-letter')", name="withheld_return_cause_is_known"
        ),
        CheckConstraint("amount_minor > 0", name="withheld_return_amount_is_positive"),
    )

    id: UUID = Field(primary_key=True)
    withheld_id: UUID = Field(foreign_key="withheld_tax.id")
    cause: str
    cause_id: UUID
    amount_minor: int = Field(sa_column=column.minor())
    state: str
    created_at: datetime = Field(sa_column=column.instant())
