"""Cards as deposits: held or charged, drawn on, let go; booked only when the card has paid.

Whatever comes of a card is taken from how the provider shows its payment, however often, late or
out of order it is told; each effect happens once.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.money import Money
from contracts.refusal import IdReused
from settlement.cardholds import queries, rules, service
from settlement.cardholds.rules import Ask, CardHoldTooShort, SeenHold
from settlement.cardholds.tables import CardHold
from settlement.deposits import booking, pledging
from settlement.deposits import rules as deposits
from settlement.deposits.tables import Deposit, DepositMovement
from settlement.outbound import rules as outbound

ACTOR = "exchange"
MOST_AT_ONCE = 20


async def give_card(
    session: AsyncSession,
    hold_id: UUID,
    auction_id: UUID,
    party_id: UUID,
    *,
    ask: Ask,
    person_id: UUID,
    now: datetime,
) -> tuple[CardHold, bool]:
    """Ask for the deposit on a card; return what was asked for and whether it is new.

    Raises:
        Unknown: no deposit was asked for.
        IdReused: the id names another.
        DepositModeNotAccepted: the rules of the auction do not accept it.
        DepositSecured: the deposit is in, or something else is being looked at.
        CardHoldTooShort: no card holds until the auction must have ended.
    """
    deposit = await booking.locked(session, auction_id, party_id)
    known = await session.get(CardHold, hold_id)
    if known is not None:
        asked = Ask(known.mode, known.payment_method)
        if (known.auction_id, known.party_id, asked) != (auction_id, party_id, ask):
            raise IdReused("This id names another deposit on a card.")
        return known, False
    rules.check_mode(ask.mode, deposit.modes)
    await pledging.check_room(session, deposit)
    needed = needed_until(deposit)
    if ask.mode == rules.CARD_HOLD:
        rules.check_lasts(needed, held_until=now + rules.CARD_HOLDS)
    hold = CardHold(
        id=hold_id,
        auction_id=auction_id,
        party_id=party_id,
        mode=ask.mode,
        amount_minor=deposit.required_minor,
        currency=deposit.currency,
        state=rules.REQUESTED,
        needed_until=needed if ask.mode == rules.CARD_HOLD else None,
        payment_method=ask.payment_method,
        requested_by=person_id,
        requested_at=now,
    )
    await service.request(session, hold, now=now)
    return hold, True


async def made(
    session: AsyncSession,
    hold_id: UUID,
    op: str,
    *,
    provider_id: str,
    client_secret: str | None,
    now: datetime,
) -> None:
    """Take over that the provider carried out an instruction about a card."""
    hold, _ = await _both(session, hold_id)
    if op == outbound.HOLD_PAYMENT:
        await service.made(
            session, hold, provider_id=provider_id, client_secret=client_secret, now=now
        )
        return
    if op == outbound.CANCEL_PAYMENT and hold.state == rules.RELEASING:
        hold.state = rules.RELEASED
    hold.next_check_at = now  # what came of the step is read from the payment itself
    await session.flush()


async def refused(session: AsyncSession, hold_id: UUID, op: str, *, now: datetime) -> None:
    """Take over that the provider, or the card, refused an instruction for good."""
    hold, _ = await _both(session, hold_id)
    if op == outbound.HOLD_PAYMENT and hold.state == rules.REQUESTED:
        await service.fail(session, hold, fault=rules.REFUSED, now=now)
    elif op == outbound.CONFIRM_PAYMENT and hold.state == rules.READY:
        await service.fail(session, hold, fault=rules.DECLINED, now=now)
    else:
        hold.next_check_at = now
        await session.flush()


async def apply_seen(session: AsyncSession, seen: SeenHold, *, now: datetime) -> bool:
    """Take over how the provider shows a payment; False when it is no deposit's."""
    found = await service.find_seen(session, seen)
    if found is None:
        return False
    hold, deposit = await _both(session, found.id)
    hold.provider_id = hold.provider_id or seen.provider_id
    if seen.status == "requires_capture":
        await _held(session, deposit, hold, seen, now=now)
    elif seen.status == "succeeded":
        await _drawn(session, deposit, hold, seen, now=now)
    elif seen.status == "canceled":
        await _gone(session, deposit, hold, now=now)
    await session.flush()
    return True


async def draw(
    session: AsyncSession,
    hold: CardHold,
    *,
    movement: DepositMovement | None,
    now: datetime,
) -> None:
    """Capture what a card holds: by two people's decision, or by rule (then all of it)."""
    if movement is None:
        amount, movement_id = hold.amount_minor, None
    else:
        amount, movement_id = movement.amount_minor, movement.id
    await service.draw(session, hold, amount_minor=amount, movement_id=movement_id, now=now)


async def draw_kept(
    session: AsyncSession, auction_id: UUID, party_id: UUID, *, now: datetime
) -> None:
    """Capture the card of a bidder that won: none holds until the contract is signed and paid."""
    if await booking.find_locked(session, auction_id, party_id) is None:
        return
    hold = await queries.find_live(session, auction_id, party_id)
    if hold is not None and hold.state == rules.HELD:
        await draw(session, hold, movement=None, now=now)


