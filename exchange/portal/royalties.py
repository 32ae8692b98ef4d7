"""Royalties of a deal: what was reported, what is due for it, and the form that reports."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts import ids
from contracts.deals import queries as deals
from exchange.api import royalties as api
from exchange.api.deps import Now, Session
from exchange.portal import render
from exchange.portal.forms import Sent, shape
from exchange.portal.visitors import SignedIn
from settlement.royalties import reports

router = APIRouter(prefix="/deals/{deal_id}/royalties")


@router.get("")
async def royalties_page(
    request: Request, deal_id: UUID, visitor: SignedIn, session: Session, now: Now
) -> Response:
    """Show the royalties of a deal to its two sides and the staff."""
    caller = visitor.caller
    found = await api.get_royalties(deal_id=deal_id, session=session, caller=caller)
    deal = await deals.get_deal(session, deal_id)
    return render.page(
        request,
        "royalties.html",
        deal=deal,
        royalties=found,
        report_id=ids.new(now),
        columns=",".join(reports.COLUMNS),
        may_report=found.model is not None and caller.party_id == deal.licensee_id,
    )


@router.post("")
async def send_report(
    request: Request, deal_id: UUID, visitor: SignedIn, form: Sent, session: Session, now: Now
) -> Response:
    """Report a period from a table with the columns of the command."""
    body = shape(
        api.UsageReportIn,
        first_day=form.text("first_day"),
        last_day=form.text("last_day"),
        lines=reports.read_csv(form.text("lines")),
    )
    await api.report_usage(
        deal_id=deal_id, report_id=form.id("report_id"), body=body, response=Response(),
        session=session, caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, f"/deals/{deal_id}/royalties")
