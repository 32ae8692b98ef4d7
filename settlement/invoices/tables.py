"""Rows of invoices, their numbers and their payments."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, text
from sqlmodel import Field, SQLModel

from contracts import column
from contracts.money import Money
from settlement.invoices.rules import ISSUED


def _none_yet() -> Column[int]:
    return Column(BigInteger, nullable=False, server_default=text("0"))


class InvoiceSeries(SQLModel, table=True):
    """The last number given in a series and year; its row lock makes numbers gapless."""

    __tablename__ = "invoice_series"
    __table_args__ = (CheckConstraint("last_number >= 1", name="invoice_series_counts"),)

    series: str = Field(primary_key=True)
    year: int = Field(primary_key=True)
    last_number: int


class Invoice(SQLModel, table=True):
    """What the licensee of a deal owes (账单)."""

    __tablename__ = "invoice"
    __table_args__ = (
        CheckConstraint("state IN ('issued', 'paid', 'reversed')", name="invoice_state_is_known"),
        CheckConstraint("(state = 'paid') = (paid_at IS NOT NULL)", name="invoice_paid_when"),
        CheckConstraint("(state = 'paid') = (paid_by IS NOT NULL)", name="invoice_paid_by_one"),
        CheckConstraint("amount_minor > 0", name="invoice_amount_is_positive"),
        CheckConstraint(
            "deposit_minor BETWEEN 0 AND amount_minor", name="invoice_deposit_is_part_of_it"
        ),
        CheckConstraint(
            "reversed_minor BETWEEN 0 AND amount_minor - deposit_minor "
            "AND reversed_tax_minor BETWEEN 0 AND tax_minor",
            name="invoice_reversed_is_part_of_it",
        ),
        CheckConstraint(
            "state <> 'reversed' OR reversed_minor = amount_minor",
            name="invoice_reversed_is_all_of_it",
        ),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="invoice_currency_is_a_code"),
        CheckConstraint(
            "tax_minor BETWEEN 0 AND amount_minor AND tax_rate_bp BETWEEN 0 AND 10000 "
            "AND fee_tax_minor BETWEEN 0 AND amount_minor",
            name="invoice_tax_is_part_of_it",
        ),
        CheckConstraint(
            "late_bp BETWEEN 0 AND 10000 AND (late_bp IS NULL OR due_at IS NOT NULL)",
            name="invoice_late_rate_in_range",
        ),
        Index("ix_invoice_falls_due", "due_at", postgresql_where=text("state = 'issued'")),
    )

    id: UUID = Field(primary_key=True)
    number: str = Field(unique=True)
    deal_id: UUID = Field(foreign_key="settlement.deal_id", unique=True)
    payer_id: UUID = Field(foreign_key="party.id", index=True)
    amount_minor: int = Field(sa_column=column.minor())
    # The part that a deposit has paid (保证金转价款).
    deposit_minor: int = Field(default=0, sa_column=_none_yet())
    currency: str = Field(sa_column=column.currency())
    # The VAT that the price holds, at the rate of the day of issue (价税合计); the seller owes it.
    tax_minor: int = Field(default=0, sa_column=_none_yet())
    tax_rate_bp: int = Field(
        default=0, sa_column=Column(Integer, nullable=False, server_default=text("0"))
    )
    # The VAT within the exchange's commission, which the exchange owes and has booked apart.
    fee_tax_minor: int = Field(default=0, sa_column=_none_yet())
    # What red letters took back of the amount and of its VAT (红冲).
    reversed_minor: int = Field(default=0, sa_column=_none_yet())
    reversed_tax_minor: int = Field(default=0, sa_column=_none_yet())
    state: str
    issued_at: datetime = Field(sa_column=column.instant())
    # The first instant at which it is late, and what the contract asks for each day from then on.
    due_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    late_bp: int | None = None
    accrued_on: date | None = None  # the last day whose interest is written down
    late_claim_id: UUID | None = Field(
        default=None, foreign_key="settlement.deal_id", unique=True, index=True
    )
    paid_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    paid_by: UUID | None = None  # the payment that settled it; a further one is held in suspense

    @property
    def amount(self) -> Money:
        """The whole price."""
        return Money(self.amount_minor, self.currency)

    @property
    def tax(self) -> Money:
        """The VAT within the price."""
        return Money(self.tax_minor, self.currency)

    @property
    def due(self) -> Money:
        """What one payment settles: the price without the deposit and what was taken back."""
        left = self.amount_minor - self.deposit_minor - self.reversed_minor
        return Money(left, self.currency)

    @property
    def outstanding(self) -> Money:
        """What is still to be paid: nothing once it is paid or taken back whole."""
        return self.due if self.state == ISSUED else Money(0, self.currency)


class Payment(SQLModel, table=True):
    """One attempt to pay an invoice; at most one of an invoice is open."""

    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint("method IN ('card', 'wire')", name="payment_method_is_known"),
        CheckConstraint(
            "(method = 'wire') = (account IS NOT NULL)", name="payment_wire_into_an_account"
        ),
        CheckConstraint(
            "state IN ('requested', 'ready', 'succeeded', 'failed')", name="payment_state_is_known"
        ),
        CheckConstraint(
            "state <> 'ready' OR provider_id IS NOT NULL", name="payment_ready_has_an_object"
        ),
        CheckConstraint("amount_minor > 0", name="payment_amount_is_positive"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="payment_currency_is_a_code"),
        CheckConstraint("checks >= 0", name="payment_counts"),
        Index(
            "ix_payment_one_open",
            "invoice_id",
            unique=True,
            postgresql_where=text("state IN ('requested', 'ready')"),
        ),
        Index("ix_payment_check", "next_check_at", postgresql_where=text("state = 'ready'")),
    )

    id: UUID = Field(primary_key=True)
    invoice_id: UUID = Field(foreign_key="invoice.id", index=True)
    payer_id: UUID = Field(foreign_key="party.id")
    method: str
    amount_minor: int = Field(sa_column=column.minor())
    currency: str = Field(sa_column=column.currency())
    state: str
    provider_id: str | None = Field(default=None, unique=True)
    client_secret: str | None = None
    charge_id: str | None = Field(default=None, unique=True)
    account: str | None = None  # of a wire: the ledger's account that mirrors the bank's
    # Of a wire: the account at a bank that its money lies in; it is paid out of no other escrow.
    bank_account_id: UUID | None = Field(default=None, foreign_key="bank_account.id")
    checks: int = 0
    next_check_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    requested_at: datetime = Field(sa_column=column.instant())
    settled_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
