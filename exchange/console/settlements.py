"""Settlements as the staff sees them, and the preparation of payouts."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts import ids
from contracts.deals import queries as deals
from contracts.refusal import Unknown
from exchange.api import ledger as api
from exchange.api import payouts as payouts_api
from exchange.api.deps import Now, Session
from exchange.console import refunds, timelines
from exchange.console.tasks import contracts_of
from exchange.portal import money, render, taxes
from exchange.portal.forms import Sent
from exchange.portal.visitors import Staff
from settlement.payouts import queries as payouts

router = APIRouter(prefix="/console/settlements")
router.include_router(timelines.router)
PAGE = 50


@router.get("")
async def settlements_page(
    request: Request, visitor: Staff, session: Session, after: UUID | None = None
) -> Response:
    """Show every settlement."""
    found = await api.list_settlements(
        session=session, caller=visitor.caller, after=after, limit=PAGE
    )
    under = await contracts_of(session, [each.deal_id for each in found.items])
    shown = [{**each.model_dump(), "deal": under[each.deal_id].contract_no} for each in found.items]
    return render.page(request, "settlements.html", settlements=shown, next=found.next)


@router.get("/{deal_id}")
async def settlement_page(
    request: Request, deal_id: UUID, visitor: Staff, session: Session, now: Now
) -> Response:
    """Show one settlement, and the form that prepares its payout."""
    shown = await money.settlement(
        session, deal_id, caller=visitor.caller, spoken=render.speaks(request)
    )
    if shown is None:
        raise Unknown("There is no such settlement.")
    told: dict[str, Any] = {"caller": visitor.caller, "spoken": render.speaks(request), "now": now}
    return render.page(
        request,
        "settlement.html",
        settlement=shown,
        withholding=await taxes.of_settlement(session, deal_id, **told),
        deal=await deals.get_deal(session, deal_id),
        payout=await payouts.find_live(session, deal_id),
        payout_id=ids.new(now),
        payments=await refunds.refundable(session, deal_id, now=now),
    )


@router.post("/{deal_id}/payouts")
async def send_payout(
    request: Request, deal_id: UUID, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Prepare the payout; another person decides."""
    payout_id = form.id("payout_id")
    await payouts_api.prepare_payout(
        payout_id=payout_id,
        body=payouts_api.PayoutIn(deal_id=deal_id),
        response=Response(),
        session=session,
        caller=visitor.caller,
        now=now,
    )
    return render.see(request, f"/console/payouts/{payout_id}")
