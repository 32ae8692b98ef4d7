"""Rows of the ledger. Only verbs and triggers write balances; everything else is only ever added.

Amounts are signed minor units: debit positive, credit negative (借正贷负).
"""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Numeric,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from contracts import column
from contracts.money import Money


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
    currency: str = Field(sa_column=column.currency())
    floor_minor: int | None = Field(default=None, sa_column=column.minor(nullable=True))
    ceiling_minor: int | None = Field(default=None, sa_column=column.minor(nullable=True))
    status: str = "open"


class LedgerBalance(SQLModel, table=True):
    """An account's balance, how many postings made it, and what is held of it in each direction.

    No CHECK: each posting updates this row, and a CHECK is read from its text in each statement.
    What ends a hold looks that none goes below zero.
    """

    __tablename__ = "ledger_balance"
    __table_args__ = (
        ForeignKeyConstraint(
            ["account_id", "currency"],
            ["ledger_account.id", "ledger_account.currency"],
            name="ledger_balance_in_the_accounts_currency",
        ),
    )

    account_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("ledger_account.id"), primary_key=True)
    )
    posted_minor: int = Field(sa_column=column.minor())
    version: int = Field(sa_column=Column(BigInteger, nullable=False))
    held_debit_minor: int = Field(
        default=0, sa_column=Column(BigInteger, nullable=False, server_default="0")
    )
    held_credit_minor: int = Field(
        default=0, sa_column=Column(BigInteger, nullable=False, server_default="0")
    )
    # Of the account: a posting reads them under the balance's own lock.
    currency: str | None = Field(default=None, sa_column=Column(String(3), nullable=True))
    floor_minor: int | None = Field(default=None, sa_column=column.minor(nullable=True))
    ceiling_minor: int | None = Field(default=None, sa_column=column.minor(nullable=True))
    status: str | None = None


class LedgerJournal(SQLModel, table=True):
    """One booked event (凭证); `lines` is announced first and exactly that many follow.

    That there are 2 to 1,000 is looked at by the verbs and by the trigger on rows made by hand.
    """

    __tablename__ = "ledger_journal"
    __table_args__ = (
        Index(
            "ledger_journal_reversal_of_key",
            "reversal_of",
            unique=True,
            postgresql_where=text("reversal_of IS NOT NULL"),
        ),
        Index("ix_ledger_journal_deal_id", "deal_id", postgresql_where=text("deal_id IS NOT NULL")),
    )

    id: int | None = Field(
        default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True)
    )
    idem_key: str = Field(unique=True)
    request_hash: bytes = Field(sa_column=column.octets())
    kind: str
    actor: str
    deal_id: UUID | None = None
    reason: str | None = None
    occurred_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    reversal_of: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    lines: int = Field(sa_column=Column(SmallInteger, nullable=False))
    effective_at: datetime = Field(sa_column=column.instant())
    created_at: datetime = Field(
        sa_column=Column(
            DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")
        )
    )
    xid: int = Field(sa_column=Column(BigInteger, nullable=False))


class LedgerPosting(SQLModel, table=True):
    """One line of a journal (分录), with the account's balance after it.

    No foreign keys: what writes a line has read its journal and locked its account's balance, and
    neither is ever removed. Keys would look both up again, and lock the account's row. No CHECKs:
    what writes a line looks that it moves something and has a place in its journal.
    """

    __tablename__ = "ledger_posting"
    __table_args__ = (
        UniqueConstraint("account_id", "account_version", name="ledger_posting_in_sequence"),
    )

    journal_id: int = Field(sa_column=Column(BigInteger, primary_key=True))
    line: int = Field(sa_column=Column(SmallInteger, primary_key=True))
    account_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    currency: str = Field(sa_column=column.currency())
    amount_minor: int = Field(sa_column=column.minor())
    balance_after_minor: int = Field(sa_column=column.minor())
    account_version: int = Field(sa_column=Column(BigInteger, nullable=False))


class LedgerPending(SQLModel, table=True):
    """A journal to be judged when its transaction ends: by hand, a reversal, not explained at once.

    Written and emptied by the database's own verbs and triggers; no row outlives its transaction.
    """

    __tablename__ = "ledger_pending"

    id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    idem_key: str
    kind: str
    actor: str
    reason: str | None = None
    reversal_of: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    effective_at: datetime = Field(sa_column=column.instant())


class LedgerCurrency(SQLModel, table=True):
    """A currency with its minor-unit exponent, for the database's own arithmetic."""

    __tablename__ = "ledger_currency"
    __table_args__ = (CheckConstraint("exponent BETWEEN 0 AND 4", name="ledger_currency_exponent"),)

    code: str = Field(sa_column=Column(String(3), primary_key=True))
    exponent: int = Field(sa_column=Column(SmallInteger, nullable=False))


