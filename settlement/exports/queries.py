"""Reading tables row by row through a cursor, so that their length does not matter."""

from collections.abc import AsyncIterator, Callable
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Date, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import calendar
from contracts.deals.tables import Deal
from contracts.parties.tables import Party
from settlement.bank.tables import BankEntry
from settlement.deposits.tables import Deposit
from settlement.disputes.tables import Dispute
from settlement.exports import moved
from settlement.exports.rules import Cell, Days, Row, decimal
from settlement.invoices.tables import Invoice
from settlement.ledger.tables import LedgerAccount, LedgerJournal, LedgerPosting
from settlement.payouts.tables import Payout, PayoutTransfer
from settlement.plans.tables import Settlement, SettlementLine
from settlement.reconciliation.tables import SuspenseItem
from settlement.refunds.tables import Refund
from settlement.remittances.rules import REFUSED
from settlement.remittances.tables import Remittance, RemittanceItem
from settlement.withholding.tables import WithheldTax

AT_ONCE = 500


async def rows(session: AsyncSession, table: str, days: Days) -> AsyncIterator[Row]:
    """Yield the rows of a table in the order of `rules.COLUMNS`, the oldest first."""
    wanted, shown, moment = TABLES[table]
    chosen = _within(wanted(), moment, days).execution_options(yield_per=AT_ONCE)
    async for row in await session.stream(chosen):
        yield shown(*row)


def _within(wanted: Select[*tuple[Any, ...]], moment: Any, days: Days) -> Select[Any]:
    """Return the rows of a table whose day or instant lies in these days."""
    plain = isinstance(moment.type, Date)
    if days.first is not None:
        wanted = wanted.where(moment >= (days.first if plain else _midnight(days.first)))
    if days.last is not None:
        after = days.last + timedelta(days=1)
        wanted = wanted.where(moment < (after if plain else _midnight(after)))
    return wanted


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, calendar.ZONE)


def _settlements() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Settlement,
            SettlementLine,
            col(Deal.contract_no),
            col(Party.name_zh),
            col(Party.name_en),
        )
        .join(SettlementLine, col(SettlementLine.deal_id) == col(Settlement.deal_id))
        .join(Deal, col(Deal.id) == func.coalesce(Settlement.of_deal, Settlement.deal_id))
        .join(Party, col(Party.id) == col(SettlementLine.payee_id))
        .order_by(col(Settlement.deal_id), col(SettlementLine.line))
    )


def _settlement(
    one: Settlement, line: SettlementLine, contract_no: str, name_zh: str, name_en: str
) -> Row:
    return (
        one.deal_id, one.root_id, one.kind, contract_no, one.state, one.planned_at, line.line,
        line.payee_id, name_zh, name_en, line.kind, line.rate_bp,
        decimal(line.amount_minor, one.currency), one.currency, line.reason,
    )  # fmt: skip


def _payouts() -> Select[*tuple[Any, ...]]:
    return (
        select(Payout, PayoutTransfer)
        .join(PayoutTransfer, col(PayoutTransfer.payout_id) == col(Payout.id))
        .order_by(col(Payout.id), col(PayoutTransfer.party_id))
    )


def _payout(one: Payout, part: PayoutTransfer) -> Row:
    return (
        one.id, one.deal_id, one.state, one.prepared_by, one.prepared_at, one.decided_by,
        one.decided_at, one.reason, one.paid_at, one.content_sha256, part.party_id, part.account,
        decimal(part.amount_minor, part.currency), part.currency, part.state, part.provider_id,
    )  # fmt: skip


def _invoices() -> Select[*tuple[Any, ...]]:
    return (
        select(Invoice, col(Party.name_zh), col(Party.name_en))
        .join(Party, col(Party.id) == col(Invoice.payer_id))
        .order_by(col(Invoice.number))
    )


