"""Tables of what moved besides prices: deposits, refunds, disputes, the bank's lines, suspense.

The statement of an account (对账单) is one too: opening balance, every line, closing balance.
"""

from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.parties.tables import Party
from settlement.bank.tables import BankAccount, BankEntry, BankStatement
from settlement.deposits.tables import Deposit
from settlement.disputes.tables import Dispute
from settlement.exports.rules import CLOSING, OPENING, Row, decimal
from settlement.invoices.tables import Payment
from settlement.ledger import names, statements
from settlement.ledger.statements import Period
from settlement.ledger.tables import LedgerAccount
from settlement.reconciliation.tables import SuspenseItem
from settlement.refunds.tables import Refund

LINES_AT_ONCE = 1_000


def deposits() -> Select[*tuple[Any, ...]]:
    """Return the query of every deposit (保证金) with its bidder, by auction."""
    return (
        select(Deposit, col(Party.name_zh), col(Party.name_en))
        .join(Party, col(Party.id) == col(Deposit.party_id))
        .order_by(col(Deposit.auction_id), col(Deposit.party_id))
    )


def deposit(one: Deposit, name_zh: str, name_en: str) -> Row:
    """Return a deposit as a row."""
    sums = (
        one.required_minor, one.paid_in_minor, one.held_minor, one.released_minor,
        one.applied_minor, one.forfeited_minor,
    )  # fmt: skip
    return (
        one.auction_id, one.party_id, name_zh, name_en, one.state,
        *(decimal(minor, one.currency) for minor in sums), one.currency, one.required_at,
        one.frozen_at, one.free_at, one.return_by,
    )  # fmt: skip


def refunds() -> Select[*tuple[Any, ...]]:
    """Return the query of every refund (退款) with its payer."""
    return (
        select(Refund, col(Party.name_zh), col(Party.name_en))
        .join(Party, col(Party.id) == col(Refund.payer_id))
        .order_by(col(Refund.id))
    )


def refund(one: Refund, name_zh: str, name_en: str) -> Row:
    """Return a refund as a row."""
    return (
        one.id, one.deal_id, one.payment_id, one.payer_id, name_zh, name_en,
        decimal(one.amount_minor, one.currency), one.currency, one.reason, one.state,
        one.prepared_by, one.prepared_at, one.decided_by, one.decided_at, one.refused_reason,
        one.made_at, one.provider_id, one.content_sha256, one.goes_to, one.failed_at, one.resends,
    )  # fmt: skip


def disputes() -> Select[*tuple[Any, ...]]:
    """Return the query of every dispute (拒付争议) with the payer."""
    return (
        select(Dispute, col(Payment.payer_id), col(Party.name_zh), col(Party.name_en))
        .join(Payment, col(Payment.id) == col(Dispute.payment_id))
        .join(Party, col(Party.id) == col(Payment.payer_id))
        .order_by(col(Dispute.id))
    )


def dispute(one: Dispute, payer_id: Any, name_zh: str, name_en: str) -> Row:
    """Return a dispute as a row."""
    return (
        one.id, one.provider_id, one.deal_id, one.payment_id, payer_id, name_zh, name_en,
        decimal(one.amount_minor, one.currency), decimal(one.drawn_minor, one.currency),
        one.currency, one.reason, one.state, one.evidence_due_at, one.opened_at, one.closed_at,
        one.charged_at,
    )  # fmt: skip


def bank_lines() -> Select[*tuple[Any, ...]]:
    """Return the query of every line of every statement of the bank (银行流水)."""
    return (
        select(BankEntry, BankStatement, BankAccount)
        .join(BankStatement, col(BankStatement.id) == col(BankEntry.statement_id))
        .join(BankAccount, col(BankAccount.id) == col(BankStatement.account_id))
        .order_by(col(BankAccount.id), col(BankStatement.id), col(BankEntry.seq))
    )


def bank_line(one: BankEntry, of: BankStatement, account: BankAccount) -> Row:
    """Return a line of a statement as a row."""
    return (
        one.id, account.id, account.name, of.statement_id, one.seq, one.booked_on, one.valued_on,
        decimal(one.amount_minor, account.currency), account.currency, one.name, one.account,
        one.text, one.bank_ref, one.end_to_end_id, one.batch_id, one.return_reason,
    )  # fmt: skip


def suspense() -> Select[*tuple[Any, ...]]:
    """Return the query of all money that was ever in suspense at the bank (待核销)."""
    return (
        select(SuspenseItem, BankAccount)
        .join(BankAccount, col(BankAccount.id) == col(SuspenseItem.account_id))
        .order_by(col(SuspenseItem.id))
    )


def suspended(one: SuspenseItem, account: BankAccount) -> Row:
    """Return an item in suspense as a row."""
    return (
        one.id, account.id, account.name, one.entry_id, one.cause,
        decimal(one.amount_minor, one.currency), one.currency, one.owner_id, one.opened_at,
        one.due_on, one.state, one.released_at,
    )  # fmt: skip


async def statement(
    session: AsyncSession, account: LedgerAccount, period: Period
) -> AsyncIterator[Row]:
    """Yield an account's statement: opening balance, every line, closing balance."""
    code, currency, named = account.code, account.currency, names.name(account.code)
    head = (code, named.zh, named.en)
    summed = await statements.summary(session, account, period)
    opening = decimal(summed.opening_minor, currency)
    yield (*head, period.since, None, OPENING, None, None, None, None, opening, currency)
    for after in range(0, summed.lines, LINES_AT_ONCE):
        for one in await statements.lines(
            session, account, period, after=after, limit=LINES_AT_ONCE
        ):
            moved = decimal(one.amount_minor, currency)
            balance = decimal(one.balance_minor, currency)
            yield (
                *head, one.effective_at, one.occurred_at, one.kind, one.key, one.deal_id,
                one.reason, moved, balance, currency,
            )  # fmt: skip
    closing = decimal(summed.closing_minor, currency)
    yield (*head, period.until, None, CLOSING, None, None, None, None, closing, currency)
