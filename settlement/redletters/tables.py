"""Rows of red letters."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Index,
    text,
)
from sqlmodel import Field, SQLModel

from contracts import column
from contracts.money import Money
from settlement.redletters.rules import Ask


class RedLetter(SQLModel, table=True):
    """What one red letter takes back of an invoice: prepared by one person, decided by another.

    Amounts are positive; its page writes them with a minus. `decided_at` is when it was issued.
    One that follows a lost dispute has no makers: the card holder's bank decided, and the loss is
    booked, so it is issued at once.
    """

    __tablename__ = "red_letter"
    __table_args__ = (
        CheckConstraint(
            "state IN ('prepared', 'issued', 'refused')", name="red_letter_state_is_known"
        ),
        CheckConstraint("(state = 'issued') = (number IS NOT NULL)", name="red_letter_is_numbered"),
        CheckConstraint("prepared_by <> decided_by", name="red_letter_needs_two_people"),
        CheckConstraint(
            "(state = 'prepared') = (decided_at IS NULL) AND (decided_by IS NULL) = "
            "(decided_at IS NULL OR dispute_id IS NOT NULL)",
            name="red_letter_decided_by_whom_and_when",
        ),
        CheckConstraint(
            "(dispute_id IS NULL) = (prepared_by IS NOT NULL)", name="red_letter_made_by_whom"
        ),
        CheckConstraint(
            "dispute_id IS NULL OR (state = 'issued' AND refund_id IS NULL)",
            name="red_letter_of_a_dispute_is_issued",
        ),
        CheckConstraint(
            "(state = 'refused') = (refused_reason IS NOT NULL)", name="red_letter_refused_why"
        ),
        CheckConstraint(
            "amount_minor > 0 AND tax_minor BETWEEN 0 AND amount_minor",
            name="red_letter_amounts_are_positive",
        ),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="red_letter_currency_is_a_code"),
        CheckConstraint(
            "reason_code IN ('error', 'return', 'service-ended', 'allowance')",
            name="red_letter_reason_is_known",
        ),
        CheckConstraint(
            "char_length(reason) BETWEEN 1 AND 200", name="red_letter_reason_has_length"
        ),
        CheckConstraint("content_sha256 ~ '^[0-9a-f]{64}$'", name="red_letter_sha256_is_hex"),
        Index(
            "ix_red_letter_one_open",
            "invoice_id",
            unique=True,
            postgresql_where=text("state = 'prepared'"),
        ),
        Index(
            "ix_red_letter_one_of_a_refund",
            "refund_id",
            unique=True,
            postgresql_where=text("state <> 'refused'"),
        ),
    )

    id: UUID = Field(primary_key=True)
    number: str | None = Field(default=None, unique=True)
    invoice_id: UUID = Field(foreign_key="invoice.id", index=True)
    refund_id: UUID | None = Field(default=None, foreign_key="refund.id")
    dispute_id: UUID | None = Field(default=None, foreign_key="dispute.id", unique=True)
    amount_minor: int = Field(sa_column=column.minor())
    tax_minor: int = Field(sa_column=column.minor())
    currency: str = Field(sa_column=column.currency())
    reason_code: str
    reason: str
    state: str
    content: bytes = Field(sa_column=column.octets())
    content_sha256: str
    prepared_by: UUID | None = Field(default=None, foreign_key="person.id")
    prepared_at: datetime = Field(sa_column=column.instant())
    decided_by: UUID | None = Field(default=None, foreign_key="person.id")
    decided_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    refused_reason: str | None = None

    @property
    def amount(self) -> Money:
        """What is taken back."""
        return Money(self.amount_minor, self.currency)

    def ask(self) -> Ask:
        """The value that the rules know."""
        return Ask(self.invoice_id, self.amount, self.reason_code, self.reason, self.refund_id)
