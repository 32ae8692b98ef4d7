"""Deposits (保证金): one's own; what the bank credited; movements that two people decide."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, ConfigDict, Field, JsonValue
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import MOST_MINOR, WrongCurrency
from contracts.refusal import IdReused, InvalidContent, Malformed, NotAllowed, Unknown
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.decisions import (
    DECIDING,
    PROVING,
    ApprovalIn,
    Reason,
    RefusalIn,
    approving,
    refusing,
)
from exchange.api.deps import Now, Session, Shape, Signed
from exchange.identity.rules import STAFF, CsrfToken, Role, ScopeMissing, SignInNeeded
from listings.admissions import applying
from settlement.deposits import moving, queries, rules
from settlement.deposits.rules import Move
from settlement.deposits.tables import Deposit, DepositMovement, DepositReceipt

router = APIRouter(route_class=JsonRoute, tags=["deposits"])

MOST = 200
_SIGNED = (SignInNeeded, CsrfToken, ScopeMissing, NotAllowed, InvalidContent, Unknown)
_MOVING = (rules.DepositNotFree, rules.TriggerNotNamed, rules.DepositTooSmall)
_DECIDING = (
    *DECIDING, rules.DepositMoveDecided, rules.DepositOtherPerson, rules.DepositMoveChanged,
)  # fmt: skip
_ID = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"
_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
Amount = Annotated[int, Field(strict=True, ge=1, le=MOST_MINOR)]
AtLeastNothing = Annotated[int, Field(strict=True, ge=0, le=MOST_MINOR)]
Reference = Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S")]
_DEPOSIT: dict[str, JsonValue] = {
    "auction_id": _ID,
    "party_id": _ID,
    "currency": "CNY",
    "state": "frozen",
    "required_minor": 10_000_000,
    "paid_in_minor": 10_000_000,
    "held_minor": 10_000_000,
    "released_minor": 0,
    "applied_minor": 0,
    "forfeited_minor": 0,
    "until": "2026-11-30T09:00:00Z",
    "frozen_at": "2026-11-22T09:00:00Z",
    "return_by": None,
    "forfeits": ["winner-refuses", "non-payment"],
}


class DepositOut(Shape):
    """A deposit: `held + released + applied + forfeited` is always `paid_in`."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DEPOSIT]})

    auction_id: UUID
    party_id: UUID
    currency: str
    state: Literal["required", "received", "frozen", "released", "applied", "forfeited", "partial"]
    required_minor: int
    paid_in_minor: int
    held_minor: int
    released_minor: int
    applied_minor: int
    forfeited_minor: int
    until: Annotated[AwareDatetime | None, Field(description="When it has to be in.")]
    frozen_at: Annotated[AwareDatetime | None, Field(description="By the bank's date.")]
    return_by: Annotated[date | None, Field(description="Once free: T+3 working days.")]
    forfeits: Annotated[Sequence[str], Field(description="What the notice names (没收情形).")]


class DepositsOut(Shape):
    """Deposits: one's own, the newest first; for staff all that are awaited or held."""

    items: Sequence[DepositOut]


class ReceiptIn(Shape):
    """A credit as the bank's statement shows it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "amount_minor": 10_000_000,
                    "currency": "CNY",
                    "reference": "ICBC-20261122-000001",
                    "credited_at": "2026-11-22T09:00:00Z",
                }
            ]
        }
    )

    amount_minor: Amount
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    reference: Reference
    credited_at: AwareDatetime


class ReceiptOut(Shape):
    """A recorded credit."""

    id: UUID
    amount_minor: int
    reference: str
    credited_at: AwareDatetime
    recorded_at: AwareDatetime


class MovementIn(Shape):
    """What is to be done: give back, forfeit for a named reason, or distribute what was."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kind": "return", "amount_minor": 10_000_000, "reason": "未成交"},
                {
                    "kind": "distribute",
                    "amount_minor": 10_000_000,
                    "reason": "再次竞价成交",
                    "fees_minor": 500_000,
                    "shortfall_minor": 4_000_000,
                },
            ]
        }
    )

    kind: Literal["return", "forfeit", "distribute"]
    amount_minor: Amount
    reason: Annotated[Reason, Field(description="Of a forfeiture: a code of `forfeits`.")]
    fees_minor: AtLeastNothing = 0
    shortfall_minor: AtLeastNothing = 0


