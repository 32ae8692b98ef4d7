"""Reading the ledger: trial balance, the check of its invariants, the journals of a deal."""

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import rfc3339
from settlement.ledger.tables import LedgerAccount, LedgerBalance, LedgerJournal, LedgerPosting

# Each query names what must not exist; a row of its answer is a fault.
CHECKS = (
    (
        "currency {0} adds up to {1}, not to zero",
        "SELECT a.currency, sum(b.posted_minor) FROM ledger_balance b "
        "JOIN ledger_account a ON a.id = b.account_id "
        "GROUP BY a.currency HAVING sum(b.posted_minor) <> 0",
    ),
    (
        "account {0} shows {1} after {2} postings; its postings say otherwise",
        "SELECT a.code, b.posted_minor, b.version FROM ledger_account a "
        "LEFT JOIN ledger_balance b ON b.account_id = a.id "
        "LEFT JOIN ledger_posting p ON p.account_id = a.id "
        "GROUP BY a.code, b.posted_minor, b.version "
        "HAVING b.posted_minor IS DISTINCT FROM coalesce(sum(p.amount_minor), 0) "
        "OR b.version IS DISTINCT FROM count(p.*)",
    ),
    (
        "journal {0} has {1} lines of {2}",
        "SELECT j.idem_key, count(p.*), j.lines FROM ledger_journal j "
        "LEFT JOIN ledger_posting p ON p.journal_id = j.id "
        "GROUP BY j.id HAVING count(p.*) < 2 OR count(p.*) <> j.lines",
    ),
    (
        "journal {0} adds up to {2} {1}, not to zero",
        "SELECT j.idem_key, p.currency, sum(p.amount_minor) FROM ledger_journal j "
        "JOIN ledger_posting p ON p.journal_id = j.id "
        "GROUP BY j.id, p.currency HAVING sum(p.amount_minor) <> 0",
    ),
    (
        "account {0} breaks its running balance at version {1}",
        "SELECT a.code, p.account_version FROM (SELECT account_id, account_version, amount_minor, "
        "balance_after_minor, coalesce(lag(balance_after_minor) OVER turns, 0) AS before, "
        "row_number() OVER turns AS turn FROM ledger_posting "
        "WINDOW turns AS (PARTITION BY account_id ORDER BY account_version)) p "
        "JOIN ledger_account a ON a.id = p.account_id "
        "WHERE p.balance_after_minor <> p.before + p.amount_minor OR p.account_version <> p.turn",
    ),
)


async def trial_balance(session: AsyncSession) -> list[dict[str, Any]]:
    """Return every account with its balance (科目余额表), by code; debit +, credit -."""
    rows = await session.execute(
        select(LedgerAccount, LedgerBalance)
        .join(LedgerBalance, col(LedgerBalance.account_id) == col(LedgerAccount.id))
        .order_by(col(LedgerAccount.code))
    )
    return [
        {
            "code": account.code,
            "kind": account.kind,
            "currency": account.currency,
            "balance_minor": balance.posted_minor,
            "postings": balance.version,
        }
        for account, balance in rows.all()
    ]


async def check(session: AsyncSession) -> list[str]:
    """Return every fault of the books as a sentence; an empty list means that they balance."""
    faults = []
    for sentence, query in CHECKS:
        rows = await session.execute(text(query))
        faults += [sentence.format(*row) for row in rows]
    return faults


async def journals_of_deal(session: AsyncSession, deal_id: UUID) -> list[dict[str, Any]]:
    """Return a deal's journals as plain JSON values, oldest first, lines in order."""
    rows = await session.execute(
        select(LedgerJournal, LedgerPosting, LedgerAccount.code)
        .join(LedgerPosting, col(LedgerPosting.journal_id) == col(LedgerJournal.id))
        .join(LedgerAccount, col(LedgerAccount.id) == col(LedgerPosting.account_id))
        .where(col(LedgerJournal.deal_id) == deal_id)
        .order_by(col(LedgerJournal.id), col(LedgerPosting.line))
    )
    journals: dict[int | None, dict[str, Any]] = {}
    for journal, posting, code in rows:
        entry = journals.setdefault(
            journal.id,
            {
                "key": journal.idem_key,
                "kind": journal.kind,
                "effective_at": rfc3339.to_the_second(journal.effective_at),
                "lines": [],
            },
        )
        entry["lines"].append(
            {"account": code, "amount_minor": posting.amount_minor, "currency": posting.currency}
        )
    return list(journals.values())
