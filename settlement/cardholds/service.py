"""Deposits on a card: asked for, taken one step further at the provider; nothing is booked here.

What a card's state means for the deposit is decided in `settlement.deposits.pledging`, whose verbs
hold the deposit's lock when they call these.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import ids, locking
from settlement.cardholds import rules
from settlement.cardholds.tables import CardHold
from settlement.outbound import rules as outbound_rules
from settlement.outbound import service as outbound


async def request(session: AsyncSession, hold: CardHold, *, now: datetime) -> None:
    """Ask the provider for a payment that the card is to hold, or to pay."""
    session.add(hold)
    await session.flush()
    intent_id = ids.new(now)
    names = {
        "hold": str(hold.id),
        "auction": str(hold.auction_id),
        "intent_id": str(intent_id),
    }
    await outbound.intend(
        session,
        intent_id,
        op=outbound_rules.HOLD_PAYMENT,
        object_key=f"hold:{hold.id}",
        object_id=hold.id,
        params=outbound_rules.hold_params(
            amount_minor=hold.amount_minor,
            currency=hold.currency,
            is_captured_at_once=hold.mode == rules.CHARGE,
            description=f"deposit 保证金 {hold.auction_id}",
            names=names,
        ),
        now=now,
    )


async def made(
    session: AsyncSession,
    hold: CardHold,
    *,
    provider_id: str,
    client_secret: str | None,
    now: datetime,
) -> None:
    """Note the provider's payment; confirm it with the method the bidder gave, if it gave one."""
    if hold.provider_id not in (None, provider_id):
        return
    hold.provider_id, hold.client_secret = provider_id, client_secret
    if hold.state == rules.REQUESTED:
        hold.state, hold.next_check_at = rules.READY, rules.next_check(0, now)
        await session.flush()
        if hold.payment_method is not None:
            params = outbound_rules.confirm_params(
                payment_intent=provider_id, payment_method=hold.payment_method
            )
            await _step(session, hold, outbound_rules.CONFIRM_PAYMENT, params, now=now)
    await session.flush()


async def draw(
    session: AsyncSession,
    hold: CardHold,
    *,
    amount_minor: int,
    movement_id: UUID | None,
    now: datetime,
) -> None:
    """Take what the card holds, or a part; what is left of it is let go with that."""
    hold.state, hold.movement_id = rules.DRAWING, movement_id
    await session.flush()
    params = outbound_rules.capture_params(
        payment_intent=str(hold.provider_id), amount_minor=amount_minor
    )
    await _step(session, hold, outbound_rules.CAPTURE_PAYMENT, params, now=now)


async def release(
    session: AsyncSession, hold: CardHold, *, fault: str | None = None, now: datetime
) -> None:
    """Let go of what the card holds, or will hold if its payment is confirmed late."""
    hold.fault, hold.ended_at = fault or hold.fault, hold.ended_at or now
    if hold.provider_id is None:
        # Nothing can be confirmed without the provider's secret, and nobody was given it.
        hold.state, hold.fault = rules.FAILED, hold.fault or rules.REFUSED
        await session.flush()
        return
    hold.state = rules.RELEASING
    await session.flush()
    params = outbound_rules.cancel_params(payment_intent=hold.provider_id)
    await _step(session, hold, outbound_rules.CANCEL_PAYMENT, params, now=now)


async def fail(session: AsyncSession, hold: CardHold, *, fault: str, now: datetime) -> None:
    """Note that the card said no, or the provider did; the bidder may give another."""
    hold.state, hold.fault, hold.ended_at = rules.FAILED, fault, now
    await session.flush()


async def find_locked(session: AsyncSession, hold_id: UUID) -> CardHold | None:
    """Return a deposit on a card, locked until the transaction ends, or None."""
    return await locking.find_locked(session, CardHold, col(CardHold.id) == hold_id)


async def find_seen(session: AsyncSession, seen: rules.SeenHold) -> CardHold | None:
    """Return whose payment the provider shows: by its id, or by ours when the answer was lost."""
    wanted = select(CardHold).where(col(CardHold.provider_id) == seen.provider_id)
    found = (await session.scalars(wanted)).one_or_none()
    if found is not None or seen.hold_id is None:
        return found
    named = await session.get(CardHold, seen.hold_id)
    return named if named is not None and named.provider_id is None else None


async def unheard(session: AsyncSession, *, now: datetime) -> str | None:
    """Take up one payment that had no news for long; return its provider id, or None."""
    wanted = (
        select(CardHold)
        .where(
            col(CardHold.state).in_((rules.READY, rules.HELD, rules.DRAWING, rules.RELEASING)),
            col(CardHold.next_check_at) <= now,
        )
        .order_by(col(CardHold.next_check_at))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    hold = await session.scalar(wanted.execution_options(populate_existing=True))
    if hold is None:
        return None
    hold.checks += 1
    hold.next_check_at = rules.next_check(hold.checks, now)
    await session.flush()
    found: str | None = hold.provider_id
    return found


async def _step(
    session: AsyncSession, hold: CardHold, op: str, params: dict[str, Any], *, now: datetime
) -> None:
    await outbound.intend(
        session,
        ids.new(now),
        op=op,
        object_key=f"hold:{hold.id}:{op.rpartition('.')[2]}",
        object_id=hold.id,
        params=params,
        now=now,
    )
    hold.checks, hold.next_check_at = 0, rules.next_check(0, now)
    await session.flush()
