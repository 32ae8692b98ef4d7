"""Firing the timers of deals: each takes effect once, in one transaction with its mark."""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, rfc3339
from contracts.deals import ending, lifecycle, notices, rows
from contracts.deals.tables import Deal, DealNotice, DealTimer
from contracts.facts.tables import FactPending
from contracts.parties.rules import EXCHANGE_PARTY_ID
from contracts.refusal import Refusal

_log = logging.getLogger("contracts.deals.timers")

AT_ONCE = 50  # looked at in one transaction; one of them fires
MOOT, FIRED = "moot", "fired"
Firing = Callable[[AsyncSession, Deal, DealTimer, datetime], Awaitable[str]]


async def fire_due(session: AsyncSession, *, now: datetime) -> int:
    """Fire the timer that has been due longest; return 1, or 0 where none can fire.

    A deal that another transaction holds is left to the next call, and so is a notice that is not
    in the log yet. What a timer does and its mark are one transaction: it fires once, or it is
    still due.
    """
    unlogged = (
        select(col(FactPending.fact_id))
        .join(DealNotice, col(DealNotice.fact_id) == col(FactPending.fact_id))
        .where(
            col(DealNotice.deal_id) == col(DealTimer.deal_id),
            col(DealNotice.id) == col(DealTimer.ref),
        )
    )
    due = (
        select(DealTimer)
        .where(
            col(DealTimer.settled_at).is_(None), col(DealTimer.due_at) <= now, ~unlogged.exists()
        )
        .order_by(col(DealTimer.due_at), col(DealTimer.deal_id), col(DealTimer.kind).desc())
        .limit(AT_ONCE)
    )
    for waiting in (await session.scalars(due)).all():
        deal = await _free_deal(session, waiting)
        if deal is None:
            continue
        timer = await session.get(
            DealTimer, (waiting.deal_id, waiting.kind, waiting.ref), populate_existing=True
        )
        if timer is None or timer.settled_at is not None or timer.due_at > now:
            continue
        try:
            async with session.begin_nested():
                await _fire(session, deal, timer, now=now)
                return 1
        except Refusal as refused:  # one that cannot fire does not keep the others waiting
            _log.warning("timer %s of deal %s: %s", waiting.kind, waiting.deal_id, refused)
    return 0


async def _free_deal(session: AsyncSession, timer: DealTimer) -> Deal | None:
    wanted = (
        select(Deal)
        .where(col(Deal.id) == timer.deal_id)
        .with_for_update(key_share=True, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(wanted)).one_or_none()


async def _fire(session: AsyncSession, deal: Deal, timer: DealTimer, *, now: datetime) -> None:
    outcome = await FIRINGS[timer.kind](session, deal, timer, now)
    timer.outcome, timer.settled_at = outcome, now
    await session.flush()
    if outcome == FIRED:
        payload = {
            "deal": str(deal.id),
            "timer": timer.kind,
            "ref": str(timer.ref),
            "due_at": rfc3339.exact(timer.due_at),
        }
        await rows.tell(session, "timer.fired", deal, payload, now=now)


async def _remind(session: AsyncSession, deal: Deal, _timer: DealTimer, now: datetime) -> str:
    if not lifecycle.is_open(deal.life):
        return MOOT
    awaited = lifecycle.SIGNED_NEXT.get(deal.signing, "exchange")
    ends = await session.get(DealTimer, (deal.id, "signing-expiry", deal.id))
    if ends is None or ends.due_at <= now:
        return MOOT
    payload = {"deal": str(deal.id), "awaited": awaited, "expires_at": rfc3339.exact(ends.due_at)}
    await rows.tell(session, "deal.reminded", deal, payload, now=now)
    return FIRED


async def _run_out(session: AsyncSession, deal: Deal, _timer: DealTimer, now: datetime) -> str:
    if not lifecycle.is_open(deal.life):
        return MOOT
    await ending.run_out(session, deal.id, reason="not-signed", now=now)
    return FIRED


async def _receive(session: AsyncSession, deal: Deal, timer: DealTimer, now: datetime) -> str:
    notice = await notices.get_locked(session, deal.id, timer.ref)
    if notice.received_at is not None or notice.outcome is not None:
        return MOOT
    await notices.receive(session, deal, notice, how="deemed", now=now)
    return FIRED


async def _cure(session: AsyncSession, deal: Deal, timer: DealTimer, now: datetime) -> str:
    notice = await notices.get_locked(session, deal.id, timer.ref)
    if notice.outcome is not None:
        return MOOT
    await notices.settle(session, deal, notice, "terminated", party_id=None, now=now)
    await ending.terminate(
        session, deal, cause="cause", notice=notice.id, by=EXCHANGE_PARTY_ID, now=now
    )
    return FIRED


async def _end_early(session: AsyncSession, deal: Deal, timer: DealTimer, now: datetime) -> str:
    notice = await notices.get_locked(session, deal.id, timer.ref)
    if notice.outcome is not None:
        return MOOT
    await notices.settle(session, deal, notice, "terminated", party_id=None, now=now)
    await ending.terminate(
        session, deal, cause="convenience", notice=notice.id, by=notice.party_id, now=now
    )
    return FIRED


async def _end(session: AsyncSession, deal: Deal, _timer: DealTimer, now: datetime) -> str:
    if deal.life.end != "in_force":
        return MOOT
    if lifecycle.window_end(canonical.loads(deal.terms)["grants"]) > now:
        return MOOT
    await ending.end_with_its_rights(session, deal, now=now)
    return FIRED


FIRINGS: dict[str, Firing] = {
    "signing-reminder": _remind,
    "signing-expiry": _run_out,
    "deemed-receipt": _receive,
    "cure-end": _cure,
    "notice-end": _end_early,
    "window-end": _end,
}
