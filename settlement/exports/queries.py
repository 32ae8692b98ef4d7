"""Reading tables row by row through a cursor, so that their length does not matter."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.deals.tables import Deal
from contracts.parties.tables import Party
from settlement.exports.rules import Cell, decimal
from settlement.invoices.tables import Invoice
from settlement.ledger.tables import LedgerAccount, LedgerJournal, LedgerPosting
from settlement.payouts.tables import Payout, PayoutTransfer
from settlement.plans.tables import Settlement, SettlementLine

AT_ONCE = 500
Row = tuple[Cell, ...]


async def rows(session: AsyncSession, table: str) -> AsyncIterator[Row]:
    """Yield the rows of a table in the order of `rules.COLUMNS`, the oldest first."""
    wanted, shown = _TABLES[table]
    found = await session.stream(wanted().execution_options(yield_per=AT_ONCE))
    async for row in found:
        yield shown(*row)


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
        decimal(one.due.amount_minor, one.currency), one.currency, one.state, one.issued_at,
        one.paid_at, one.paid_by,
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


_TABLES: dict[str, tuple[Callable[[], Select[*tuple[Any, ...]]], Callable[..., Row]]] = {
    "settlements": (_settlements, _settlement),
    "payouts": (_payouts, _payout),
    "invoices": (_invoices, _invoice),
    "journals": (_journals, _journal),
}
