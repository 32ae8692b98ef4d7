"""Complaints about deliveries: one segment, judged at once by a rule that anybody can run."""

from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Request

from contracts.deals import queries as deals
from contracts.refusal import InvalidContent, NotAllowed, Unknown
from exchange import keys
from exchange.api import deliveries, deps, problems
from exchange.api.bodies import BodyTooSlow, read_file
from exchange.api.deps import Ctx, Now, Shape
from exchange.identity.rules import CsrfToken, Role, ScopeMissing, SignInNeeded
from listings.deliveries import complaints, service
from listings.deliveries import queries as delivery_queries
from listings.deliveries.complaints import BadComplaint, ComplaintTooLarge
from listings.deliveries.gateway import EscrowKeyMissing
from listings.deliveries.manifests import BadManifest
from listings.deliveries.rules import (
    ComplaintInvalid,
    ComplaintOfAnother,
    DeliveryStepNotPossible,
    EscrowUnsound,
    TooManyComplaints,
)

router = APIRouter(tags=["deliveries"])

ARRIVES_WITHIN_S = 120.0
_BYTES = {"type": "string", "format": "binary"}


class JudgedOut(Shape):
    """What a complaint came to; `upheld` ends the delivery, and another one can follow."""

    verdict: Literal["upheld", "rejected"]
    reason: str
    delivery: deliveries.DeliveryOut


@router.post(
    "/deals/{deal_id}/deliveries/{delivery_id}/complaints",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": _BYTES}},
        }
    },
    responses=problems.responses(
        SignInNeeded, CsrfToken, ScopeMissing, NotAllowed, InvalidContent, Unknown, BadComplaint,
        BadManifest, ComplaintTooLarge, BodyTooSlow, ComplaintInvalid, ComplaintOfAnother,
        TooManyComplaints, DeliveryStepNotPossible, EscrowUnsound, EscrowKeyMissing,
    ),
)  # fmt: skip
async def dispute_delivery(
    deal_id: UUID, delivery_id: UUID, request: Request, *, context: Ctx, now: Now
) -> JudgedOut:
    """File a complaint about a delivery: the licensee; `exchange delivery dispute` sends it.

    It is decided at once: the key comes from escrow, the rule is `exchange delivery judge`. The
    same complaint again gets the same answer.
    """
    async with context.db.transaction() as session:
        caller = await deps.get_caller(await deps.find_caller(request, session, now))
        caller.need("deal", Role.HOLDER, Role.BROADCASTER)
        await deals.get_deal_of(session, deal_id, caller.party_id)
        await delivery_queries.get_delivery(session, deal_id, delivery_id)
    filed = complaints.read(await _content(request))
    async with context.db.transaction() as session:
        judgement, _ = await service.complain(
            session, deal_id, delivery_id, party_id=caller.party_id, filed=filed,
            escrow=keys.escrow_key(context.settings), now=now,
        )  # fmt: skip
        delivery = await delivery_queries.get_delivery(session, deal_id, delivery_id)
        judged = await delivery_queries.complaints_of(session, delivery)
        return JudgedOut(
            verdict="upheld" if judgement.verdict.value == "upheld" else "rejected",
            reason=judgement.reason.value,
            delivery=deliveries.delivery_out(delivery, judged),
        )


async def _content(request: Request) -> bytes:
    most = complaints.MOST_BYTES
    too_long = ComplaintTooLarge("The document is too long.", most_bytes=most)
    return await read_file(request, most_bytes=most, within_s=ARRIVES_WITHIN_S, too_long=too_long)
