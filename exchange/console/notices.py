"""Disclosures to review, incidents of auctions, and what the screens found, for the staff."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from exchange.api import incidents as api
from exchange.api import screens as screens_api
from exchange.api.deps import Now, Session
from exchange.portal import names, render
from exchange.portal.forms import Sent, shape
from exchange.portal.language import Language
from exchange.portal.visitors import Staff
from listings.auctions import queries as auctions
from listings.disclosures import queries as disclosures
from listings.incidents import queries as incidents
from listings.screens import queries as screens

router = APIRouter(prefix="/console")
PAGE = 100
MOST_OUTAGES = 20
MOST_FINDINGS = 15  # besides the leads: the file has all
_MORE = ("auction_id", "opens_at", "closes_at", "hard_stop_at")


@router.get("/disclosures")
async def disclosures_page(request: Request, _visitor: Staff, session: Session) -> Response:
    """Show the filings that wait, the oldest first, and what runs."""
    spoken = render.speaks(request)
    waiting = await disclosures.to_review(session, limit=PAGE)
    running = await disclosures.public_board(
        session, state="disclosed", after=UUID(int=0), limit=PAGE
    )
    titles = {row.listing_id: await names.work(session, row.work_id, spoken=spoken)
              for row in running}  # fmt: skip
    return render.page(
        request, "disclosures_waiting.html", waiting=waiting, running=running, titles=titles
    )


@router.get("/incidents")
async def incidents_page(
    request: Request, _visitor: Staff, session: Session, now: Now, auction: str = ""
) -> Response:
    """Show measures that wait for a second person, those done, and the form for another."""
    spoken = render.speaks(request)
    found = await incidents.latest(session, limit=PAGE)
    return render.page(
        request,
        "incidents_staff.html",
        incidents=[await _shown(session, api.out(each), spoken) for each in found],
        outages=await incidents.outages(session, limit=MOST_OUTAGES),
        auction=auction,
        incident_id=ids.new(now),
        new_auction_id=ids.new(now),
    )


@router.post("/incidents")
async def send_incident(
    request: Request, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Pause or resume an auction, or propose what a second person decides."""
    more: dict[str, Any] = {}
    if form.text("kind") == "rebid":
        more = {"auction_id": form.id("new_auction_id")} | {
            name: form.instant(name) for name in _MORE[1:] if form.text(name)
        }
    if form.text("kind") == "default":
        more = {"paddle": form.whole("paddle")}
    body = shape(api.IncidentIn, kind=form.text("kind"), reason=form.text("reason"), **more)
    await api.report_incident(
        form.id("auction_id"), form.id("incident_id"), body, now, session, visitor.caller,
        Response(),
    )  # fmt: skip
    return render.see(request, "/console/incidents")


@router.post("/incidents/{incident_id}/decision")
async def send_decision(
    request: Request, incident_id: UUID, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Carry out what a colleague proposed, or refuse it."""
    body = shape(api.DecisionIn, outcome=form.text("outcome"))
    await api.decide_incident(incident_id, body, now, session, visitor.caller)
    return render.see(request, "/console/incidents")


@router.get("/screens")
async def screens_page(request: Request, _visitor: Staff, session: Session) -> Response:
    """Show what the screens found last, beside how often they are right."""
    row = await screens.latest(session)
    spoken = render.speaks(request)
    shown = None if row is None else screens_api.out(row)
    every = [] if shown is None else shown.findings
    found = every[: MOST_FINDINGS + sum(one.is_lead for one in every)]
    whose = {party for one in found for party in one.parties}
    return render.page(
        request,
        "screens.html",
        run=shown,
        findings=found,
        names={party: await names.party(session, party, spoken=spoken) for party in whose},
    )


@router.post("/screens")
async def send_run(request: Request, visitor: Staff, session: Session, now: Now) -> Response:
    """Run the screens now."""
    await screens_api.run_screens(now, session, visitor.caller)
    return render.see(request, "/console/screens")


@router.get("/screens/findings.json")
async def screens_file(_request: Request, _visitor: Staff, session: Session) -> Response:
    """Give the latest run as a file."""
    row = await screens.latest(session)
    text = "null" if row is None else screens_api.out(row).model_dump_json(indent=2)
    headers = {**render.HEADERS, "Content-Disposition": 'attachment; filename="screens.json"'}
    return Response(text, media_type="application/json", headers=headers)


async def _shown(
    session: AsyncSession, incident: api.IncidentOut, spoken: Language
) -> dict[str, Any]:
    auction = await auctions.get_auction(session, incident.auction_id)
    return {
        **incident.model_dump(),
        "title": await names.work(session, auction.work_id, spoken=spoken),
        "proposed_by_name": await names.person(session, incident.proposed_by),
        "decided_by_name": await names.person(session, incident.decided_by),
    }
