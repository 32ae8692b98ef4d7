"""Rows of tax authorities' accounts, remittances and what is in each."""

from datetime import date, datetime
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
from settlement.payees.rules import Details
from settlement.remittances.rules import Group


class TaxAuthority(SQLModel, table=True):
    """Where withheld taxes of one currency are paid to a tax authority (国库账户)."""

    __tablename__ = "tax_authority"
    __table_args__ = (
        CheckConstraint("code ~ '^[A-Z]{2}(-[A-Z0-9]{1,10})?$'", name="tax_authority_code"),
        CheckConstraint("scheme IN ('iban', 'cnaps')", name="tax_authority_scheme_is_known"),
        CheckConstraint(
            "(scheme = 'cnaps') = (member_id IS NOT NULL)", name="tax_authority_names_its_bank"
        ),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="tax_authority_currency_is_a_code"),
    )

    code: str = Field(primary_key=True)
    currency: str = Field(sa_column=Column(String(3), primary_key=True))
    name_zh: str
    name_en: str
    scheme: str
    number: str
    member_id: str | None = None
    holder: str
    bank_name: str
    updated_by: UUID = Field(foreign_key="person.id")
    updated_at: datetime = Field(sa_column=column.instant())

    def details(self) -> Details:
        """The value that the rules know."""
        return Details(
            self.scheme, self.number, self.holder, self.currency, self.bank_name, self.member_id
        )


class Remittance(SQLModel, table=True):
    """What is paid to a tax authority at once: prepared by one person, decided by another.

    `account` and `holder` are what was approved; `receipt_no` is of the tax office's certificate of
    payment (完税凭证).
    """

    __tablename__ = "remittance"
    __table_args__ = (
        CheckConstraint(
            "state IN ('prepared', 'approved', 'refused', 'paid')",
            name="remittance_state_is_known",
        ),
        CheckConstraint("prepared_by <> decided_by", name="remittance_needs_two_people"),
        CheckConstraint(
            "(state = 'prepared') = (decided_by IS NULL) "
            "AND (decided_by IS NULL) = (decided_at IS NULL)",
            name="remittance_decided_by_whom_and_when",
        ),
        CheckConstraint(
            "(state = 'refused') = (reason IS NOT NULL)", name="remittance_refused_with_a_reason"
        ),
        CheckConstraint("(state = 'paid') = (paid_at IS NOT NULL)", name="remittance_paid_when"),
        CheckConstraint(
            "num_nonnulls(receipt_no, receipt_on, receipt_by) IN (0, 3) "
            "AND (receipt_no IS NULL OR state = 'paid')",
            name="remittance_receipt_once_paid",
        ),
        CheckConstraint(
            "char_length(receipt_no) BETWEEN 1 AND 64", name="remittance_receipt_has_length"
        ),
        CheckConstraint("amount_minor > 0", name="remittance_amount_is_positive"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="remittance_currency_is_a_code"),
        CheckConstraint("content_sha256 ~ '^[0-9a-f]{64}$'", name="remittance_sha256_is_hex"),
        Index(
            "ix_remittance_one_open",
            "authority",
            "tax",
            "currency",
            "period",
            unique=True,
            postgresql_where=text("state = 'prepared'"),
        ),
        Index("ix_remittance_receipt", "authority", "receipt_no", unique=True),
    )

    id: UUID = Field(primary_key=True)
    authority: str
    tax: str
    currency: str = Field(sa_column=column.currency())
    period: str
    due_on: date
    amount_minor: int = Field(sa_column=column.minor())
    account: str
    holder: str
    state: str
    content: bytes = Field(sa_column=column.octets())
    content_sha256: str
    prepared_by: UUID = Field(foreign_key="person.id")
    prepared_at: datetime = Field(sa_column=column.instant())
    decided_by: UUID | None = Field(default=None, foreign_key="person.id")
    decided_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    reason: str | None = None
    paid_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    receipt_no: str | None = None
    receipt_on: date | None = None
    receipt_by: UUID | None = Field(default=None, foreign_key="person.id")

    @property
    def amount(self) -> Money:
        """What is paid."""
        return Money(self.amount_minor, self.currency)

    @property
    def group(self) -> Group:
        """What is remitted together."""
        return Group(self.authority, self.tax, self.currency, self.period)


class RemittanceItem(SQLModel, table=True):
    """A withheld tax in a remittance; it is in one that was not refused, and in no other."""

    __tablename__ = "remittance_item"
    __table_args__ = (
        CheckConstraint(
            "state IN ('prepared', 'approved', 'refused', 'paid')",
            name="remittance_item_state_is_known",
        ),
        CheckConstraint("amount_minor > 0", name="remittance_item_amount_is_positive"),
        Index(
            "ix_withheld_in_one_remittance",
            "withheld_id",
            unique=True,
            postgresql_where=text("state <> 'refused'"),
        ),
    )

    remittance_id: UUID = Field(primary_key=True, foreign_key="remittance.id")
    withheld_id: UUID = Field(primary_key=True, foreign_key="withheld_tax.id")
    amount_minor: int = Field(sa_column=column.minor())
    state: str
