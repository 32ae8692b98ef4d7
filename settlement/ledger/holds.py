"""Holds: a part of an account set aside first and moved later (预留, 扣划, 解除).

A hold counts against the account's limit from the moment it is made. It ends once: captured by a
journal that moves all of it or a part (the rest is let go), released, or expired.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.money import Money
from contracts.refusal import IdReused, Unknown
from settlement.ledger import driving, rules, service
from settlement.ledger.rules import Entry, HoldEnded, Line
from settlement.ledger.tables import LedgerAccount, LedgerHold, LedgerHoldEnd, LedgerHoldOpen

ACTOR = "exchange"
CAPTURE = text(f"SELECT ledger_capture(CAST(:hold_id AS uuid), {service.JOURNAL})")
# Rows that another worker ends at the same moment are left to it.
EXPIRE = text(
    "INSERT INTO ledger_hold_end (hold_id, outcome, captured_minor, actor, ended_at) "
    "SELECT hold_id, 'expired', 0, :actor, :now FROM "
    "(SELECT hold_id, account_id FROM ledger_hold_open WHERE expires_at <= :now "
    "ORDER BY expires_at LIMIT :limit) AS due ORDER BY account_id, hold_id "
    "ON CONFLICT (hold_id) DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be held: an account (without its currency), a signed amount, why, until when.

    The amount has the sign of the movement to come: + debits what is owed to somebody.
    """

    account: str
    amount: Money
    reason: str
    expires_at: datetime
    deal_id: UUID | None = None


async def hold(
    session: AsyncSession, hold_id: UUID, wanted: Wanted, *, actor: str, now: datetime
) -> tuple[LedgerHold, bool]:
    """Hold a part of an account; return the hold and whether it is new.

    Raises:
        IdReused: the id names another hold.
        LimitReached: less than this is there and not held.
        AccountNotOpen, AccountUnlimited: see there.
    """
    line: Line = (wanted.account, wanted.amount)
    known = await session.get(LedgerHold, hold_id)
    accounts = await service.account_ids(session, [line])
    account_id = accounts[rules.account_code(wanted.account, wanted.amount.currency)]
    values = {
        "account_id": account_id,
        "currency": wanted.amount.currency,
        "amount_minor": wanted.amount.amount_minor,
        "deal_id": wanted.deal_id,
        "reason": wanted.reason,
        "expires_at": wanted.expires_at,
    }
    if known is None:
        row = {"id": hold_id, "actor": actor, "made_at": now, **values}
        made = insert(LedgerHold).values(row).on_conflict_do_nothing(index_elements=["id"])
        new = await driving.asked(session, made.returning(col(LedgerHold.id)), {}) is not None
        known = await get_hold(session, hold_id)
    else:
        new = False
    if any(getattr(known, name) != value for name, value in values.items()):
        raise IdReused("This id names another hold.")
    return known, new


async def capture(
    session: AsyncSession,
    hold_id: UUID,
    *,
    idem_key: str,
    kind: str,
    actor: str,
    lines: Sequence[Line],
    now: datetime,
) -> int:
    """Book the journal that the hold was made for; the rest of the hold is let go.

    The lines move the held account by at most what is held. The same key and lines again get the
    same journal.

    Raises:
        Unknown: there is no such hold.
        HoldEnded, HoldOutOfTime, HoldTooSmall: see there.
        JournalKeyReused, LimitReached, AccountNotOpen, PeriodClosed: see `service.post`.
    """
    held = await get_hold(session, hold_id)
    moving = rules.checked(lines)
    digest = rules.request_hash(kind, actor, held.deal_id, moving, {"hold": str(hold_id)})
    entry = Entry(idem_key, kind, actor, held.deal_id, moving)
    booked, values = await service.begun(session, entry, digest)
    if booked is not None:
        return booked
    more = {"hold_id": hold_id, "effective_at": now}
    made: int = await driving.asked(session, CAPTURE, values | more)
    return made


async def release(
    session: AsyncSession, hold_id: UUID, *, actor: str, now: datetime
) -> LedgerHoldEnd:
    """Let a hold go; one that has run out expires instead. A second time changes nothing.

    Raises:
        Unknown: there is no such hold.
        HoldEnded: it was captured.
    """
    held = await get_hold(session, hold_id)
    row = {
        "hold_id": hold_id,
        "outcome": "expired" if now >= held.expires_at else "released",
        "captured_minor": 0,
        "actor": actor,
        "ended_at": now,
    }
    made = insert(LedgerHoldEnd).values(row).on_conflict_do_nothing(index_elements=["hold_id"])
    await driving.asked(session, made.returning(col(LedgerHoldEnd.hold_id)), {})
    end = await session.get_one(LedgerHoldEnd, hold_id)
    if end.outcome == "captured":
        raise HoldEnded("The hold was captured.", journal=end.journal_id)
    return end


async def expire_due(session: AsyncSession, *, now: datetime, limit: int = 200) -> int:
    """End the holds that have run out; return how many."""
    values = {"actor": ACTOR, "now": now, "limit": limit}
    done = await session.execute(EXPIRE, values)
    return int(getattr(done, "rowcount", 0))


async def get_hold(session: AsyncSession, hold_id: UUID) -> LedgerHold:
    """Return a hold.

    Raises:
        Unknown: there is none.
    """
    found = await session.get(LedgerHold, hold_id)
    if found is None:
        raise Unknown("There is no such hold.")
    return found


async def open_holds(
    session: AsyncSession, *, after: UUID, limit: int
) -> Sequence[tuple[LedgerHold, str]]:
    """Return holds that have not ended with their accounts' codes, in the order of their ids."""
    rows = await session.execute(
        select(LedgerHold, LedgerAccount.code)
        .join(LedgerHoldOpen, col(LedgerHoldOpen.hold_id) == col(LedgerHold.id))
        .join(LedgerAccount, col(LedgerAccount.id) == col(LedgerHold.account_id))
        .where(col(LedgerHold.id) > after)
        .order_by(col(LedgerHold.id))
        .limit(limit)
    )
    return [(held, code) for held, code in rows]
