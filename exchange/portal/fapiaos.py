"""Fapiao (发票) of one's own organisation: to whom they are made out, and those asked for."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts import ids
from exchange.api import fapiaos as api
from exchange.api import invoices as invoices_api
from exchange.api.deps import Now, Session
from exchange.api.fapiao_shapes import FapiaoDetailsIn, FapiaoIn
from exchange.identity.rules import Role
from exchange.portal import render
from exchange.portal.forms import Sent, shape
from exchange.portal.visitors import SignedIn
from settlement.fapiao import queries

router = APIRouter(prefix="/money/fapiaos")
PAGE = 50
MOST = 200


@router.get("")
async def fapiaos_page(
    request: Request, visitor: SignedIn, session: Session, now: Now, after: UUID | None = None
) -> Response:
    """Show one's fapiao, to whom they are made out, and the invoices that have none."""
    caller = visitor.caller
    found = await api.list_fapiaos(session=session, caller=caller, after=after, limit=PAGE)
    buys = caller.role is Role.BROADCASTER
    owed = (
        (await invoices_api.list_invoices(session=session, caller=caller, limit=MOST)).items
        if buys
        else []
    )
    without = [one for one in owed if await queries.find_blue(session, one.id) is None]
    return render.page(
        request,
        "my_fapiaos.html",
        fapiaos=found.items,
        next=found.next,
        details=await queries.find_details(session, caller.party_id) if buys else None,
        buys=buys,
        fapiao_id=ids.new(now),
        without=[(one.id, one.number) for one in without if one.state != "reversed"],
    )


@router.post("/details")
async def send_details(
    request: Request, visitor: SignedIn, form: Sent, session: Session, now: Now
) -> Response:
    """Say to whom fapiao are made out."""
    names = ("title", "tax_id", "address", "phone", "bank", "account")
    await api.say_fapiao_details(
        party_id=visitor.caller.party_id,
        body=shape(FapiaoDetailsIn, **{name: form.text(name) for name in names}),
        session=session,
        caller=visitor.caller,
        now=now,
    )
    return render.see(request, "/money/fapiaos")


@router.post("")
async def send_request(
    request: Request, visitor: SignedIn, form: Sent, session: Session, now: Now
) -> Response:
    """Ask for the fapiao of an invoice."""
    await api.ask_for_fapiao(
        fapiao_id=form.id("fapiao_id"),
        body=shape(FapiaoIn, invoice_id=form.text("invoice_id"), type=form.text("type")),
        response=Response(),
        session=session,
        caller=visitor.caller,
        now=now,
    )
    return render.see(request, "/money/fapiaos")
