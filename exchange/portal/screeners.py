"""Screeners: the owner's list and form, and the page that a link opens."""

from datetime import datetime, time
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from contracts import ids
from exchange.api import masters as masters_api
from exchange.api import screeners as api
from exchange.api.deps import Ctx, Now, Session
from exchange.portal import render
from exchange.portal.forms import Form, Sent, shape
from exchange.portal.language import ZONE
from exchange.portal.visitors import Holder, Visitor, find_visitor
from listings.screeners import queries, service

router = APIRouter()
MOST_SHOWN = 200
MOST_VIEWINGS = 200


@router.get("/masters/{master_id}/screeners")
async def screeners_page(
    request: Request, master_id: UUID, visitor: Holder, session: Session, now: Now
) -> Response:
    """Show who may watch a master, and the form that lets one more."""
    return await _page(request, master_id, visitor, session, now, made=None)


@router.post("/masters/{master_id}/screeners")
async def send_screener(
    request: Request,
    master_id: UUID,
    visitor: Holder,
    form: Sent,
    *,
    context: Ctx,
    session: Session,
    now: Now,
) -> Response:
    """Let somebody watch; this one answer shows the link."""
    body = shape(
        api.ScreenerIn,
        viewer=form.text("viewer"),
        expires_at=_end_of_day(form),
        most_views=form.whole("most_views") if form.text("most_views") else None,
    )
    made = await api.give_screener(
        master_id, form.id("screener_id"), body, Response(),
        context=context, session=session, caller=visitor.caller, now=now,
    )  # fmt: skip
    return await _page(request, master_id, visitor, session, now, made=made if made.link else None)


@router.post("/masters/{master_id}/screeners/{screener_id}/revocation")
async def send_screener_revocation(
    request: Request,
    master_id: UUID,
    screener_id: UUID,
    *,
    visitor: Holder,
    session: Session,
    now: Now,
) -> Response:
    """Take a link back at once."""
    await api.revoke_screener(master_id, screener_id, session, visitor.caller, now)
    return render.see(request, f"/masters/{master_id}/screeners")


@router.get("/s/{secret}", dependencies=[Depends(find_visitor)])
async def link_page(request: Request, secret: api.Secret, session: Session, now: Now) -> Response:
    """Show what a link opens; nothing counts as watched before the button is pressed."""
    screener = await queries.by_secret(session, secret)
    service.check_alive(screener, now=now)
    return _private(
        render.page(request, "screener.html", screener=api.shown(screener, None), film=None)
    )


@router.post("/s/{secret}", dependencies=[Depends(find_visitor)])
async def watch_page(request: Request, secret: api.Secret, session: Session, now: Now) -> Response:
    """Begin to watch."""
    viewing = await api.open_screener(secret, Response(), session, now)
    screener = await queries.by_secret(session, secret)
    shown = api.shown(screener, None)
    return _private(render.page(request, "screener.html", screener=shown, film=viewing.film))


def _private(answer: HTMLResponse) -> HTMLResponse:
    """Keep the address, which is the secret, from other sites."""
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer


def _end_of_day(form: Form) -> datetime:
    return datetime.combine(form.day("expires_on"), time(23, 59, 59), ZONE)


async def _page(
    request: Request,
    master_id: UUID,
    visitor: Visitor,
    session: Session,
    now: datetime,
    *,
    made: api.ScreenerOut | None,
) -> Response:
    master = await masters_api.get_master(master_id, session, visitor.caller)
    found = await api.list_screeners(master_id, session, visitor.caller, None, MOST_SHOWN)
    names = {each.id: each.viewer for each in found.items}
    opened = await queries.viewings(session, list(names), limit=MOST_VIEWINGS)
    return render.page(
        request,
        "screeners.html",
        master=master,
        screeners=found.items,
        viewings=[(names[each.screener_id], each.opened_at) for each in opened],
        made=made,
        now=now,
        screener_id=ids.new(now),
    )
