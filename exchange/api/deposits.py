"""Deposits (保证金): one's own; what the bank credited; movements that two people decide."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import Money, WrongCurrency
from contracts.refusal import IdReused, InvalidContent, Malformed, Unknown
from exchange.api import pledge_shapes, problems
from exchange.api.collecting import WireOut, wire_of
from exchange.api.decisions import (
    DECIDING,
    PROVING,
    ApprovalIn,
    RefusalIn,
    approving,
    refusing,
)
from exchange.api.deposit_shapes import (
    DepositFileOut,
    DepositOut,
    DepositsOut,
    MovementIn,
    MovementOut,
    ReceiptIn,
    ReceiptOut,
    ReturnIn,
)
from exchange.api.deps import Now, Session, Signed
from exchange.api.once import OnceRoute
from exchange.identity.rules import STAFF, Role
from listings.admissions import applying
from settlement.collecting import rules as references
from settlement.deposits import moving, queries, rules
from settlement.deposits.rules import Move
from settlement.deposits.tables import Deposit, DepositMovement, DepositReceipt
from settlement.guarantees.rules import GuaranteeDecided

router = APIRouter(route_class=OnceRoute, tags=["deposits"])

MOST = 200
_SIGNED = (*problems.SIGNED, Unknown)
_MOVING = (
    rules.DepositNotFree, rules.TriggerNotNamed, rules.DepositTooSmall, GuaranteeDecided,
)  # fmt: skip
_DECIDING = (
    *DECIDING, rules.DepositMoveDecided, rules.DepositOtherPerson, rules.DepositMoveChanged,
)  # fmt: skip


@router.get("/deposits", responses=problems.responses(*_SIGNED))
async def list_deposits(session: Session, caller: Signed) -> DepositsOut:
    """List one's own deposits; staff see what is awaited or held, what is due back first."""
    caller.need("read")
    if caller.is_staff:
        rows = await queries.held(session, limit=MOST)
    else:
        rows = await queries.of_party(session, caller.party_id, limit=MOST)
    return DepositsOut(items=[deposit_out(row) for row in rows])


@router.get("/auctions/{auction_id}/deposit", responses=problems.responses(*_SIGNED))
async def get_deposit(auction_id: UUID, session: Session, caller: Signed, now: Now) -> DepositOut:
    """Read one's own deposit in an auction, and how to wire what is missing of it."""
    caller.need("read")
    row = await queries.get_deposit(session, auction_id, caller.party_id)
    return deposit_out(row, wire=await wire_for(session, row, now=now))


@router.get("/auctions/{auction_id}/deposits/{party_id}", responses=problems.responses(*_SIGNED))
async def get_deposit_file(
    auction_id: UUID, party_id: UUID, session: Session, caller: Signed
) -> DepositFileOut:
    """Read a deposit with its receipts and movements, for staff."""
    caller.need("read", *STAFF)
    return await _file(session, await queries.get_deposit(session, auction_id, party_id))


@router.put(
    "/auctions/{auction_id}/deposits/{party_id}/receipts/{receipt_id}",
    responses=problems.responses(
        *_SIGNED, Malformed, IdReused, rules.ReceiptKnown, rules.DepositElsewhere, WrongCurrency
    ),
)
async def record_deposit(
    *,
    auction_id: UUID,
    party_id: UUID,
    receipt_id: UUID,
    body: ReceiptIn,
    session: Session,
    caller: Signed,
    now: Now,
) -> DepositOut:
    """Record what the bank credited (到账); enough of it, in time, admits an accepted bidder."""
    caller.need("money", Role.OPERATOR)
    if body.credited_at > now:
        raise InvalidContent("The bank has not credited this yet.", field="credited_at")
    receipt = DepositReceipt(
        id=receipt_id,
        auction_id=auction_id,
        party_id=party_id,
        amount_minor=body.amount_minor,
        reference=body.reference.strip(),
        credited_at=body.credited_at,
        recorded_by=caller.person_id,
        recorded_at=now,
    )
    deposit = await applying.receive_deposit(session, receipt, currency=body.currency, now=now)
    return deposit_out(deposit)


