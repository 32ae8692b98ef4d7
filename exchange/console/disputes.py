"""Disputes as the staff sees them: until when evidence is due, and what became of the money."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from exchange.api import disputes as api
from exchange.api.deps import Now, Session
from exchange.console.refunds import named
from exchange.console.tasks import contracts_of
from exchange.portal import names, render
from exchange.portal.visitors import Staff
from settlement.disputes.rules import OPEN
from settlement.invoices import queries as invoices

router = APIRouter(prefix="/console/disputes")
PAGE = 50


@router.get("")
async def disputes_page(
    request: Request, visitor: Staff, session: Session, now: Now, after: UUID | None = None
) -> Response:
    """Show every dispute, with the instant until which the bank takes evidence."""
    found = await api.list_disputes(session=session, caller=visitor.caller, after=after, limit=PAGE)
    deals = await contracts_of(session, [each.deal_id for each in found.items])
    shown = [
        {
            **each.model_dump(),
            "deal": deals[each.deal_id],
            "late": each.state in OPEN and each.evidence_due_at and each.evidence_due_at < now,
        }
        for each in found.items
    ]
    return render.page(request, "disputes.html", disputes=shown, next=found.next)


@router.get("/{dispute_id}")
async def dispute_page(
    request: Request, dispute_id: UUID, visitor: Staff, session: Session
) -> Response:
    """Show what a card holder contests, the evidence there is, and who bears it if it is lost."""
    found = await api.get_dispute(dispute_id=dispute_id, session=session, caller=visitor.caller)
    spoken = render.speaks(request)
    deals = await contracts_of(session, [found.deal_id])
    payment = await invoices.get_payment_of(session, found.payment_id, payer_id=None)
    return render.page(
        request,
        "dispute.html",
        dispute=found,
        open=found.state in OPEN,
        deal=deals[found.deal_id],
        payment=payment,
        payer=await names.party(session, payment.payer_id, spoken=spoken),
        given_back=await named(session, found.given_back, spoken),
    )
