"""Rows of what is taken back from payees."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from contracts import column
from contracts.money import Money


class Recovery(SQLModel, table=True):
    """What one line of a settlement gives back for one refund, dispute or red letter."""

    __tablename__ = "recovery"
    __table_args__ = (
        UniqueConstraint("cause", "cause_id", "line", name="recovery_once_for_a_cause"),
        CheckConstraint(
            "cause IN ('refund', 'dispute', 'red-letter')", name="recovery_cause_is_known"
        ),
        CheckConstraint(
            "state IN ('taken', 'owed', 'sending', 'reversed')", name="recovery_state_is_known"
        ),
        CheckConstraint(
            "(state = 'reversed') = (provider_id IS NOT NULL)", name="recovery_reversed_has_an_id"
        ),
        CheckConstraint(
            "(state IN ('sending', 'reversed')) = (intent_id IS NOT NULL)",
            name="recovery_sent_has_an_intent",
        ),
        CheckConstraint("amount_minor > 0", name="recovery_amount_is_positive"),
        CheckConstraint(
            "withheld_minor BETWEEN 0 AND amount_minor", name="recovery_withheld_is_part_of_it"
        ),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="recovery_currency_is_a_code"),
        Index(
            "ix_recovery_open",
            "created_at",
            postgresql_where=text("state IN ('owed', 'sending')"),
        ),
    )

    id: UUID = Field(primary_key=True)
    cause: str
    cause_id: UUID
    deal_id: UUID = Field(foreign_key="settlement.deal_id", index=True)
    line: int
    kind: str
    payee_id: UUID = Field(foreign_key="party.id")
    amount_minor: int = Field(sa_column=column.minor())
    # What of it was withheld when the payee was paid: the payee gives the rest back.
    withheld_minor: int = Field(
        default=0, sa_column=Column(BigInteger, nullable=False, server_default=text("0"))
    )
    currency: str = Field(sa_column=column.currency())
    state: str
    intent_id: UUID | None = Field(default=None, foreign_key="outbound.id", unique=True)
    provider_id: str | None = Field(default=None, unique=True)
    created_at: datetime = Field(sa_column=column.instant())

    @property
    def amount(self) -> Money:
        """What is given back."""
        return Money(self.amount_minor, self.currency)

    @property
    def own(self) -> Money:
        """What the payee itself gives back: all but what was withheld."""
        return Money(self.amount_minor - self.withheld_minor, self.currency)
