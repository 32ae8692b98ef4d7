"""Movements of deposits: returned, forfeited, distributed, drawn; two people decide each."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import canonical, ids, locking
from contracts.facts import service as facts
from contracts.money import Money
from contracts.refusal import IdReused
from settlement.approvals import service as approvals
from settlement.approvals.rules import Decision, Subject
from settlement.cardholds import queries as cards
from settlement.deposits import booking, carding, letters, pledging, queries, rules
from settlement.deposits.rules import Move, ReceiptKnown
from settlement.deposits.tables import Deposit, DepositMovement
from settlement.guarantees import queries as guarantees
from settlement.ledger.rules import Line
from settlement.outbound import rules as outbound_rules
from settlement.outbound import service as outbound
from settlement.outbound.tables import Outbound

OBJECT = "deposit-movement"
RETURN_KEY = "deposit-return:{}"


async def prepare(
    session: AsyncSession,
    movement_id: UUID,
    auction_id: UUID,
    party_id: UUID,
    *,
    move: Move,
    person_id: UUID,
    now: datetime,
) -> tuple[DepositMovement, bool]:
    """Prepare a return, forfeiture, distribution or drawing (经办); return it, and if it is new.

    Raises:
        Unknown: there is no such deposit.
        IdReused: the id names another movement.
        DepositMovePending: another waits for its decision.
        DepositNotFree, TriggerNotNamed, DepositTooSmall: see `rules.check_move`.
    """
    deposit = await booking.locked(session, auction_id, party_id)
    raw = rules.content(movement_id, deposit.terms(), move)
    known = await session.get(DepositMovement, movement_id)
    if known is not None:
        if known.content != raw:
            raise IdReused("This id names another movement.")
        return known, False
    other = await queries.find_waiting(session, auction_id, party_id)
    if other is not None:
        raise rules.DepositMovePending("One movement waits already.", movement=str(other.id))
    await _check(session, deposit, move)
    movement = DepositMovement(
        id=movement_id,
        auction_id=auction_id,
        party_id=party_id,
        kind=move.kind,
        amount_minor=move.amount_minor,
        reason=move.reason,
        fees_minor=move.fees_minor,
        shortfall_minor=move.shortfall_minor,
        state=rules.PREPARED,
        content=raw,
        content_sha256=canonical.sha256_hex(raw),
        prepared_by=person_id,
        prepared_at=now,
    )
    session.add(movement)
    await session.flush()
    return movement, True


async def approve(
    session: AsyncSession, movement_id: UUID, *, decision: Decision, now: datetime
) -> DepositMovement:
    """Approve a movement (复核) and book it; a return waits for the bank, a drawing for its money.

    What a card paid goes back to the card, by an instruction to the provider.

    The same approval again gets the same answer.

    Raises:
        Unknown: there is no such movement.
        DepositMoveDecided, DepositOtherPerson, DepositMoveChanged: see `rules.check_decision`.
        DepositNotFree, TriggerNotNamed, DepositTooSmall: it would not be prepared now.
        ProofSpent: the proof has served for another decision.
    """
    movement, deposit = await both(session, movement_id)
    again = decision.repeats(movement.decided_by, movement.content_sha256)
    if again and movement.state != rules.PREPARED:
        return movement
    _check_decision(movement, decision)
    await _check(session, deposit, movement.move())
    await approvals.approve_and_use(session, _subject(movement), decision=decision, now=now)
    movement.decided_by, movement.decided_at = decision.person_id, now
    waits = movement.kind in (rules.RETURN, rules.DRAW)
    movement.state = rules.APPROVED if waits else rules.DONE
    if movement.kind == rules.DRAW:
        await _draw(session, deposit, movement, now=now)
        return movement
    kind, lines = await _carry_out(session, deposit, movement)
    await session.flush()
    await booking.book(
        session,
        key=f"deposit:movement:{movement.id}",
        kind=kind,
        actor=str(decision.person_id),
        lines=lines,
        now=now,
    )
    if movement.kind == rules.RETURN:
        await _return_to_card(session, deposit, movement, now=now)
    await _tell_moved(session, deposit, movement, now=now)
    return movement


async def refuse(
    session: AsyncSession, movement_id: UUID, *, decision: Decision, reason: str, now: datetime
) -> DepositMovement:
    """Refuse a movement with a reason; another can be prepared.

    Raises:
        Unknown: there is no such movement.
        DepositMoveDecided, DepositOtherPerson, DepositMoveChanged: see `rules.check_decision`.
    """
    movement, _ = await both(session, movement_id)
    again = decision.repeats(movement.decided_by, movement.content_sha256)
    if again and movement.refused_reason == reason:
        return movement
    _check_decision(movement, decision)
    by = decision.person_id
    await approvals.refuse(session, _subject(movement), checker_id=by, reason=reason, now=now)
    movement.state, movement.refused_reason = rules.REFUSED, reason
    movement.decided_by, movement.decided_at = by, now
    await session.flush()
    return movement


async def record_return(
    session: AsyncSession, movement_id: UUID, *, reference: str, person_id: UUID, now: datetime
) -> DepositMovement:
    """Record that the bank's statement shows an approved return (退还到账), once.

    Raises:
        Unknown: there is no such movement.
        DepositMoveDecided: it is no approved return, or another reference was recorded.
        ReceiptKnown: the reference stands for another return.
    """
    movement, deposit = await both(session, movement_id)
    if movement.state == rules.DONE and movement.reference == reference:
        return movement
    if (movement.kind, movement.state) != (rules.RETURN, rules.APPROVED):
        raise rules.DepositMoveDecided("No approved return waits here.", state=movement.state)
    if await _goes_to_card(session, movement_id):
        raise rules.DepositMoveDecided("The provider returns it to the card.", state=movement.state)
    came = await queries.receipts(session, movement.auction_id, movement.party_id)
    if any(one.bank_account_id is not None for one in came):
        raise rules.DepositMoveDecided("A payment file returns it.", state=movement.state)
    taken = select(DepositMovement.id).where(col(DepositMovement.reference) == reference)
    if await session.scalar(taken) is not None:
        raise ReceiptKnown("This reference stands for another return.")
    movement.state, movement.reference = rules.DONE, reference
    await session.flush()
    amount = Money(movement.amount_minor, deposit.currency)
    await booking.book(
        session,
        key=f"deposit:movement:{movement.id}:returned",
        kind="deposit.returned",
        actor=str(person_id),
        lines=rules.returned_lines(deposit.terms(), amount),
        now=now,
    )
    return movement


async def refunded(
    session: AsyncSession, movement_id: UUID, *, provider_id: str, now: datetime
) -> None:
    """Note that the provider gave a return back to the card that paid; once."""
    movement, deposit = await both(session, movement_id)
    if movement.state == rules.DONE:
        return
    movement.state, movement.reference = rules.DONE, provider_id
    await session.flush()
    amount = Money(movement.amount_minor, deposit.currency)
    await booking.book(
        session,
        key=f"{provider_id}:returned",
        kind="deposit.returned",
        actor=str(movement.decided_by),
        lines=rules.refunded_lines(deposit.terms(), amount),
        now=now,
    )


async def _draw(
    session: AsyncSession, deposit: Deposit, movement: DepositMovement, *, now: datetime
) -> None:
    """Capture the card, or note the demand under the letter, that stands for a deposit."""
    whose = (deposit.auction_id, deposit.party_id)
    hold = await cards.find_live(session, *whose)
    letter = await guarantees.find_live(session, *whose)
    if hold is not None:
        await carding.draw(session, hold, movement=movement, now=now)
    elif letter is not None:
        await letters.demand(session, deposit, letter, movement)


async def _return_to_card(
    session: AsyncSession, deposit: Deposit, movement: DepositMovement, *, now: datetime
) -> None:
    """Instruct the provider to give a return back to the card, where a card paid so much."""
    hold = await cards.find_drawn(
        session, deposit.auction_id, deposit.party_id, least_minor=movement.amount_minor
    )
    if hold is None:
        return
    intent_id = ids.new(now)
    names = {"deposit_movement": str(movement.id), "intent_id": str(intent_id)}
    await outbound.intend(
        session,
        intent_id,
        op=outbound_rules.CREATE_REFUND,
        object_key=RETURN_KEY.format(movement.id),
        object_id=movement.id,
        params=outbound_rules.refund_params(
            payment_intent=str(hold.provider_id), amount_minor=movement.amount_minor, names=names
        ),
        now=now,
    )
    hold.returned_minor += movement.amount_minor
    await session.flush()


async def _goes_to_card(session: AsyncSession, movement_id: UUID) -> bool:
    wanted = select(Outbound.id).where(col(Outbound.object_key) == RETURN_KEY.format(movement_id))
    return await session.scalar(wanted) is not None


async def _carry_out(
    session: AsyncSession, deposit: Deposit, movement: DepositMovement
) -> tuple[str, list[Line]]:
    """Change what the deposit holds; return the journal's kind and lines."""
    terms, amount = deposit.terms(), Money(movement.amount_minor, deposit.currency)
    if movement.kind == rules.DISTRIBUTE:
        parts = _parts(movement)
        movement.claim_minor = parts.claim_minor if rules.CLAIM_BEYOND in deposit.forfeits else 0
        return "deposit.distributed", rules.distributed_lines(terms, parts)
    way = rules.RELEASED if movement.kind == rules.RETURN else rules.FORFEITED
    await booking.stand(
        session, deposit, rules.taken(deposit.balance(), way, movement.amount_minor)
    )
    if movement.kind == rules.RETURN:
        return "deposit.released", rules.return_lines(terms, amount)
    return "deposit.forfeited", rules.forfeited_lines(terms, amount)


