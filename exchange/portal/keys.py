"""API keys: made, shown once, revoked."""

from datetime import datetime, time
from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts import ids
from exchange.api import keys as api
from exchange.api.deps import Ctx, Now, Session
from exchange.identity.rules import SCOPES_OF
from exchange.portal import render
from exchange.portal.forms import Form, Sent, shape
from exchange.portal.language import ZONE, mark
from exchange.portal.visitors import SignedIn, Visitor

router = APIRouter()
SCOPES = {
    "read": mark("read"),
    "list": mark("register works, upload and list"),
    "bid": mark("bid"),
    "deal": mark("sign deals"),
    "money": mark("pay and follow payments"),
}


@router.get("/keys")
async def keys_page(request: Request, visitor: SignedIn, session: Session, now: Now) -> Response:
    """Show the visitor's keys and the form that makes one."""
    return await _page(request, visitor, session, now, made=None)


@router.post("/keys")
async def send_key(
    request: Request, visitor: SignedIn, form: Sent, context: Ctx, *, session: Session, now: Now
) -> Response:
    """Make a key; this one answer shows it."""
    body = shape(
        api.ApiKeyIn,
        name=form.text("name"),
        scopes=form.many("scopes"),
        expires_at=_end_of_day(form) if form.text("expires_on") else None,
    )
    made = await api.create_api_key(
        form.id("key_id"),
        body,
        Response(),
        context=context,
        session=session,
        caller=visitor.caller,
        now=now,
    )
    return await _page(request, visitor, session, now, made=made if made.secret else None)


@router.post("/keys/{key_id}/revocation")
async def send_revocation(
    request: Request, key_id: UUID, visitor: SignedIn, session: Session, now: Now
) -> Response:
    """Revoke a key at once."""
    await api.revoke_api_key(key_id, session, visitor.caller, now)
    return render.see(request, "/keys")


async def _page(
    request: Request,
    visitor: Visitor,
    session: Session,
    now: datetime,
    *,
    made: api.ApiKeyOut | None,
) -> Response:
    spoken = render.speaks(request)
    found = await api.list_api_keys(session, visitor.caller, None, 200)
    allowed = SCOPES_OF[visitor.caller.role]
    return render.page(
        request,
        "keys.html",
        keys=found.items,
        made=made,
        key_id=ids.new(now),
        scopes=[(code, spoken.say(text)) for code, text in SCOPES.items() if code in allowed],
    )


def _end_of_day(form: Form) -> datetime:
    return datetime.combine(form.day("expires_on"), time.max, ZONE)
