"""Payout batches as the staff sees them: ticked on the list of payouts, decided on a page."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from exchange.api import payout_batches as api
from exchange.api.deps import Now, Session
from exchange.console.deciding import Decided
from exchange.console.tasks import contracts_of
from exchange.portal import names, render
from exchange.portal.forms import Sent, shape
from exchange.portal.visitors import Staff
from settlement.payouts import queries as payouts

router = APIRouter(prefix="/console/payout-batches")


@router.post("")
async def send_batch(
    request: Request, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Put the payouts that were ticked into a batch; another person decides."""
    batch_id = form.id("batch_id")
    body = shape(api.PayoutBatchIn, payouts=form.many("payout"))
    await api.prepare_payout_batch(
        payout_batch_id=batch_id, body=body, response=Response(), session=session,
        caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, f"/console/payout-batches/{batch_id}")


@router.get("/{batch_id}")
async def batch_page(
    request: Request, batch_id: UUID, visitor: Staff, session: Session
) -> Response:
    """Show a batch with all that its decision is about."""
    found = await api.get_payout_batch(
        payout_batch_id=batch_id, session=session, caller=visitor.caller
    )
    rows = {
        one.payout_id: await payouts.get_payout(session, one.payout_id) for one in found.payouts
    }
    deals = await contracts_of(session, [row.deal_id for row in rows.values()])
    shown = [
        {
            **one.model_dump(),
            "deal": deals[rows[one.payout_id].deal_id].contract_no,
            "state": rows[one.payout_id].state,
            "by": await names.person(session, rows[one.payout_id].prepared_by),
        }
        for one in found.payouts
    ]
    makers = {found.prepared_by, *(row.prepared_by for row in rows.values())}
    return render.page(
        request,
        "payout_batch.html",
        batch=found,
        payouts=shown,
        prepared_by_name=await names.person(session, found.prepared_by),
        decided_by_name=await names.person(session, found.decided_by),
        mine=visitor.caller.person_id in makers,
    )


@router.post("/{batch_id}/{verdict}")
async def send_verdict(request: Request, batch_id: UUID, sent: Decided) -> Response:
    """Approve or refuse exactly the batch that the page showed."""
    await sent.decide(api.approve_payout_batch, api.refuse_payout_batch, payout_batch_id=batch_id)
    return render.see(request, f"/console/payout-batches/{batch_id}")
