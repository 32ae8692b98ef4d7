"""Rows of the accounts followed, payment files and their items, statements and their entries."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from contracts import column
from settlement.bank.rules import Account, Entry
from settlement.ledger import rules as accounts


class BankAccount(SQLModel, table=True):
    """An account at a bank that the ledger mirrors (银行账户); `instruct_only`: the bank holds."""

    __tablename__ = "bank_account"
    __table_args__ = (
        UniqueConstraint("number", "currency", name="bank_account_is_followed_once"),
        CheckConstraint(
            "scheme IN ('iban', 'cnaps', 'other')", name="bank_account_scheme_is_known"
        ),
        CheckConstraint(
            "(scheme = 'cnaps') = (member_id IS NOT NULL)", name="bank_account_names_its_bank"
        ),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="bank_account_currency_is_a_code"),
        CheckConstraint(
            "NOT in_escrow OR instruct_only", name="bank_account_in_escrow_is_instructed"
        ),
    )

    id: UUID = Field(primary_key=True)
    name: str
    scheme: str
    number: str
    member_id: str | None = None
    bic: str | None = None
    holder: str
    bank_name: str | None = None  # accounts followed before it was kept have none
    currency: str = Field(sa_column=column.currency())
    instruct_only: bool
    # Mirrored apart from the exchange's own cash; accounts followed before this keep their code.
    in_escrow: bool = Field(
        default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false"))
    )
    opened_by: UUID = Field(foreign_key="person.id")
    opened_at: datetime = Field(sa_column=column.instant())

    @property
    def code(self) -> str:
        """The ledger's account that mirrors it, without its currency."""
        made = accounts.escrow_account if self.in_escrow else accounts.bank_account
        return made(self.id)

    def payer(self) -> Account:
        """The value that the rules know."""
        return Account(self.scheme, self.number, self.holder, self.member_id, self.bic)


class PaymentBatch(SQLModel, table=True):
    """A payment file: made by one person, approved by another, given out as it was approved."""

    __tablename__ = "payment_batch"
    __table_args__ = (
        CheckConstraint(
            "state IN ('prepared', 'approved', 'refused', 'settled')",
            name="payment_batch_state_is_known",
        ),
        CheckConstraint("prepared_by <> decided_by", name="payment_batch_needs_two_people"),
        CheckConstraint(
            "(state = 'prepared') = (decided_by IS NULL) "
            "AND (decided_by IS NULL) = (decided_at IS NULL)",
            name="payment_batch_decided_by_whom_and_when",
        ),
        CheckConstraint(
            "(state = 'refused') = (reason IS NOT NULL)", name="payment_batch_refused_with_a_reason"
        ),
        CheckConstraint(
            "given_at IS NULL OR state IN ('approved', 'settled')",
            name="payment_batch_given_once_approved",
        ),
        CheckConstraint("items >= 1 AND sum_minor > 0", name="payment_batch_pays_something"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="payment_batch_sha256_is_hex"),
    )

    id: UUID = Field(primary_key=True)
    account_id: UUID = Field(foreign_key="bank_account.id", index=True)
    # Of a refund: its file is approved with it, and has its id.
    refund_id: UUID | None = Field(default=None, foreign_key="refund.id", unique=True, index=True)
    message_id: str = Field(unique=True)
    currency: str = Field(sa_column=column.currency())
    items: int
    sum_minor: int = Field(sa_column=column.minor())
    execute_on: date = Field(sa_column=column.day())
    document: bytes = Field(sa_column=column.octets())
    sha256: str
    state: str
    prepared_by: UUID = Field(foreign_key="person.id")
    prepared_at: datetime = Field(sa_column=column.instant())
    decided_by: UUID | None = Field(default=None, foreign_key="person.id")
    decided_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    reason: str | None = None
    given_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))


class PaymentItem(SQLModel, table=True):
    """One payment of a file: of a transfer to a payee, of a remittance to a tax authority, of a
    refund to a payer, or of a deposit back to a bidder.

    Each is in one file at a time, until that is refused or it comes back; a refund in its own.
    """

    __tablename__ = "payment_item"
    __table_args__ = (
        CheckConstraint(
            "state IN ('waiting', 'instructed', 'paid', 'returned', 'failed')",
            name="payment_item_state_is_known",
        ),
        CheckConstraint("amount_minor > 0", name="payment_item_amount_is_positive"),
        CheckConstraint(
            "num_nonnulls(payout_id, remittance_id, refund_id, deposit_movement_id) = 1 "
            "AND num_nonnulls(party_id, payee_account_id) = "
            "CASE WHEN num_nonnulls(remittance_id, refund_id) = 0 THEN 2 ELSE 0 END",
            name="payment_item_pays_one_thing",
        ),
        Index(
            "ix_payment_item_return_in_one_file",
            "deposit_movement_id",
            unique=True,
            postgresql_where=text("state NOT IN ('returned', 'failed')"),
        ),
        Index(
            "ix_payment_item_remittance_in_one_file",
            "remittance_id",
            unique=True,
            postgresql_where=text("state NOT IN ('returned', 'failed')"),
        ),
        Index(
            "ix_payment_item_in_one_file",
            "payout_id",
            "party_id",
            unique=True,
            postgresql_where=text("state NOT IN ('returned', 'failed')"),
        ),
    )

    id: UUID = Field(primary_key=True)
    batch_id: UUID = Field(foreign_key="payment_batch.id", index=True)
    payout_id: UUID | None = Field(default=None, foreign_key="payout.id")
    party_id: UUID | None = Field(default=None, foreign_key="party.id")
    payee_account_id: UUID | None = Field(default=None, foreign_key="payee_bank_account.id")
    remittance_id: UUID | None = Field(default=None, foreign_key="remittance.id")
    refund_id: UUID | None = Field(default=None, foreign_key="refund.id", unique=True, index=True)
    deposit_movement_id: UUID | None = Field(default=None, foreign_key="deposit_movement.id")
    amount_minor: int = Field(sa_column=column.minor())
    currency: str = Field(sa_column=column.currency())
    end_to_end_id: str = Field(unique=True)
    state: str
    return_reason: str | None = None


