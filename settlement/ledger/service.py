"""Booking journals, reversing them. The database keeps the invariants; this fills in accounts."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import rfc3339
from contracts.money import Money
from contracts.refusal import Unknown
from settlement.ledger import driving, rules
from settlement.ledger.rules import AlreadyReversed, Entry, JournalKeyReused, Line, ReversalStays
from settlement.ledger.tables import LedgerAccount, LedgerJournal, LedgerPosting

JOURNAL = (
    ":idem_key, :kind, :actor, CAST(:deal_id AS uuid), :effective_at, :request_hash, "
    "CAST(:accounts AS bigint[]), CAST(:amounts AS bigint[])"
)
BOOK = text(
    f"SELECT ledger_book({JOURNAL}, CAST(:reversal_of AS bigint), CAST(:reason AS text), "
    "CAST(:occurred_at AS timestamptz))"
)
BOOK_MANY = text("SELECT ledger_book_many(:effective_at, CAST(:journals AS json))")
# The accounts by their codes and, without a code, the journal booked under the key: one question.
KNOWN = text(
    "SELECT code, id, NULL AS request_hash FROM ledger_account WHERE code = ANY(:codes) "
    "UNION ALL SELECT NULL, id, request_hash FROM ledger_journal WHERE idem_key = :idem_key"
)


async def post(  # noqa: PLR0913 - a journal has this many fields
    session: AsyncSession,
    *,
    idem_key: str,
    kind: str,
    actor: str,
    deal_id: UUID | None,
    lines: Sequence[Line],
    now: datetime,
    reason: str | None = None,
    occurred_at: datetime | None = None,
) -> int:
    """Book a journal once; return its id, or the id of the one already booked under the key.

    Args:
        session: the transaction of the effect that is booked.
        idem_key: the effect's name, e.g. `pi_123:received`; one effect, one journal.
        kind: what happened, e.g. `payment.received`.
        actor: the person or program that did it.
        deal_id: the deal it belongs to, if any.
        lines: (account code without currency, signed amount: debit +, credit -); accounts open on
            demand; lines of zero are left out.
        now: when it took effect.
        reason: why, where a person decided it.
        occurred_at: when it happened, where that is before it took effect (a late bank statement).

    Raises:
        JournalKeyReused: the key stands for a journal with other content.
        LimitReached, AccountNotOpen, PeriodClosed: see there; the transaction is lost.
    """
    moving = rules.checked(lines)
    more = {"reason": reason} if reason is not None else {}
    if occurred_at is not None:
        more["occurred_at"] = rfc3339.to_the_second(occurred_at)
    digest = rules.request_hash(kind, actor, deal_id, moving, more)
    booked, values = await begun(session, Entry(idem_key, kind, actor, deal_id, moving), digest)
    if booked is not None:
        return booked
    more_values = {"reversal_of": None, "reason": reason, "occurred_at": occurred_at}
    made: int = await driving.asked(session, BOOK, values | more_values | {"effective_at": now})
    return made


async def post_many(session: AsyncSession, entries: Sequence[Entry], *, now: datetime) -> list[int]:
    """Book several journals, each once, with one question to the database; return their ids.

    All stand or none does. A key that has a journal of the same content gives that one's id.

    Args:
        session: the transaction of the effects that are booked.
        entries: the journals; accounts open on demand.
        now: when they took effect.

    Raises:
        JournalKeyReused, LimitReached, AccountNotOpen, PeriodClosed: see `post`.
    """
    if not entries:
        return []
    moving = [rules.checked(one.lines) for one in entries]
    accounts = await account_ids(session, [line for lines in moving for line in lines])
    journals = [
        {
            **_values(one.idem_key, one.kind, one.actor, one.deal_id, _moved(accounts, lines)),
            "request_hash": "\\x"
            + rules.request_hash(one.kind, one.actor, one.deal_id, lines).hex(),
        }
        for one, lines in zip(entries, moving, strict=True)
    ]
    asked = {"effective_at": now, "journals": json.dumps(journals, default=str)}
    made: list[int] = await driving.asked(session, BOOK_MANY, asked)
    return made


async def reverse(
    session: AsyncSession,
    journal_id: int,
    *,
    idem_key: str,
    actor: str,
    reason: str,
    now: datetime,
) -> int:
    """Book a journal's exact negative (红冲), once; return its id.

    Raises:
        Unknown: there is no such journal.
        ReversalStays: the journal is itself a reversal.
        AlreadyReversed: it was reversed under another key.
        LimitReached: what it booked has moved on; book what is right as a new journal.
        JournalKeyReused, AccountNotOpen, PeriodClosed: see `post`.
    """
    journal = await session.get(LedgerJournal, journal_id)
    if journal is None:
        raise Unknown("There is no such journal.")
    if journal.reversal_of is not None:
        raise ReversalStays("A reversal is not reversed.", reversal_of=journal.reversal_of)
    lines = await _negative(session, journal_id)
    kind, more = "reversal", {"reversal_of": str(journal_id), "reason": reason}
    digest = rules.request_hash(kind, actor, journal.deal_id, lines, more)
    entry = Entry(idem_key, kind, actor, journal.deal_id, lines)
    booked, values = await begun(session, entry, digest)
    if booked is not None:
        return booked
    taken = await session.scalar(
        select(LedgerJournal.id).where(col(LedgerJournal.reversal_of) == journal_id)
    )
    if taken is not None:
        raise AlreadyReversed("The journal has been reversed.", reversal=taken)
    more_values = {"reversal_of": journal_id, "reason": reason, "occurred_at": None}
    made: int = await driving.asked(session, BOOK, values | more_values | {"effective_at": now})
    return made


async def begun(
    session: AsyncSession, entry: Entry, digest: bytes
) -> tuple[int | None, dict[str, Any]]:
    """Return the journal that is booked already, or what the database's verbs are asked with.

    Accounts that are missing are opened.

    Raises:
        JournalKeyReused: the key stands for a journal with other content.
    """
    rows, key = _openings(entry.lines), entry.idem_key
    known = (await session.execute(KNOWN, {"codes": list(rows), "idem_key": key})).all()
    accounts = {code: number for code, number, _ in known if code is not None}
    for journal_id, request_hash in [row[1:] for row in known if row.code is None]:
        if request_hash != digest:
            raise JournalKeyReused(f"Journal key {key!r} has other content.", key=key)
        return journal_id, {}
    moved = _moved(await _opened(session, rows, accounts), entry.lines)
    values = _values(key, entry.kind, entry.actor, entry.deal_id, moved)
    return None, values | {"request_hash": digest}


def _moved(accounts: Mapping[str, int], lines: Sequence[Line]) -> list[tuple[int, int]]:
    """Return accounts and amounts in the order of the database's locks, which sorts if not."""
    moved = [
        (accounts[rules.account_code(code, paid.currency)], paid.amount_minor)
        for code, paid in lines
    ]
    return sorted(moved, key=lambda line: line[0])


