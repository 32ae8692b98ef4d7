"""Closing the books up to an instant (结账), and freezing or closing an account (冻结, 销户)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import IdReused, Unknown
from settlement.ledger import driving
from settlement.ledger.rules import CloseNotLater
from settlement.ledger.tables import LedgerAccount, LedgerAccountMark, LedgerClose


@dataclass(frozen=True, slots=True)
class Decided:
    """Who decided something about the books, and why."""

    actor: str
    reason: str


async def close(
    session: AsyncSession, close_id: UUID, *, until: datetime, decided: Decided, now: datetime
) -> tuple[LedgerClose, bool]:
    """Close the books: nothing takes effect before `until` any more; return the close.

    The database waits for every journal that is being written, then sums the balances up.

    Raises:
        CloseNotLater: `until` has not come, or the books are closed up to it or beyond.
        IdReused: the id names another close.
    """
    known = await session.get(LedgerClose, close_id)
    if known is None:
        if until > now:
            raise CloseNotLater("The books are closed up to a past instant.")
        row = {
            "id": close_id,
            "until": until,
            "journals": 0,
            "balances_sha256": b"",
            "reason": decided.reason,
            "actor": decided.actor,
            "closed_at": now,
        }
        made = insert(LedgerClose).values(row).returning(col(LedgerClose.id))
        await driving.asked(session, made, {})
        return await session.get_one(LedgerClose, close_id), True
    if (known.until, known.reason) != (until, decided.reason):
        raise IdReused("This id names another close.")
    return known, False


async def open_since(session: AsyncSession) -> datetime | None:
    """Return up to when the books are closed; None when they never were."""
    found: datetime | None = await session.scalar(select(func.max(col(LedgerClose.until))))
    return found


async def effective(session: AsyncSession, occurred_at: datetime) -> datetime:
    """Return when something late takes effect: then, or as the open period begins."""
    since = await open_since(session)
    return occurred_at if since is None else max(occurred_at, since)


async def mark(
    session: AsyncSession,
    mark_id: UUID,
    *,
    code: str,
    status: str,
    decided: Decided,
    now: datetime,
) -> tuple[LedgerAccountMark, bool]:
    """Freeze an account, open it again, or close it for good; return the mark.

    Args:
        session: the transaction.
        mark_id: the mark's id; the same again changes nothing.
        code: the account's code with its currency.
        status: `open`, `frozen` or `closed`.
        decided: by whom and why.
        now: when.

    Raises:
        Unknown: there is no such account.
        AccountUnlimited: it records what others did, and stays open.
        AccountNotMarkable: it is closed for good, or is to be closed with something on it.
        IdReused: the id names another mark.
    """
    account_id = await session.scalar(
        select(LedgerAccount.id).where(col(LedgerAccount.code) == code)
    )
    if account_id is None:
        raise Unknown("There is no such account.")
    row = {"account_id": account_id, "status": status, "reason": decided.reason}
    made = insert(LedgerAccountMark).values(
        {"id": mark_id, "actor": decided.actor, "marked_at": now, **row}
    )
    kept = made.on_conflict_do_nothing(index_elements=["id"])
    new = await driving.asked(session, kept.returning(col(LedgerAccountMark.id)), {}) is not None
    known = await session.get_one(LedgerAccountMark, mark_id)
    if any(getattr(known, name) != value for name, value in row.items()):
        raise IdReused("This id names another mark.")
    return known, new


async def closes(session: AsyncSession, *, limit: int = 50) -> Sequence[LedgerClose]:
    """Return the closes, the latest first."""
    wanted = select(LedgerClose).order_by(col(LedgerClose.until).desc()).limit(limit)
    return (await session.scalars(wanted)).all()
