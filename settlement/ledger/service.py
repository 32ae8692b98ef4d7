"""Booking journals. The database keeps the invariants; this only fills in accounts."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from settlement.ledger import rules
from settlement.ledger.rules import JournalKeyReused, Line
from settlement.ledger.tables import LedgerAccount, LedgerJournal

POST = text(
    "SELECT ledger_post(:idem_key, :kind, :actor, CAST(:deal_id AS uuid), :effective_at, "
    ":request_hash, CAST(:accounts AS bigint[]), CAST(:amounts AS bigint[]))"
)


async def post(
    session: AsyncSession,
    *,
    idem_key: str,
    kind: str,
    actor: str,
    deal_id: UUID | None,
    lines: Sequence[Line],
    now: datetime,
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

    Raises:
        JournalKeyReused: the key stands for a journal with other content.
    """
    moving = rules.checked(lines)
    digest = rules.request_hash(kind, actor, deal_id, moving)
    booked = await _booked(session, idem_key, digest)
    if booked is not None:
        return booked
    accounts = await _accounts(session, moving)
    values = {
        "idem_key": idem_key,
        "kind": kind,
        "actor": actor,
        "deal_id": deal_id,
        "effective_at": now,
        "request_hash": digest,
        "accounts": [accounts[rules.account_code(code, paid.currency)] for code, paid in moving],
        "amounts": [paid.amount_minor for _, paid in moving],
    }
    try:
        made: int = (await session.execute(POST, values)).scalar_one()
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", "") == "23505":
            raise JournalKeyReused(f"Journal key {idem_key!r} has other content.") from error
        raise
    return made


async def _booked(session: AsyncSession, idem_key: str, digest: bytes) -> int | None:
    found = (
        await session.execute(
            select(LedgerJournal.id, LedgerJournal.request_hash).where(
                col(LedgerJournal.idem_key) == idem_key
            )
        )
    ).one_or_none()
    if found is None:
        return None
    if found.request_hash != digest:
        raise JournalKeyReused(f"Journal key {idem_key!r} has other content.", key=idem_key)
    return int(found.id)


async def _accounts(session: AsyncSession, lines: Sequence[Line]) -> dict[str, int]:
    """Open what is missing, in the order of codes so that two journals never wait in a circle."""
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
    found = await _ids(session, list(rows))
    missing = [row for code, row in rows.items() if code not in found]
    if missing:
        await session.execute(insert(LedgerAccount).on_conflict_do_nothing(), missing)
        found = await _ids(session, list(rows))
    return found


async def _ids(session: AsyncSession, codes: list[str]) -> dict[str, int]:
    chosen = select(LedgerAccount.code, LedgerAccount.id).where(col(LedgerAccount.code).in_(codes))
    return {code: number for code, number in await session.execute(chosen) if number is not None}
