"""Rows of sweeps."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Index,
    text,
)
from sqlmodel import Field, SQLModel

from contracts import column
from contracts.money import Money
from settlement.sweeps.rules import FAILED, Ask, Expected


class Sweep(SQLModel, table=True):
    """A payout of the provider's balance to our bank (归集): prepared by one, decided by another.

    `landed_at` is what the bank's statement says, `state` what the provider says; neither waits for
    the other.
    """

    __tablename__ = "sweep"
    __table_args__ = (
        CheckConstraint(
            "state IN ('prepared', 'approved', 'refused', 'in_transit', 'paid', 'failed')",
            name="sweep_state_is_known",
        ),
        CheckConstraint("prepared_by <> decided_by", name="sweep_needs_two_people"),
        CheckConstraint(
            "(state = 'prepared') = (decided_by IS NULL) "
            "AND (decided_by IS NULL) = (decided_at IS NULL)",
            name="sweep_decided_by_whom_and_when",
        ),
        CheckConstraint(
            "(state = 'refused') = (refused_reason IS NOT NULL)", name="sweep_refused_why"
        ),
        CheckConstraint(
            "(state IN ('in_transit', 'paid', 'failed')) = (provider_id IS NOT NULL) "
            "AND (provider_id IS NULL) = (made_at IS NULL)",
            name="sweep_made_has_an_id",
        ),
        CheckConstraint(
            "(state IN ('prepared', 'refused')) = (intent_id IS NULL)",
            name="sweep_approved_has_an_intent",
        ),
        CheckConstraint(
            "landed_at IS NULL OR intent_id IS NOT NULL", name="sweep_lands_once_approved"
        ),
        CheckConstraint("amount_minor > 0", name="sweep_amount_is_positive"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="sweep_currency_is_a_code"),
        CheckConstraint("content_sha256 ~ '^[0-9a-f]{64}$'", name="sweep_sha256_is_hex"),
        CheckConstraint("descriptor ~ '^[A-Z0-9]{16}$'", name="sweep_descriptor_is_plain"),
        Index("ix_sweep_to_decide", "prepared_at", postgresql_where=text("state = 'prepared'")),
        Index("ix_sweep_look", "look_at", postgresql_where=text("look_at IS NOT NULL")),
        Index(
            "ix_sweep_expected",
            "currency",
            postgresql_where=text(
                "landed_at IS NULL AND state IN ('approved', 'in_transit', 'paid')"
            ),
        ),
    )

    id: UUID = Field(primary_key=True)
    account_id: UUID = Field(foreign_key="bank_account.id", index=True)
    amount_minor: int = Field(sa_column=column.minor())
    currency: str = Field(sa_column=column.currency())
    descriptor: str = Field(unique=True)
    state: str
    content: bytes = Field(sa_column=column.octets())
    content_sha256: str
    prepared_by: UUID = Field(foreign_key="person.id")
    prepared_at: datetime = Field(sa_column=column.instant())
    decided_by: UUID | None = Field(default=None, foreign_key="person.id")
    decided_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    refused_reason: str | None = None
    intent_id: UUID | None = Field(default=None, foreign_key="outbound.id", unique=True)
    provider_id: str | None = Field(default=None, unique=True)
    made_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    arrives_on: date | None = Field(default=None, sa_column=column.day(nullable=True))
    fault: str | None = None  # the provider's word for why it came back
    landed_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    look_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))

    @property
    def amount(self) -> Money:
        """What is swept."""
        return Money(self.amount_minor, self.currency)

    @property
    def on_the_way_minor(self) -> int:
        """What the account of money in transit has of it; negative where the bank was faster."""
        left = self.provider_id is not None and self.state != FAILED
        return (int(left) - int(self.landed_at is not None)) * self.amount_minor

    def ask(self) -> Ask:
        """The value that the rules know."""
        return Ask(self.account_id, self.amount)

    def expected(self) -> Expected:
        """What a statement may show of it."""
        named = (self.descriptor, *([self.provider_id] if self.provider_id else []))
        return Expected(self.id, self.amount_minor, self.account_id, named, self.arrives_on)