@router.put(
    "/auctions/{auction_id}/deposits/{party_id}/movements/{movement_id}",
    responses=problems.responses(*_SIGNED, *_MOVING, Malformed, IdReused, rules.DepositMovePending),
)
async def prepare_deposit_movement(
    *,
    auction_id: UUID,
    party_id: UUID,
    movement_id: UUID,
    body: MovementIn,
    session: Session,
    caller: Signed,
    now: Now,
) -> MovementOut:
    """Prepare a return, forfeiture, distribution or drawing (经办); another person decides it."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    move = Move(
        kind=body.kind,
        amount_minor=body.amount_minor,
        reason=body.reason.strip(),
        fees_minor=body.fees_minor,
        shortfall_minor=body.shortfall_minor,
    )
    movement, _ = await moving.prepare(
        session, movement_id, auction_id, party_id,
        move=move, person_id=caller.person_id, now=now,
    )  # fmt: skip
    return movement_out(movement)


@router.post(
    "/deposit-movements/{movement_id}/approval",
    responses=problems.responses(*_DECIDING, *PROVING, *_MOVING),
)
async def approve_deposit_movement(
    movement_id: UUID, body: ApprovalIn, session: Session, caller: Signed, now: Now
) -> MovementOut:
    """Approve a movement that another person prepared (复核)."""
    decision = await approving(session, caller, body, now=now)
    return movement_out(await moving.approve(session, movement_id, decision=decision, now=now))


@router.post("/deposit-movements/{movement_id}/refusal", responses=problems.responses(*_DECIDING))
async def refuse_deposit_movement(
    movement_id: UUID, body: RefusalIn, session: Session, caller: Signed, now: Now
) -> MovementOut:
    """Refuse a movement that another person prepared, with a reason."""
    decision, reason = refusing(caller, body), body.reason.strip()
    return movement_out(
        await moving.refuse(session, movement_id, decision=decision, reason=reason, now=now)
    )


@router.post(
    "/deposit-movements/{movement_id}/return",
    responses=problems.responses(*_SIGNED, Malformed, rules.DepositMoveDecided, rules.ReceiptKnown),
)
async def record_deposit_return(
    movement_id: UUID, body: ReturnIn, session: Session, caller: Signed, now: Now
) -> MovementOut:
    """Record that the bank's statement shows an approved return (退还)."""
    caller.need("money", Role.OPERATOR)
    return movement_out(
        await moving.record_return(
            session,
            movement_id,
            reference=body.reference.strip(),
            person_id=caller.person_id,
            now=now,
        )
    )


async def wire_for(session: AsyncSession, row: Deposit, *, now: datetime) -> WireOut | None:
    """Return how to wire what is missing of a deposit; None once nothing is, or it goes back."""
    if row.state not in (rules.REQUIRED, rules.RECEIVED) or row.free_at is not None:
        return None
    return await wire_of(
        session,
        Money(row.required_minor - row.held_minor, row.currency),
        reference=references.of_deposit(row.auction_id, row.party_id),
        until=row.until,
        now=now,
    )


def deposit_out(row: Deposit, wire: WireOut | None = None) -> DepositOut:
    """Return a deposit as it is told; its bidder also reads how to wire it."""
    return DepositOut(**row.model_dump(include=set(DepositOut.model_fields)), wire=wire)


def movement_out(row: DepositMovement) -> MovementOut:
    """Return a movement as the wire carries it."""
    return MovementOut(**row.model_dump(include=set(MovementOut.model_fields)))


async def _file(session: AsyncSession, row: Deposit) -> DepositFileOut:
    receipts = await queries.receipts(session, row.auction_id, row.party_id)
    movements = await queries.movements(session, row.auction_id, row.party_id)
    cards, guarantees = await pledge_shapes.given(session, row.auction_id, row.party_id)
    return DepositFileOut(
        deposit=deposit_out(row),
        receipts=[
            ReceiptOut(**one.model_dump(include=set(ReceiptOut.model_fields))) for one in receipts
        ],
        movements=[movement_out(one) for one in movements],
        cards=cards,
        guarantees=guarantees,
    )