def _parts(movement: DepositMovement) -> rules.Waterfall:
    return rules.waterfall(
        movement.amount_minor,
        fees_minor=movement.fees_minor,
        shortfall_minor=movement.shortfall_minor,
    )


async def _check(session: AsyncSession, deposit: Deposit, move: Move) -> None:
    reasons = list(deposit.forfeits)
    if move.kind == rules.DRAW and deposit.free_at is None:
        whose = (deposit.auction_id, deposit.party_id)
        hold = await cards.find_live(session, *whose)
        reasons += [rules.KEPT] if hold is not None else []
    balance = deposit.balance()
    if move.kind == rules.DRAW and await pledging.is_drawn_on(session, deposit):
        balance = replace(balance, pledged_minor=0)  # what is drawn on once is not there again
    rules.check_move(
        move,
        balance,
        is_free=deposit.free_at is not None,
        forfeits=reasons,
        pool_minor=await queries.pool_minor(session, deposit.auction_id, deposit.party_id),
    )


def _check_decision(movement: DepositMovement, decision: Decision) -> None:
    rules.check_decision(
        state=movement.state,
        prepared_by=movement.prepared_by,
        decided_by=decision.person_id,
        same=decision.content_sha256 == movement.content_sha256,
    )


def _subject(movement: DepositMovement) -> Subject:
    return Subject(OBJECT, movement.id, movement.content_sha256, movement.prepared_by)