def _invoice(one: Invoice, name_zh: str, name_en: str) -> Row:
    return (
        one.id, one.number, one.deal_id, one.payer_id, name_zh, name_en,
        decimal(one.amount_minor, one.currency), decimal(one.tax_minor, one.currency),
        one.tax_rate_bp, decimal(one.deposit_minor, one.currency),
        decimal(one.outstanding.amount_minor, one.currency), one.currency, one.state, one.issued_at,
        one.paid_at, one.paid_by,
    )  # fmt: skip


def _withheld() -> Select[*tuple[Any, ...]]:
    return (
        select(WithheldTax, RemittanceItem, Remittance, col(Party.name_zh), col(Party.name_en))
        .join(Party, col(Party.id) == col(WithheldTax.party_id))
        .join(
            RemittanceItem,
            (col(RemittanceItem.withheld_id) == col(WithheldTax.id))
            & (col(RemittanceItem.state) != REFUSED),
            isouter=True,
        )
        .join(Remittance, col(Remittance.id) == col(RemittanceItem.remittance_id), isouter=True)
        .order_by(col(WithheldTax.id))
    )


def _kept(
    one: WithheldTax,
    item: RemittanceItem | None,
    remittance: Remittance | None,
    name_zh: str,
    name_en: str,
) -> Row:
    remitted: tuple[Cell, ...] = (None,) * 5
    if item is not None and remittance is not None:
        on = remittance.receipt_on
        remitted = (
            remittance.id, remittance.state, decimal(item.amount_minor, one.currency),
            remittance.receipt_no, None if on is None else on.isoformat(),
        )  # fmt: skip
    return (
        one.id, one.deal_id, one.payout_id, one.party_id, name_zh, name_en, one.country, one.tax,
        one.rule, one.rate_bp, decimal(one.gross_minor, one.currency),
        decimal(one.amount_minor, one.currency), one.currency, one.withheld_on.isoformat(),
        one.period, one.due_on.isoformat(), one.authority, *remitted, one.certificate_no,
        one.legal_basis,
    )  # fmt: skip


def _journals() -> Select[*tuple[Any, ...]]:
    return (
        select(LedgerJournal, LedgerPosting, col(LedgerAccount.code))
        .join(LedgerPosting, col(LedgerPosting.journal_id) == col(LedgerJournal.id))
        .join(LedgerAccount, col(LedgerAccount.id) == col(LedgerPosting.account_id))
        .order_by(col(LedgerJournal.id), col(LedgerPosting.line))
    )


def _journal(one: LedgerJournal, line: LedgerPosting, code: str) -> Row:
    moved = decimal(abs(line.amount_minor), line.currency)
    return (
        one.id, one.idem_key, one.kind, one.actor, one.deal_id, one.effective_at, one.occurred_at,
        one.reason, one.reversal_of, line.line, code, moved if line.amount_minor > 0 else None,
        moved if line.amount_minor < 0 else None,
        decimal(line.balance_after_minor, line.currency), line.currency,
    )  # fmt: skip


# By a table's name: its query, how a row is shown, and the moment that a period is about.
_Table = tuple[Callable[[], Select[*tuple[Any, ...]]], Callable[..., Row], Any]
TABLES: dict[str, _Table] = {
    "settlements": (_settlements, _settlement, col(Settlement.planned_at)),
    "payouts": (_payouts, _payout, col(Payout.prepared_at)),
    "invoices": (_invoices, _invoice, col(Invoice.issued_at)),
    "withheld": (_withheld, _kept, col(WithheldTax.withheld_on)),
    "journals": (_journals, _journal, col(LedgerJournal.effective_at)),
    "deposits": (moved.deposits, moved.deposit, col(Deposit.required_at)),
    "refunds": (moved.refunds, moved.refund, col(Refund.prepared_at)),
    "disputes": (moved.disputes, moved.dispute, col(Dispute.opened_at)),
    "bank-lines": (moved.bank_lines, moved.bank_line, col(BankEntry.booked_on)),
    "suspense": (moved.suspense, moved.suspended, col(SuspenseItem.opened_at)),
}
