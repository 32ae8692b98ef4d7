"""Rows of refunds."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    String,
    text,
)
from sqlmodel import Field, SQLModel

from contracts import column
from contracts.money import Money
from settlement.refunds.rules import TO_CARD, Ask


class Refund(SQLModel, table=True):
    """What goes back of one payment: prepared by one person, decided by another."""

    __tablename__ = "refund"
    __table_args__ = (
        CheckConstraint(
            "state IN ('prepared', 'approved', 'refused', 'made', 'failed')",
            name="refund_state_is_known",
        ),
        CheckConstraint("prepared_by <> decided_by", name="refund_needs_two_people"),
        CheckConstraint(
            "(state = 'prepared') = (decided_by IS NULL) "
            "AND (decided_by IS NULL) = (decided_at IS NULL)",
            name="refund_decided_by_whom_and_when",
        ),
        CheckConstraint(
            "(state = 'refused') = (refused_reason IS NOT NULL)", name="refund_refused_why"
        ),
        CheckConstraint(
            "(state IN ('made', 'failed')) = (provider_id IS NOT NULL)",
            name="refund_made_has_an_id",
        ),
        CheckConstraint("amount_minor > 0", name="refund_amount_is_positive"),
        CheckConstraint(
            "goes_to IN ('card', 'payer-account', 'verified-account')", name="refund_goes_somewhere"
        ),
        CheckConstraint(
            "(goes_to = 'card') = (document IS NULL) AND (goes_to = 'card') = (account_id IS NULL) "
            "AND (goes_to = 'card') = (to_account IS NULL) "
            "AND (goes_to = 'card') = (to_holder IS NULL)",
            name="refund_to_a_bank_has_a_file",
        ),
        CheckConstraint(
            "(goes_to = 'verified-account') = (payee_account_id IS NOT NULL)",
            name="refund_to_a_verified_account",
        ),
        CheckConstraint(
            "goes_to = 'card' OR intent_id IS NULL", name="refund_to_a_bank_is_no_instruction"
        ),
        CheckConstraint("failed_at IS NULL OR state = 'failed'", name="refund_failed_when"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="refund_currency_is_a_code"),
        CheckConstraint("char_length(reason) BETWEEN 1 AND 500", name="refund_reason_has_length"),
        CheckConstraint("content_sha256 ~ '^[0-9a-f]{64}$'", name="refund_sha256_is_hex"),
        Index(
            "ix_refund_one_open",
            "payment_id",
            unique=True,
            postgresql_where=text("state IN ('prepared', 'approved')"),
        ),
        # Of all that send one refund again, one waits, is on its way, or has arrived.
        Index(
            "ix_refund_one_resend",
            "resends",
            unique=True,
            postgresql_where=text("state IN ('prepared', 'approved', 'made')"),
        ),
    )

    id: UUID = Field(primary_key=True)
    payment_id: UUID = Field(foreign_key="payment.id", index=True)
    deal_id: UUID = Field(foreign_key="settlement.deal_id", index=True)
    payer_id: UUID = Field(foreign_key="party.id")
    amount_minor: int = Field(sa_column=column.minor())
    currency: str = Field(sa_column=column.currency())
    reason: str
    goes_to: str = Field(
        default=TO_CARD, sa_column=Column(String, nullable=False, server_default="card")
    )
    # Of a refund to a bank: the account of ours that pays, the payer's, and the file to be sent.
    account_id: UUID | None = Field(default=None, foreign_key="bank_account.id")
    payee_account_id: UUID | None = Field(default=None, foreign_key="payee_bank_account.id")
    to_account: str | None = None
    to_holder: str | None = None
    document: bytes | None = Field(default=None, sa_column=column.octets(nullable=True))
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
    # Refunds that failed before it was kept have none.
    failed_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    # The refund that failed and is sent again, whole, by this one; its trigger says so too.
    resends: UUID | None = Field(default=None, foreign_key="refund.id")

    @property
    def amount(self) -> Money:
        """What goes back."""
        return Money(self.amount_minor, self.currency)

    def ask(self) -> Ask:
        """The value that the rules know."""
        return Ask(
            self.payment_id,
            self.amount,
            self.reason,
            self.goes_to,
            self.resends,
            None if self.resends is None else self.account_id,
        )
