"""Refunds of card payments: prepared by one person, decided by another, followed until made."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import MOST_MINOR, Money
from contracts.refusal import IdReused, InvalidContent, Malformed, NotAllowed, Unknown
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.decisions import (
    DECIDED,
    PROVING,
    ApprovalIn,
    Reason,
    RefusalIn,
    approving,
    refusing,
)
from exchange.api.deps import Now, Session, Shape, Signed, next_after, page_after
from exchange.api.recoveries import RecoveryOut, given_back
from exchange.identity.rules import STAFF, CsrfToken, Role, ScopeMissing, SignInNeeded
from settlement.recoveries import rules as taking
from settlement.recoveries.rules import Cause, PayoutUnderWay
from settlement.refunds import queries, service
from settlement.refunds.rules import (
    Ask,
    PaymentDisputed,
    PaymentNotRefundable,
    RefundOpen,
    RefundTooLarge,
)
from settlement.refunds.tables import Refund

router = APIRouter(route_class=JsonRoute, tags=["refunds"])

_SIGNED = (SignInNeeded, CsrfToken, ScopeMissing, NotAllowed, InvalidContent)
_ID = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"
_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_REASON = "授权撤回 (rights withdrawn)"


class RefundIn(Shape):
    """Which payment is refunded, how much of it, and why."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"payment_id": _ID, "amount_minor": 500, "currency": "CNY", "reason": _REASON}
            ]
        }
    )

    payment_id: UUID
    amount_minor: Annotated[int, Field(gt=0, le=MOST_MINOR)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    reason: Reason


class RefundOut(Shape):
    """A refund: `content_sha256` is over everything it will do."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    "payment_id": _ID,
                    "deal_id": _ID,
                    "amount_minor": 500,
                    "currency": "CNY",
                    "reason": _REASON,
                    "state": "prepared",
                    "content_sha256": _HASH,
                    "prepared_by": _ID,
                    "prepared_at": "2026-11-22T09:00:00Z",
                    "decided_by": None,
                    "decided_at": None,
                    "refused_reason": None,
                    "provider_id": None,
                    "given_back": [],
                }
            ]
        }
    )

    id: UUID
    payment_id: UUID
    deal_id: UUID
    amount_minor: int
    currency: str
    reason: str
    state: Literal["prepared", "approved", "refused", "made", "failed"]
    content_sha256: str
    prepared_by: UUID
    prepared_at: AwareDatetime
    decided_by: UUID | None
    decided_at: AwareDatetime | None
    refused_reason: str | None
    provider_id: str | None
    given_back: Sequence[RecoveryOut]


class RefundPage(Shape):
    """A page of refunds."""

    items: Sequence[RefundOut]
    next: UUID | None


@router.put(
    "/refunds/{refund_id}",
    status_code=201,
    responses={
        200: {"model": RefundOut, "description": "It was prepared before."},
        **problems.responses(
            *_SIGNED,
            Malformed,
            Unknown,
            IdReused,
            PaymentNotRefundable,
            PaymentDisputed,
            RefundOpen,
            RefundTooLarge,
            PayoutUnderWay,
        ),
    },
)
async def prepare_refund(
    refund_id: UUID,
    body: RefundIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> RefundOut:
    """Prepare a refund of a card payment (经办); another person decides it."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    ask = Ask(body.payment_id, Money(body.amount_minor, body.currency), body.reason.strip())
    refund, new = await service.prepare(
        session, refund_id, ask=ask, person_id=caller.person_id, now=now
    )
    if not new:
        response.status_code = 200
    return await _out(session, refund)


@router.post(
    "/refunds/{refund_id}/approval",
    responses=problems.responses(*DECIDED, *PROVING, PaymentDisputed, PayoutUnderWay),
)
async def approve_refund(
    refund_id: UUID, body: ApprovalIn, session: Session, caller: Signed, now: Now
) -> RefundOut:
    """Approve a refund that another person prepared (复核); it is sent at once."""
    decision = await approving(session, caller, body, now=now)
    return await _out(
        session, await service.approve(session, refund_id, decision=decision, now=now)
    )


@router.post("/refunds/{refund_id}/refusal", responses=problems.responses(*DECIDED))
async def refuse_refund(
    refund_id: UUID, body: RefusalIn, session: Session, caller: Signed, now: Now
) -> RefundOut:
    """Refuse a refund that another person prepared, with a reason."""
    decision, reason = refusing(caller, body), body.reason.strip()
    refund = await service.refuse(session, refund_id, decision=decision, reason=reason, now=now)
    return await _out(session, refund)


@router.get("/refunds", responses=problems.responses(*_SIGNED))
async def list_refunds(
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> RefundPage:
    """List every refund, for staff."""
    caller.need("read", *STAFF)
    rows = await queries.page(session, after=page_after(after), limit=limit)
    items = [await _out(session, row) for row in rows]
    return RefundPage(items=items, next=next_after(rows, limit))


@router.get("/refunds/{refund_id}", responses=problems.responses(*_SIGNED, Unknown))
async def get_refund(refund_id: UUID, session: Session, caller: Signed) -> RefundOut:
    """Return a refund with what each payee gives back, for staff."""
    caller.need("read", *STAFF)
    return await _out(session, await queries.get_refund(session, refund_id))


async def _out(session: AsyncSession, refund: Refund) -> RefundOut:
    back = await given_back(session, Cause(taking.REFUND, refund.id))
    shown = refund.model_dump(exclude={"content", "payer_id", "intent_id", "made_at"})
    return RefundOut.model_validate({**shown, "given_back": back})
