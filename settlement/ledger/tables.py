"""Rows of the ledger. Balances are written by triggers alone; journals and postings never change.

Amounts are signed minor units: debit positive, credit negative (借正贷负).
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    LargeBinary,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel


class LedgerAccount(SQLModel, table=True):
    """An account (科目) in one currency, with the limits its balance may not cross."""

    __tablename__ = "ledger_account"
    __table_args__ = (
        UniqueConstraint("id", "currency", name="ledger_account_has_one_currency"),
        CheckConstraint(
            "kind IN ('asset', 'liability', 'income', 'expense', 'equity')",
            name="ledger_account_kind",
        ),
        CheckConstraint("status IN ('open', 'frozen', 'closed')", name="ledger_account_status"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="ledger_account_currency"),
    )

    id: int | None = Field(
        default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True)
    )
    code: str = Field(unique=True)
    kind: str
    currency: str = Field(sa_column=Column(String(3), nullable=False))
    floor_minor: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    ceiling_minor: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    status: str = "open"


class LedgerBalance(SQLModel, table=True):
    """An account's balance and how many postings made it."""

    __tablename__ = "ledger_balance"

    account_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("ledger_account.id"), primary_key=True)
    )
    posted_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    version: int = Field(sa_column=Column(BigInteger, nullable=False))


class LedgerJournal(SQLModel, table=True):
    """One booked event (凭证); `lines` is announced first and exactly that many follow."""

    __tablename__ = "ledger_journal"
    __table_args__ = (
        CheckConstraint("lines BETWEEN 2 AND 1000", name="ledger_journal_has_two_lines"),
    )

    id: int | None = Field(
        default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True)
    )
    idem_key: str = Field(unique=True)
    request_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    kind: str
    actor: str
    deal_id: UUID | None = Field(default=None, index=True)
    reversal_of: int | None = Field(
        default=None,
        sa_column=Column(BigInteger, ForeignKey("ledger_journal.id"), nullable=True, unique=True),
    )
    lines: int = Field(sa_column=Column(SmallInteger, nullable=False))
    effective_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    created_at: datetime = Field(
        sa_column=Column(
            DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")
        )
    )
    xid: int = Field(
        sa_column=Column(
            BigInteger, nullable=False, server_default=text("pg_current_xact_id()::text::bigint")
        )
    )


class LedgerPosting(SQLModel, table=True):
    """One line of a journal (分录), with the account's balance after it."""

    __tablename__ = "ledger_posting"
    __table_args__ = (
        UniqueConstraint("account_id", "account_version", name="ledger_posting_in_sequence"),
        ForeignKeyConstraint(
            ["account_id", "currency"],
            ["ledger_account.id", "ledger_account.currency"],
            name="ledger_posting_in_the_accounts_currency",
        ),
        CheckConstraint("amount_minor <> 0", name="ledger_posting_moves_something"),
        CheckConstraint("line >= 1", name="ledger_posting_line"),
    )

    journal_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("ledger_journal.id"), primary_key=True)
    )
    line: int = Field(sa_column=Column(SmallInteger, primary_key=True))
    account_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    currency: str = Field(sa_column=Column(String(3), nullable=False))
    amount_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    balance_after_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    account_version: int = Field(sa_column=Column(BigInteger, nullable=False))