def _values(
    idem_key: str, kind: str, actor: str, deal_id: UUID | None, moved: Sequence[tuple[int, int]]
) -> dict[str, Any]:
    return {
        "idem_key": idem_key,
        "kind": kind,
        "actor": actor,
        "deal_id": deal_id,
        "accounts": [account for account, _ in moved],
        "amounts": [minor for _, minor in moved],
    }


async def account_ids(session: AsyncSession, lines: Sequence[Line]) -> Mapping[str, int]:
    """Return the accounts by their stored codes; what is missing is opened."""
    rows = _openings(lines)
    return await _opened(session, rows, await _ids(session, list(rows)))


def _openings(lines: Sequence[Line]) -> dict[str, dict[str, Any]]:
    """Return by stored code what each account is opened with, in the order of codes."""
    rows = {}
    for code, amount in sorted(lines, key=lambda line: (line[0], line[1].currency)):
        how = rules.opening(code)
        rows[rules.account_code(code, amount.currency)] = {
            "code": rules.account_code(code, amount.currency),
            "kind": how.kind,
            "currency": amount.currency,
            "floor_minor": how.floor_minor,
            "ceiling_minor": how.ceiling_minor,
            "status": "open",
        }
    return rows


async def _opened(
    session: AsyncSession, rows: Mapping[str, Mapping[str, Any]], found: Mapping[str, int]
) -> Mapping[str, int]:
    """Open the accounts that are not there, in order, so that no two journals wait in a circle."""
    missing = [row for code, row in rows.items() if code not in found]
    if not missing:
        return found
    await session.execute(insert(LedgerAccount).on_conflict_do_nothing(), missing)
    return await _ids(session, list(rows))


async def _ids(session: AsyncSession, codes: list[str]) -> dict[str, int]:
    chosen = select(LedgerAccount.code, LedgerAccount.id).where(col(LedgerAccount.code).in_(codes))
    return {code: number for code, number in await session.execute(chosen) if number is not None}


async def _negative(session: AsyncSession, journal_id: int) -> list[Line]:
    rows = await session.execute(
        select(LedgerAccount.code, LedgerPosting.currency, LedgerPosting.amount_minor)
        .join(LedgerAccount, col(LedgerAccount.id) == col(LedgerPosting.account_id))
        .where(col(LedgerPosting.journal_id) == journal_id)
        .order_by(col(LedgerPosting.line))
    )
    return [
        (code.removesuffix(f":{currency}"), Money(-minor, currency))
        for code, currency, minor in rows
    ]
