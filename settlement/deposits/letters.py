"""Letters of guarantee as deposits: offered, accepted, demanded, paid; given back, or run out."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import calendar
from contracts.refusal import IdReused
from settlement.approvals.rules import Decision
from settlement.cardholds.rules import DepositSecured, check_mode
from settlement.deposits import booking, pledging
from settlement.deposits import rules as deposits
from settlement.deposits.tables import Deposit, DepositMovement
from settlement.guarantees import queries, rules, service
from settlement.guarantees.rules import Offer
from settlement.guarantees.tables import Guarantee

MOST_AT_ONCE = 20


async def offer(
    session: AsyncSession, given: Offer, *, person_id: UUID, now: datetime
) -> tuple[Guarantee, bool]:
    """Hand a letter in for a deposit; return it and whether it is new.

    Raises:
        Unknown: no deposit was asked for.
        IdReused: the id names another letter.
        DepositModeNotAccepted: the rules of the auction accept no letters.
        DepositSecured: the deposit is in, or something else is being looked at.
        NoPdf, GuaranteeTooSmall, GuaranteeTooShort, InvalidContent: see `guarantees.rules`.
    """
    deposit = await booking.locked(session, given.auction_id, given.party_id)
    known = await session.get(Guarantee, given.id)
    if known is not None:
        if known.offer() != given:
            raise IdReused("This id names another letter.")
        return known, False
    check_mode(rules.GUARANTEE, deposit.modes)
    await pledging.check_room(session, deposit)
    rules.check_scan(given.scan)
    ends_on = None if deposit.ends_by is None else calendar.day_of(deposit.ends_by)
    rules.check(
        given.letter,
        required=deposit.terms().required,
        needed_until=rules.needed_until(ends_on, deposit.guarantee_days),
    )
    return await service.keep(session, given, person_id=person_id, now=now), True


async def accept(
    session: AsyncSession, guarantee_id: UUID, *, decision: Decision, now: datetime
) -> Guarantee:
    """Accept a letter: it counts as the deposit until the end of its last day.

    The same acceptance again gets the same answer.

    Raises:
        Unknown: there is no such letter.
        DepositSecured: its auction needs no deposit from this bidder any more.
        GuaranteeDecided, GuaranteeOtherPerson, GuaranteeChanged, ProofSpent: see `service.decide`.
    """
    row, deposit = await _both(session, guarantee_id)
    if row.state == rules.ACCEPTED and decision.repeats(row.decided_by, row.content_sha256):
        return row
    if row.state == rules.OFFERED and (deposit.free_at is not None or deposit.balance().is_covered):
        raise DepositSecured("No deposit is needed any more.")
    await service.decide(session, row, decision=decision, reason=None, now=now)
    until = calendar.end_of(row.valid_until)
    await booking.pledge(session, deposit, until=until, now=now)
    return row


async def refuse(
    session: AsyncSession, guarantee_id: UUID, *, decision: Decision, reason: str, now: datetime
) -> Guarantee:
    """Refuse a letter with a reason; the bidder may hand in another.

    Raises:
        Unknown: there is no such letter.
        GuaranteeDecided, GuaranteeOtherPerson, GuaranteeChanged: see `service.decide`.
    """
    row, _ = await _both(session, guarantee_id)
    if row.refused_reason == reason and decision.repeats(row.decided_by, row.content_sha256):
        return row
    await service.decide(session, row, decision=decision, reason=reason, now=now)
    return row


async def release(
    session: AsyncSession, guarantee_id: UUID, *, person_id: UUID, now: datetime
) -> Guarantee:
    """Give a letter back (退还保函) that nobody needs any more; once.

    Raises:
        Unknown: there is no such letter.
        GuaranteeDecided: it was demanded, or has ended.
        DepositNotFree: its auction is open, or its bidder won and has not paid.
    """
    row, deposit = await _both(session, guarantee_id)
    if row.state == rules.RELEASED:
        return row
    rules.check_state(row.state, rules.OFFERED, rules.ACCEPTED)
    if deposit.free_at is None:
        raise deposits.DepositNotFree("The letter is still needed.", excess_minor=0)
    was_pledged = row.state in rules.PLEDGED
    await service.end(session, row, rules.RELEASED, person_id=person_id, now=now)
    if was_pledged:
        await booking.unpledge(session, deposit)
        await booking.tell(session, deposit, "deposit.released", deposit.required_minor, now=now)
    return row


async def demand(
    session: AsyncSession, deposit: Deposit, row: Guarantee, movement: DepositMovement
) -> None:
    """Note the demand (索付) under a letter that two people decided; the bank is told by staff."""
    rules.check_state(row.state, rules.ACCEPTED)
    row.state, row.movement_id = rules.DEMANDED, movement.id
    row.demanded_minor = movement.amount_minor
    deposit.pledged_until = None  # a demand that was made in time outlives the letter's last day
    await session.flush()


async def note_paid(session: AsyncSession, deposit: Deposit, *, now: datetime) -> None:
    """Note that the bank has paid a demand, once what it credited is all of it."""
    row = await queries.find_live(session, deposit.auction_id, deposit.party_id)
    if row is None or (row.state, row.beneficiary) != (rules.DEMANDED, rules.EXCHANGE):
        return
    if deposit.held_minor >= row.demanded_minor:
        await _paid(session, deposit, row, person_id=None, now=now)


async def record_payment(
    session: AsyncSession, guarantee_id: UUID, *, reference: str, person_id: UUID, now: datetime
) -> Guarantee:
    """Record that the bank paid a demand to the seller, whom the letter names; nothing is booked.

    Raises:
        Unknown: there is no such letter.
        GuaranteeDecided: nothing was demanded for the seller, or it was paid before.
    """
    row, deposit = await _both(session, guarantee_id)
    if row.state == rules.PAID and row.paid_reference == reference:
        return row
    rules.check_state(row.state, rules.DEMANDED)
    if row.beneficiary != rules.SELLER:
        raise rules.GuaranteeDecided(
            "The exchange is paid: record the bank's credit as a receipt.", state=row.state
        )
    row.paid_reference = reference
    await _paid(session, deposit, row, person_id=person_id, now=now)
    deposit.state = deposits.FORFEITED
    await session.flush()
    return row


async def expire_due(session: AsyncSession, *, now: datetime) -> int:
    """End letters whose last day is over; return how many."""
    today = calendar.day_of(now)
    wanted = (
        select(col(Guarantee.id))
        .where(
            col(Guarantee.state).in_((rules.OFFERED, rules.ACCEPTED)),
            col(Guarantee.valid_until) <= today - timedelta(days=1),
        )
        .order_by(col(Guarantee.valid_until))
        .limit(MOST_AT_ONCE)
    )
    ended = 0
    for guarantee_id in (await session.scalars(wanted)).all():
        row, deposit = await _both(session, guarantee_id)
        if row.state not in (rules.OFFERED, rules.ACCEPTED):
            continue
        was_pledged = row.state in rules.PLEDGED
        await service.end(session, row, rules.EXPIRED, person_id=None, now=now)
        if was_pledged:
            await booking.unpledge(session, deposit)
        ended += 1
    return ended


async def _paid(
    session: AsyncSession,
    deposit: Deposit,
    row: Guarantee,
    *,
    person_id: UUID | None,
    now: datetime,
) -> None:
    await service.end(session, row, rules.PAID, person_id=person_id, now=now)
    await booking.unpledge(session, deposit)
    await pledging.end_movement(session, row.movement_id, deposits.DONE)


async def _both(session: AsyncSession, guarantee_id: UUID) -> tuple[Guarantee, Deposit]:
    """Return a letter and its deposit, both locked: the deposit first, as everywhere."""
    seen = await queries.get_guarantee(session, guarantee_id)
    deposit = await booking.locked(session, seen.auction_id, seen.party_id)
    return await service.locked(session, guarantee_id), deposit
