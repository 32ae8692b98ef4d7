"""Refunds of payments: prepared by one person, decided by another, followed until made."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import MOST_MINOR, Money, WrongCurrency
from contracts.refusal import IdReused, Malformed, Unknown
from exchange.api import problems
from exchange.api.decisions import (
    DECIDED,
    PROVING,
    ApprovalIn,
    Reason,
    RefusalIn,
    approving,
    refusing,
)
from exchange.api.deps import Limit, Now, Session, Shape, Signed, next_after, page_after
from exchange.api.once import OnceRoute
from exchange.api.recoveries import RecoveryOut, given_back
from exchange.identity.rules import Caller, Role
from settlement.bank.rules import CustodyMoney
from settlement.recoveries import rules as taking
from settlement.recoveries.rules import Cause, PayoutUnderWay
from settlement.refunds import queries, resending, service
from settlement.refunds.rules import (
    PREPARED,
    REFUSED,
    Again,
    Ask,
    PaymentDisputed,
    PaymentNotRefundable,
    RefundAccountMissing,
    RefundNotFailed,
    RefundOpen,
    RefundSentAgain,
    RefundTooLarge,
)
from settlement.refunds.tables import Refund

router = APIRouter(route_class=OnceRoute, tags=["refunds"])

_ID = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"
_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
GoesTo = Literal["card", "payer-account", "verified-account"]
_REASON = "授权撤回 (rights withdrawn)"


class RefundIn(Shape):
    """Which payment is refunded, how much of it, why, and where it goes.

    A card payment goes back to its `card`. A bank transfer goes back to the `payer-account` that
    the statement showed, or to a `verified-account` of the payer's.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "payment_id": _ID,
                    "amount_minor": 500,
                    "currency": "CNY",
                    "reason": _REASON,
                    "goes_to": "card",
                }
            ]
        }
    )

    payment_id: UUID
    amount_minor: Annotated[int, Field(strict=True, gt=0, le=MOST_MINOR)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    reason: Reason
    goes_to: GoesTo = "card"


class ResendIn(Shape):
    """Why a failed refund is sent again, whole, and where it goes now.

    A card's refund goes to its `card` again, or to a `verified-account` of the payer's, out of the
    account of the exchange's own that `account_id` names. A transfer's goes to an account again.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "reason": "卡已注销，改为电汇 (the card is closed: by wire)",
                    "goes_to": "verified-account",
                    "account_id": _ID,
                }
            ]
        }
    )

    reason: Reason
    goes_to: GoesTo
    account_id: UUID | None = None


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
                    "goes_to": "card",
                    "account_id": None,
                    "to_account": None,
                    "to_holder": None,
                    "payment_file_id": None,
                    "state": "prepared",
                    "content_sha256": _HASH,
                    "prepared_by": _ID,
                    "prepared_at": "2026-11-22T09:00:00Z",
                    "decided_by": None,
                    "decided_at": None,
                    "refused_reason": None,
                    "provider_id": None,
                    "failed_at": None,
                    "resends": None,
                    "resent_as": None,
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
    goes_to: GoesTo
    account_id: Annotated[UUID | None, Field(description="Ours, that pays; told to staff.")]
    to_account: Annotated[str | None, Field(description="The payer's; told to staff.")]
    to_holder: str | None
    payment_file_id: Annotated[UUID | None, Field(description="For the bank, once approved.")]
    state: Literal["prepared", "approved", "refused", "made", "failed"]
    content_sha256: str
    prepared_by: Annotated[UUID | None, Field(description="Told to staff alone.")]
    prepared_at: AwareDatetime
    decided_by: UUID | None
    decided_at: AwareDatetime | None
    refused_reason: str | None
    provider_id: str | None
    failed_at: AwareDatetime | None
    resends: Annotated[
        UUID | None, Field(description="The refund that failed, which this sends again.")
    ]
    resent_as: Annotated[
        UUID | None, Field(description="What sends it again: waiting, on its way, or made.")
    ]
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
        **problems.signed(
            Malformed,
            Unknown,
            IdReused,
            PaymentNotRefundable,
            PaymentDisputed,
            RefundAccountMissing,
            RefundOpen,
            RefundTooLarge,
            PayoutUnderWay,
            WrongCurrency,
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
    """Prepare a refund of a payment (经办); another person decides it."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    amount = Money(body.amount_minor, body.currency)
    ask = Ask(body.payment_id, amount, body.reason.strip(), body.goes_to)
    refund, new = await service.prepare(
        session, refund_id, ask=ask, person_id=caller.person_id, now=now
    )
    if not new:
        response.status_code = 200
    return await _out(session, refund, caller)


@router.put(
    "/refunds/{refund_id}/resends/{resend_id}",
    status_code=201,
    responses={
        200: {"model": RefundOut, "description": "It was prepared before."},
        **problems.signed(
            Malformed,
            Unknown,
            IdReused,
            PaymentNotRefundable,
            PaymentDisputed,
            RefundAccountMissing,
            RefundNotFailed,
            RefundOpen,
            RefundSentAgain,
            RefundTooLarge,
            CustodyMoney,
            WrongCurrency,
        ),
    },
)
async def resend_refund(
    *,
    refund_id: UUID,
    resend_id: UUID,
    body: ResendIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> RefundOut:
    """Prepare that a refund which failed is sent again (经办); another person decides it.

    It is a refund of its own, with its own key at the provider or its own payment file. One at a
    time waits, is on its way, or has arrived.
    """
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    again = Again(refund_id, body.reason.strip(), body.goes_to, body.account_id)
    refund, new = await resending.resend(
        session, resend_id, again=again, person_id=caller.person_id, now=now
    )
    if not new:
        response.status_code = 200
    return await _out(session, refund, caller)


@router.post(
    "/refunds/{refund_id}/approval",
    responses=problems.responses(
        *DECIDED,
        *PROVING,
        PaymentDisputed,
        PayoutUnderWay,
        RefundTooLarge,
        RefundAccountMissing,
        RefundSentAgain,
    ),
)
async def approve_refund(
    refund_id: UUID, body: ApprovalIn, session: Session, caller: Signed, now: Now
) -> RefundOut:
    """Approve a refund that another person prepared (复核).

    One to a card is sent at once; one to a bank is a payment file from then on, as it was approved.
    """
    decision = await approving(session, caller, body, now=now)
    return await _out(
        session, await service.approve(session, refund_id, decision=decision, now=now), caller
    )


@router.post("/refunds/{refund_id}/refusal", responses=problems.responses(*DECIDED))
async def refuse_refund(
    refund_id: UUID, body: RefusalIn, session: Session, caller: Signed, now: Now
) -> RefundOut:
    """Refuse a refund that another person prepared, with a reason."""
    decision, reason = refusing(caller, body), body.reason.strip()
    refund = await service.refuse(session, refund_id, decision=decision, reason=reason, now=now)
    return await _out(session, refund, caller)


@router.get("/refunds", responses=problems.signed())
async def list_refunds(
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> RefundPage:
    """List refunds: every one for staff; for a party what comes back to it, or from it."""
    caller.need("read")
    rows = await queries.page(
        session, party_id=caller.for_party, after=page_after(after), limit=limit
    )
    items = [await _out(session, row, caller) for row in rows]
    return RefundPage(items=items, next=next_after(rows, limit))


@router.get("/refunds/{refund_id}", responses=problems.signed(Unknown))
async def get_refund(refund_id: UUID, session: Session, caller: Signed) -> RefundOut:
    """Return a refund with who gives it back: to staff, its payer, and payees who give."""
    caller.need("read")
    refund = await queries.get_told(session, refund_id, party_id=caller.for_party)
    return await _out(session, refund, caller)


async def _out(session: AsyncSession, refund: Refund, caller: Caller) -> RefundOut:
    # Those who were paid gave it back for the one that failed; for what sends it again nobody does.
    back = await given_back(
        session, Cause(taking.REFUND, refund.resends or refund.id), caller=caller
    )
    again = await queries.resent_as(session, [refund.id])
    kept = {"content", "payer_id", "intent_id", "made_at", "document", "payee_account_id"}
    is_file = refund.document is not None and refund.state not in (PREPARED, REFUSED)
    shown = refund.model_dump(exclude=kept)
    shown["payment_file_id"] = refund.id if is_file else None
    shown["resent_as"] = again[refund.id].id if refund.id in again else None
    if not caller.is_staff:
        # Whose account it goes to is told to the staff, and to the payer by its bank.
        hidden = ("prepared_by", "decided_by", "account_id", "to_account", "to_holder",
                  "payment_file_id")  # fmt: skip
        shown |= dict.fromkeys(hidden)
    return RefundOut.model_validate({**shown, "given_back": back})
