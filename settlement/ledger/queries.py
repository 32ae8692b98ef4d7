"""Reading the ledger: trial balance, the check of its invariants, the journals of a deal."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
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
    (
        "account {0} counts {1} and {2} as held; its open holds say otherwise",
        "SELECT a.code, b.held_debit_minor, b.held_credit_minor FROM ledger_balance b "
        "JOIN ledger_account a ON a.id = b.account_id LEFT JOIN "
        "(SELECT h.account_id, sum(greatest(h.amount_minor, 0)) AS debit, "
        "sum(greatest(-h.amount_minor, 0)) AS credit FROM ledger_hold h "
        "WHERE NOT EXISTS (SELECT FROM ledger_hold_end e WHERE e.hold_id = h.id) "
        "GROUP BY h.account_id) held ON held.account_id = a.id "
        "WHERE (b.held_debit_minor, b.held_credit_minor) "
        "<> (coalesce(held.debit, 0), coalesce(held.credit, 0))",
    ),
    (
        "account {0} has other limits, or another status, than its balance",
        "SELECT a.code FROM ledger_account a JOIN ledger_balance b ON b.account_id = a.id WHERE "
        "(a.currency, a.floor_minor, a.ceiling_minor, a.status) IS DISTINCT FROM "
        "(b.currency, b.floor_minor, b.ceiling_minor, b.status)",
    ),
    (
        "journal {0} has a line in {1} that no account has",
        "SELECT j.idem_key, p.currency FROM ledger_posting p "
        "LEFT JOIN ledger_journal j ON j.id = p.journal_id "
        "LEFT JOIN ledger_account a ON (a.id, a.currency) = (p.account_id, p.currency) "
        "WHERE j.id IS NULL OR a.id IS NULL",
    ),
    (
        "hold {0} has ended and stands among the open ones, or the other way round",
        "SELECT h.id FROM ledger_hold h LEFT JOIN ledger_hold_end e ON e.hold_id = h.id "
        "LEFT JOIN ledger_hold_open o ON o.hold_id = h.id "
        "WHERE (e.hold_id IS NULL) <> (o.hold_id IS NOT NULL)",
    ),
    (
        "journal {0} does not undo account {1} of the journal it reverses",
        "SELECT r.idem_key, p.account_id FROM ledger_journal r JOIN ledger_posting p "
        "ON p.journal_id IN (r.id, r.reversal_of) WHERE r.reversal_of IS NOT NULL "
        "GROUP BY r.id, p.account_id HAVING sum(p.amount_minor) <> 0",
    ),
    (
        "journal {0} exchanges currencies without a quote",
        "SELECT j.idem_key FROM ledger_journal j JOIN ledger_posting p ON p.journal_id = j.id "
        "LEFT JOIN ledger_exchange x ON x.journal_id = j.id "
        "WHERE j.reversal_of IS NULL AND x.journal_id IS NULL "
        "GROUP BY j.id HAVING count(DISTINCT p.currency) > 1",
    ),
    (
        "the balances of the books closed at {0} are not those they were closed with",
        "SELECT until FROM ledger_close WHERE until = (SELECT max(until) FROM ledger_close) "
        "AND balances_sha256 <> ledger_balances_at(until)",
    ),
)


async def trial_balance(session: AsyncSession) -> list[dict[str, Any]]:
    """Return every account with its balance (科目余额表), by code; debit +, credit -."""
    return await _balances(session, _ACCOUNTS.order_by(col(LedgerAccount.code)))


async def balances(session: AsyncSession, *, after: str | None, limit: int) -> list[dict[str, Any]]:
    """Return accounts with their balances by currency and code, from the one after a code on."""
    wanted = _ACCOUNTS.order_by(col(LedgerAccount.currency), col(LedgerAccount.code)).limit(limit)
    if after is not None:
        last = aliased(LedgerAccount)
        currency = select(last.currency).where(col(last.code) == after).scalar_subquery()
        place = tuple_(col(LedgerAccount.currency), col(LedgerAccount.code))
        wanted = wanted.where(place > tuple_(currency, after))
    return await _balances(session, wanted)


async def totals(session: AsyncSession) -> list[tuple[str, int, int]]:
    """Return each currency with the sums of its debit and of its credit balances, both unsigned."""
    minor = col(LedgerBalance.posted_minor)
    wanted = (
        select(
            LedgerAccount.currency,
            func.coalesce(func.sum(minor).filter(minor > 0), 0),
            func.coalesce(-func.sum(minor).filter(minor < 0), 0),
        )
        .join(LedgerAccount, col(LedgerAccount.id) == col(LedgerBalance.account_id))
        .group_by(col(LedgerAccount.currency))
        .order_by(col(LedgerAccount.currency))
    )
    rows = await session.execute(wanted)
    return [(currency, int(debit), int(credit)) for currency, debit, credit in rows]


_ACCOUNTS = select(LedgerAccount, LedgerBalance).join(
    LedgerBalance, col(LedgerBalance.account_id) == col(LedgerAccount.id)
)


async def _balances(session: AsyncSession, wanted: Any) -> list[dict[str, Any]]:
    rows = await session.execute(wanted)
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


async def is_booked(session: AsyncSession, idem_key: str) -> bool:
    """Tell whether an effect has its journal."""
    wanted = select(LedgerJournal.id).where(col(LedgerJournal.idem_key) == idem_key)
    return await session.scalar(wanted) is not None


async def journals_of_deal(
    session: AsyncSession, deal_id: UUID, *further: UUID
) -> list[dict[str, Any]]:
    """Return a deal's journals as plain JSON values, oldest first, lines in order.

    The further ids are of the settlements of its later instalments: theirs stand among them.
    """
    [found] = await journals_of_deals(session, [(deal_id, *further)])
    return found


async def journals_of_deals(
    session: AsyncSession, several: Sequence[Collection[UUID]]
) -> list[list[dict[str, Any]]]:
    """Return the journals of several deals, each with its further ids, as `journals_of_deal`."""
    wanted = {one for deal in several for one in deal}
    rows = await session.execute(
        select(
            col(LedgerJournal.deal_id),
            col(LedgerJournal.id),
            col(LedgerJournal.idem_key),
            col(LedgerJournal.kind),
            col(LedgerJournal.effective_at),
            col(LedgerAccount.code),
            col(LedgerPosting.amount_minor),
            col(LedgerPosting.currency),
        )  # type: ignore[call-overload]  # it is typed for four columns at most
        .join(LedgerPosting, col(LedgerPosting.journal_id) == col(LedgerJournal.id))
        .join(LedgerAccount, col(LedgerAccount.id) == col(LedgerPosting.account_id))
        .where(col(LedgerJournal.deal_id).in_(wanted))
        .order_by(col(LedgerJournal.id), col(LedgerPosting.line))
    )
    found: dict[UUID, dict[int, dict[str, Any]]] = {one: {} for one in wanted}
    for deal_id, number, key, kind, effective_at, code, minor, currency in rows:
        journals = found[deal_id]
        if number not in journals:
            when = rfc3339.to_the_second(effective_at)
            journals[number] = {"key": key, "kind": kind, "effective_at": when, "lines": []}
        journals[number]["lines"].append(
            {"account": code, "amount_minor": minor, "currency": currency}
        )
    return [
        [journal for _, journal in sorted(pair for one in deal for pair in found[one].items())]
        for deal in several
    ]