async def _tell_moved(
    session: AsyncSession, deposit: Deposit, movement: DepositMovement, *, now: datetime
) -> None:
    if movement.kind == rules.RETURN:
        if deposit.free_at is not None:  # an excess that goes back earlier would count bidders
            await booking.tell(session, deposit, "deposit.released", movement.amount_minor, now=now)
        return
    if movement.kind == rules.FORFEIT:
        said = {"reason": movement.reason}
        await facts.record(
            session,
            "deposit.forfeited",
            movement.id,
            {**booking.said(deposit, movement.amount_minor), **said},
            parties=[deposit.party_id, deposit.seller_id],
            now=now,
        )
        return
    parts = _parts(movement)
    await facts.record(
        session,
        "deposit.distributed",
        movement.id,
        {
            **booking.said(deposit, movement.amount_minor),
            "fees_minor": parts.fees_minor,
            "shortfall_minor": parts.shortfall_minor,
            "seller_minor": parts.seller_minor,
            "claim_minor": movement.claim_minor,
        },
        parties=[deposit.party_id, deposit.seller_id],
        now=now,
    )


async def both(session: AsyncSession, movement_id: UUID) -> tuple[DepositMovement, Deposit]:
    """Return a movement and its deposit, both locked: the deposit first, as everywhere."""
    seen = await queries.get_movement(session, movement_id)
    deposit = await booking.locked(session, seen.auction_id, seen.party_id)
    here = col(DepositMovement.id) == movement_id
    return await locking.get_locked(session, DepositMovement, here), deposit
