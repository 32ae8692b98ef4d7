"""Fapiao (发票) of one's own organisation: to whom they are made out, and those asked for."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from exchange.api import fapiaos as api
from exchange.api import invoices as invoices_api
from exchange.api.deps import Now, Session
from exchange.api.fapiao_shapes import FapiaoDetailsIn, FapiaoIn
from exchange.identity.rules import Caller, Role
from exchange.portal import render
from exchange.portal.forms import Sent, shape
from exchange.portal.visitors import SignedIn
from settlement.fapiao import queries
from settlement.fapiao.rules import COMMISSION, PRICE

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
    details = await queries.find_details(session, caller.party_id)
    return render.page(
        request,
        "my_fapiaos.html",
        fapiaos=found.items,
        next=found.next,
        details=details,
        kind=PRICE if caller.role is Role.BROADCASTER else COMMISSION,
        fapiao_id=ids.new(now),
        without=await _without(session, caller, now=now),
    )


async def _without(
    session: AsyncSession, caller: Caller, *, now: datetime
) -> Sequence[tuple[UUID, str]]:
    """Return the invoices whose fapiao may be asked for: of the price, or of the commission."""
    if caller.role is not Role.BROADCASTER:
        return await queries.without_commission(session, caller.party_id, limit=MOST)
    told: Any = {"session": session, "caller": caller, "now": now, "limit": MOST}
    owed = (await invoices_api.list_invoices(**told)).items
    return [
        (one.id, one.number)
        for one in owed
        if one.state != "reversed" and await queries.find_blue(session, one.id) is None
    ]


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
        body=shape(
            FapiaoIn,
            invoice_id=form.text("invoice_id"),
            type=form.text("type"),
            kind=form.maybe("kind") or PRICE,
        ),
        response=Response(),
        session=session,
        caller=visitor.caller,
        now=now,
    )
    return render.see(request, "/money/fapiaos")
