"""Royalties of a deal: what was reported, what is due for it, and the form that reports."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts import ids
from contracts.deals import queries as deals
from exchange.api import royalties as api
from exchange.api.deps import Now, Session
from exchange.portal import money, render
from exchange.portal.forms import Sent, shape
from exchange.portal.visitors import SignedIn
from settlement.royalties import reports

router = APIRouter(prefix="/deals/{deal_id}/royalties")


@router.get("")
async def royalties_page(
    request: Request, deal_id: UUID, visitor: SignedIn, session: Session, now: Now
) -> Response:
    """Show the royalties of a deal to its sides, to owners who get a share, and the staff."""
    caller = visitor.caller
    found = await api.get_royalties(deal_id=deal_id, session=session, caller=caller)
    deal = await deals.get_deal(session, deal_id)
    spoken = render.speaks(request)
    claims = [one.claim_id for one in found.statements if one.claim_id is not None]
    return render.page(
        request,
        "royalties.html",
        deal=deal,
        royalties=found,
        report_id=ids.new(now),
        columns=",".join(reports.COLUMNS),
        settled={
            claim: await money.settlement(session, claim, caller=caller, spoken=spoken)
            for claim in claims
        },
        is_side=caller.is_staff or caller.party_id in (deal.licensor_id, deal.licensee_id),
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