class MovementOut(Shape):
    """A movement; `content_sha256` is over everything that it will do."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    "auction_id": _ID,
                    "party_id": _ID,
                    "kind": "return",
                    "amount_minor": 10_000_000,
                    "reason": "未成交",
                    "fees_minor": 0,
                    "shortfall_minor": 0,
                    "claim_minor": 0,
                    "state": "prepared",
                    "content_sha256": _HASH,
                    "prepared_by": _ID,
                    "prepared_at": "2026-11-22T09:00:00Z",
                    "decided_by": None,
                    "decided_at": None,
                    "refused_reason": None,
                    "reference": None,
                }
            ]
        }
    )

    id: UUID
    auction_id: UUID
    party_id: UUID
    kind: Literal["return", "forfeit", "distribute"]
    amount_minor: int
    reason: str
    fees_minor: int
    shortfall_minor: int
    claim_minor: Annotated[int, Field(description="Owed beyond the deposit, where claimed.")]
    state: Literal["prepared", "approved", "refused", "done"]
    content_sha256: str
    prepared_by: UUID
    prepared_at: AwareDatetime
    decided_by: UUID | None
    decided_at: AwareDatetime | None
    refused_reason: str | None
    reference: Annotated[str | None, Field(description="The bank's, once it went back.")]


class DepositFileOut(Shape):
    """A deposit with its receipts and movements, for staff."""

    deposit: DepositOut
    receipts: Sequence[ReceiptOut]
    movements: Sequence[MovementOut]


class ReturnIn(Shape):
    """The bank's reference of the money that went back."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reference": "ICBC-20261125-000009"}]}
    )

    reference: Reference


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
async def get_deposit(auction_id: UUID, session: Session, caller: Signed) -> DepositOut:
    """Read one's own deposit in an auction."""
    caller.need("read")
    return deposit_out(await queries.get_deposit(session, auction_id, caller.party_id))


@router.get("/auctions/{auction_id}/deposits/{party_id}", responses=problems.responses(*_SIGNED))
async def get_deposit_file(
    auction_id: UUID, party_id: UUID, session: Session, caller: Signed
) -> DepositFileOut:
    """Read a deposit with its receipts and movements, for staff."""
    caller.need("read", *STAFF)
    return await _file(session, await queries.get_deposit(session, auction_id, party_id))


@router.put(
    "/auctions/{auction_id}/deposits/{party_id}/receipts/{receipt_id}",
    responses=problems.responses(*_SIGNED, Malformed, IdReused, rules.ReceiptKnown, WrongCurrency),
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
    """Prepare a return, forfeiture or distribution (经办); another person decides it."""
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


def deposit_out(row: Deposit) -> DepositOut:
    """Return a deposit as the wire carries it."""
    return DepositOut(**row.model_dump(include=set(DepositOut.model_fields)))


def movement_out(row: DepositMovement) -> MovementOut:
    """Return a movement as the wire carries it."""
    return MovementOut(**row.model_dump(include=set(MovementOut.model_fields)))


async def _file(session: AsyncSession, row: Deposit) -> DepositFileOut:
    receipts = await queries.receipts(session, row.auction_id, row.party_id)
    movements = await queries.movements(session, row.auction_id, row.party_id)
    return DepositFileOut(
        deposit=deposit_out(row),
        receipts=[
            ReceiptOut(**one.model_dump(include=set(ReceiptOut.model_fields))) for one in receipts
        ],
        movements=[movement_out(one) for one in movements],
    )