class BankFile(SQLModel, table=True):
    """A file as the bank gave it, byte for byte."""

    __tablename__ = "bank_file"
    __table_args__ = (CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="bank_file_sha256_is_hex"),)

    id: UUID = Field(primary_key=True)
    sha256: str = Field(unique=True)
    content: bytes = Field(sa_column=column.octets())
    received_by: UUID = Field(foreign_key="person.id")
    received_at: datetime = Field(sa_column=column.instant())


class BankStatement(SQLModel, table=True):
    """A statement (对账单) or a notification; statements of an account form one chain."""

    __tablename__ = "bank_statement"
    __table_args__ = (
        UniqueConstraint("account_id", "kind", "statement_id", name="bank_statement_is_read_once"),
        UniqueConstraint("account_id", "turn", name="bank_statement_in_sequence"),
        CheckConstraint("kind IN ('statement', 'notification')", name="bank_statement_kind"),
        CheckConstraint(
            "(kind = 'statement') = (turn IS NOT NULL) "
            "AND (turn IS NULL) = (opening_minor IS NULL) "
            "AND (turn IS NULL) = (closing_minor IS NULL)",
            name="bank_statement_has_balances",
        ),
        CheckConstraint(
            "opening_minor + movements_minor = closing_minor", name="bank_statement_adds_up"
        ),
    )

    id: UUID = Field(primary_key=True)
    account_id: UUID = Field(foreign_key="bank_account.id")
    file_id: UUID = Field(foreign_key="bank_file.id", index=True)
    kind: str
    statement_id: str
    turn: int | None = None  # 1, 2, … of the account's statements
    opening_minor: int | None = Field(default=None, sa_column=column.minor(nullable=True))
    movements_minor: int = Field(sa_column=column.minor())
    closing_minor: int | None = Field(default=None, sa_column=column.minor(nullable=True))
    closed_on: date | None = Field(default=None, sa_column=column.day(nullable=True))
    entries: int
    content_sha256: str
    imported_at: datetime = Field(sa_column=column.instant())


class BankEntry(SQLModel, table=True):
    """A movement as the bank shows it; a credit is positive."""

    __tablename__ = "bank_entry"
    __table_args__ = (
        UniqueConstraint("statement_id", "seq", name="bank_entry_has_its_place"),
        Index(
            "ix_bank_entry_reference",
            "bank_ref",
            postgresql_where=text("bank_ref IS NOT NULL"),
        ),
    )

    id: UUID = Field(primary_key=True)
    statement_id: UUID = Field(foreign_key="bank_statement.id")
    seq: int
    amount_minor: int = Field(sa_column=column.minor())
    booked_on: date | None = Field(default=None, sa_column=column.day(nullable=True))
    valued_on: date | None = Field(default=None, sa_column=column.day(nullable=True))
    bank_ref: str | None = None
    end_to_end_id: str | None = None
    batch_id: str | None = None
    name: str | None = None
    account: str | None = None
    text: str | None = None
    return_reason: str | None = None

    def entry(self) -> Entry:
        """The value that the rules know."""
        return Entry(
            self.amount_minor, self.booked_on, self.valued_on, self.bank_ref, self.end_to_end_id,
            self.batch_id, self.name, self.account, self.text, self.return_reason,
        )  # fmt: skip


class BankReport(SQLModel, table=True):
    """What a bank reported about a payment file (pain.002); a report is read once."""

    __tablename__ = "bank_report"
    __table_args__ = (
        UniqueConstraint("batch_id", "report_id", name="bank_report_is_read_once"),
        CheckConstraint(
            "accepted >= 0 AND pending >= 0 AND rejected >= 0", name="bank_report_counts"
        ),
    )

    id: UUID = Field(primary_key=True)
    file_id: UUID = Field(foreign_key="bank_file.id", index=True)
    batch_id: UUID = Field(foreign_key="payment_batch.id")
    report_id: str
    accepted: int
    pending: int
    rejected: int
    imported_at: datetime = Field(sa_column=column.instant())


class BankReportItem(SQLModel, table=True):
    """What a report says of one payment; `was_applied`: it changed where the payment stands."""

    __tablename__ = "bank_report_item"
    __table_args__ = (
        CheckConstraint(
            "outcome IN ('accepted', 'pending', 'rejected')",
            name="bank_report_item_outcome_is_known",
        ),
        CheckConstraint(
            "NOT was_applied OR outcome = 'rejected'", name="bank_report_item_rejects_alone"
        ),
        Index(
            "ix_bank_report_item_applied_once",
            "item_id",
            unique=True,
            postgresql_where=text("was_applied"),
        ),
    )

    report_id: UUID = Field(primary_key=True, foreign_key="bank_report.id")
    item_id: UUID = Field(primary_key=True, foreign_key="payment_item.id")
    status: str
    reason: str | None = None
    outcome: str
    was_applied: bool