async def let_go(session: AsyncSession, deposit: Deposit, *, now: datetime) -> None:
    """Let go of the card of a deposit that is not needed, or is covered otherwise."""
    hold = await queries.find_live(session, deposit.auction_id, deposit.party_id)
    if hold is None or hold.state == rules.DRAWING:
        return
    was_pledged = hold.state in rules.PLEDGED
    await service.release(session, hold, now=now)
    if was_pledged:
        await booking.unpledge(session, deposit)


def needed_until(deposit: Deposit) -> datetime | None:
    """Return until when a card has to hold: the auction's latest end, and the rules' margin."""
    if deposit.ends_by is None:
        return None
    return deposit.ends_by + timedelta(hours=deposit.card_margin_h)


async def watch_due(session: AsyncSession, *, now: datetime) -> int:
    """Note cards that hold no longer, and capture those of winners in time; return how many.

    A card whose bidder is still kept is captured as early before its end as the margin says: there
    may be a shortlist, and no award yet.
    """
    wanted = (
        select(col(CardHold.id))
        .join(
            Deposit,
            (col(Deposit.auction_id) == col(CardHold.auction_id))
            & (col(Deposit.party_id) == col(CardHold.party_id)),
        )
        .where(
            col(CardHold.state) == rules.HELD,
            col(CardHold.capture_before)
            - func.make_interval(0, 0, 0, 0, col(Deposit.card_margin_h))
            <= now,
        )
        .order_by(col(CardHold.capture_before), col(CardHold.id))
        .limit(MOST_AT_ONCE)
    )
    done = 0
    for hold_id in (await session.scalars(wanted)).all():
        hold, deposit = await _both(session, hold_id)
        if hold.state != rules.HELD or hold.capture_before is None:
            continue
        if hold.capture_before <= now:
            await _gone(session, deposit, hold, now=now)
        elif deposit.free_at is None:
            await draw(session, hold, movement=None, now=now)
        else:
            continue
        done += 1
    return done


async def _held(
    session: AsyncSession, deposit: Deposit, hold: CardHold, seen: SeenHold, *, now: datetime
) -> None:
    """The card holds: it counts if it holds long enough and is still wanted, or is let go."""
    if hold.state in (rules.FAILED, rules.EXPIRED):
        await service.release(session, hold, now=now)
        return
    if hold.state not in (rules.REQUESTED, rules.READY):
        return
    try:
        rules.check_lasts(hold.needed_until, held_until=seen.capture_before)
    except CardHoldTooShort:
        await service.release(session, hold, fault=rules.TOO_SHORT, now=now)
        return
    if deposit.free_at is not None or deposit.balance().is_covered or seen.held != hold.amount:
        await service.release(session, hold, now=now)
        return
    hold.state, hold.held_at, hold.capture_before = rules.HELD, now, seen.capture_before
    hold.next_check_at = rules.next_check(0, now)
    await session.flush()
    await booking.pledge(session, deposit, until=hold.capture_before, now=now)


async def _drawn(
    session: AsyncSession, deposit: Deposit, hold: CardHold, seen: SeenHold, *, now: datetime
) -> None:
    """The card paid: what came in is the bidder's deposit, in money."""
    if hold.state != rules.DRAWN:
        was_pledged = hold.state in rules.PLEDGED
        hold.state, hold.captured_minor = rules.DRAWN, seen.received.amount_minor
        hold.held_at, hold.next_check_at = hold.held_at or now, None
        balance = deposits.paid_in(deposit.balance(), seen.received.amount_minor)
        await booking.stand(session, deposit, balance)
        if was_pledged:
            await booking.unpledge(session, deposit)
        if deposit.frozen_at is None and deposit.balance().is_covered:
            deposit.frozen_at = now
        await booking.book(
            session,
            key=f"{seen.provider_id}:received",
            kind="deposit.received",
            actor=ACTOR,
            lines=deposits.captured_lines(deposit.terms(), seen.received),
            now=now,
        )
        await pledging.end_movement(session, hold.movement_id, deposits.DONE)
    if seen.fee is not None and seen.fee != Money(0, seen.fee.currency):
        await booking.book(
            session,
            key=f"{seen.provider_id}:fee",
            kind="payment.fee",
            actor=ACTOR,
            lines=deposits.fee_lines(seen.fee),
            now=now,
        )


async def _gone(session: AsyncSession, deposit: Deposit, hold: CardHold, *, now: datetime) -> None:
    """The card holds no longer: canceled by us, by the provider, or its time is over."""
    if hold.state in (rules.DRAWN, rules.RELEASED, rules.EXPIRED, rules.FAILED):
        return
    if hold.state == rules.RELEASING:
        hold.state = rules.RELEASED
        return
    was_pledged, was_drawing = hold.state in rules.PLEDGED, hold.state == rules.DRAWING
    if not was_pledged:
        await service.fail(session, hold, fault=rules.REFUSED, now=now)
        return
    hold.state, hold.ended_at, hold.next_check_at = rules.EXPIRED, now, None
    await session.flush()
    await booking.unpledge(session, deposit)
    if was_drawing:
        await pledging.end_movement(session, hold.movement_id, deposits.FAILED)


async def _both(session: AsyncSession, hold_id: UUID) -> tuple[CardHold, Deposit]:
    """Return a card and its deposit, both locked: the deposit first, as everywhere."""
    seen = await session.get_one(CardHold, hold_id)
    deposit = await booking.locked(session, seen.auction_id, seen.party_id)
    return await service.find_locked(session, hold_id) or seen, deposit
