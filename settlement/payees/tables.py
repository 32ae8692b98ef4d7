"""Rows of payees' bank accounts; a row's account never changes, another one follows it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from contracts import column
from settlement.payees.rules import Details


class PayeeBankAccount(SQLModel, table=True):
    """An account at a bank into which a party is paid (收款账户)."""

    __tablename__ = "payee_bank_account"
    __table_args__ = (
        CheckConstraint("scheme IN ('iban', 'cnaps')", name="payee_bank_account_scheme_is_known"),
        CheckConstraint(
            "(scheme = 'cnaps') = (member_id IS NOT NULL)", name="payee_bank_account_names_its_bank"
        ),
        CheckConstraint(
            "member_id ~ '^[0-9]{12}$'", name="payee_bank_account_member_id_has_twelve_digits"
        ),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="payee_bank_account_currency_is_a_code"),
        CheckConstraint(
            "state IN ('declared', 'verified', 'refused', 'superseded', 'withdrawn')",
            name="payee_bank_account_state_is_known",
        ),
        CheckConstraint("declared_by <> decided_by", name="payee_bank_account_needs_two_people"),
        CheckConstraint(
            "(state IN ('declared', 'withdrawn')) = (decided_by IS NULL) "
            "AND (decided_by IS NULL) = (decided_at IS NULL)",
            name="payee_bank_account_decided_by_whom_and_when",
        ),
        CheckConstraint(
            "state IN ('declared', 'refused', 'withdrawn') OR usable_from >= decided_at",
            name="payee_bank_account_usable_once_verified",
        ),
        CheckConstraint(
            "(state = 'withdrawn') = (withdrawn_at IS NOT NULL)",
            name="payee_bank_account_withdrawn_when",
        ),
        CheckConstraint(
            "char_length(name_reason) BETWEEN 1 AND 500",
            name="payee_bank_account_name_reason_has_length",
        ),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="payee_bank_account_sha256_is_hex"),
        Index(
            "ix_payee_bank_account_in_force",
            "party_id",
            "currency",
            unique=True,
            postgresql_where=text("state = 'verified'"),
        ),
        Index(
            "ix_payee_bank_account_waiting",
            "party_id",
            "currency",
            unique=True,
            postgresql_where=text("state = 'declared'"),
        ),
    )

    id: UUID = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="party.id", index=True)
    scheme: str
    number: str
    member_id: str | None = None
    holder: str
    bank_name: str
    currency: str = Field(sa_column=column.currency())
    content: bytes = Field(sa_column=column.octets())  # what is approved
    sha256: str
    state: str
    declared_by: UUID = Field(foreign_key="person.id")
    declared_at: datetime = Field(sa_column=column.instant())
    decided_by: UUID | None = Field(default=None, foreign_key="person.id")
    decided_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    evidence: str | None = None  # how it was verified, or why it was refused
    usable_from: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    name_reason: str | None = None  # why the holder has another name than the party
    withdrawn_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))

    def details(self) -> Details:
        """The value that the rules know."""
        return Details(
            self.scheme, self.number, self.holder, self.currency, self.bank_name, self.member_id,
            self.name_reason,
        )  # fmt: skip