class LedgerHold(SQLModel, table=True):
    """A part of an account set aside for a movement to come (预留), in that movement's sign."""

    __tablename__ = "ledger_hold"
    __table_args__ = (
        ForeignKeyConstraint(
            ["account_id", "currency"],
            ["ledger_account.id", "ledger_account.currency"],
            name="ledger_hold_in_the_accounts_currency",
        ),
        CheckConstraint("amount_minor <> 0", name="ledger_hold_holds_something"),
        CheckConstraint("expires_at > made_at", name="ledger_hold_expires_later"),
        CheckConstraint("char_length(reason) BETWEEN 1 AND 500", name="ledger_hold_reason"),
    )

    id: UUID = Field(primary_key=True)
    account_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    currency: str = Field(sa_column=column.currency())
    amount_minor: int = Field(sa_column=column.minor())
    deal_id: UUID | None = None
    reason: str
    actor: str
    made_at: datetime = Field(sa_column=column.instant())
    expires_at: datetime = Field(sa_column=column.instant())

    @property
    def amount(self) -> Money:
        """The amount with its currency, in the sign of the movement to come."""
        return Money(self.amount_minor, self.currency)


class LedgerHoldOpen(SQLModel, table=True):
    """A hold that has not ended; written by triggers alone."""

    __tablename__ = "ledger_hold_open"

    hold_id: UUID = Field(foreign_key="ledger_hold.id", primary_key=True)
    account_id: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    amount_minor: int = Field(sa_column=column.minor())
    expires_at: datetime = Field(
        sa_column=Column(DateTime(timezone=True), nullable=False, index=True)
    )


class LedgerHoldEnd(SQLModel, table=True):
    """The one end of a hold: captured by a journal, all of it or a part, released or expired."""

    __tablename__ = "ledger_hold_end"
    __table_args__ = (
        CheckConstraint(
            "outcome IN ('captured', 'released', 'expired')", name="ledger_hold_end_outcome"
        ),
        CheckConstraint(
            "(outcome = 'captured') = (captured_minor <> 0) "
            "AND (outcome = 'captured') = (journal_id IS NOT NULL)",
            name="ledger_hold_end_captures_or_not",
        ),
    )

    hold_id: UUID = Field(foreign_key="ledger_hold.id", primary_key=True)
    outcome: str
    captured_minor: int = Field(sa_column=column.minor())
    journal_id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger, ForeignKey("ledger_journal.id"), nullable=True, unique=True),
    )
    actor: str
    ended_at: datetime = Field(sa_column=column.instant())


class LedgerQuote(SQLModel, table=True):
    """A rate as it was quoted (牌价): one `base` costs `rate` of `counter`, in major units."""

    __tablename__ = "ledger_quote"
    __table_args__ = (
        CheckConstraint("base <> counter", name="ledger_quote_of_two_currencies"),
        CheckConstraint("rate > 0", name="ledger_quote_rate"),
        CheckConstraint(
            "valid_until > quoted_at AND valid_until <= quoted_at + interval '24 hours'",
            name="ledger_quote_holds_a_day_at_most",
        ),
    )

    id: UUID = Field(primary_key=True)
    base: str = Field(
        sa_column=Column(String(3), ForeignKey("ledger_currency.code"), nullable=False)
    )
    counter: str = Field(
        sa_column=Column(String(3), ForeignKey("ledger_currency.code"), nullable=False)
    )
    rate: Decimal = Field(sa_column=Column(Numeric(20, 10), nullable=False))
    source: str
    quoted_at: datetime = Field(sa_column=column.instant())
    valid_until: datetime = Field(sa_column=column.instant())
    actor: str


class LedgerExchange(SQLModel, table=True):
    """The quote that a journal in two currencies was booked at, and what it moved (换汇)."""

    __tablename__ = "ledger_exchange"
    __table_args__ = (
        CheckConstraint("sold_minor > 0 AND bought_minor > 0", name="ledger_exchange_amounts"),
    )

    journal_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("ledger_journal.id"), primary_key=True)
    )
    quote_id: UUID = Field(foreign_key="ledger_quote.id")
    sold_currency: str = Field(sa_column=Column(String(3), nullable=False))
    sold_minor: int = Field(sa_column=column.minor())
    bought_currency: str = Field(sa_column=Column(String(3), nullable=False))
    bought_minor: int = Field(sa_column=column.minor())


class LedgerAccountMark(SQLModel, table=True):
    """An account frozen, opened again or closed for good (冻结, 解冻, 销户), by whom and why."""

    __tablename__ = "ledger_account_mark"
    __table_args__ = (
        CheckConstraint(
            "status IN ('open', 'frozen', 'closed')", name="ledger_account_mark_status"
        ),
        CheckConstraint("char_length(reason) BETWEEN 1 AND 500", name="ledger_account_mark_reason"),
    )

    id: UUID = Field(primary_key=True)
    account_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("ledger_account.id"), nullable=False, index=True)
    )
    status: str
    reason: str
    actor: str
    marked_at: datetime = Field(sa_column=column.instant())


class LedgerClose(SQLModel, table=True):
    """The books closed up to an instant (结账); the database sums the balances up by itself."""

    __tablename__ = "ledger_close"
    __table_args__ = (
        CheckConstraint("until <= closed_at", name="ledger_close_is_of_the_past"),
        CheckConstraint("char_length(reason) BETWEEN 1 AND 500", name="ledger_close_reason"),
    )

    id: UUID = Field(primary_key=True)
    until: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False, unique=True))
    journals: int = Field(sa_column=Column(BigInteger, nullable=False))
    balances_sha256: bytes = Field(sa_column=column.octets())
    reason: str
    actor: str
    closed_at: datetime = Field(sa_column=column.instant())
