"""Red letters as the staff sees them: prepared by one person, approved or refused by another."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from exchange.api import redletters as api
from exchange.api.deps import Now, Session
from exchange.console.deciding import Decided
from exchange.portal import names, render
from exchange.portal.forms import Sent, shape
from exchange.portal.language import mark
from exchange.portal.visitors import Staff
from settlement.invoices import queries as invoices
from settlement.invoices.tables import Invoice

router = APIRouter(prefix="/console/red-letters")
PAGE = 50
REASONS = {
    "error": mark("01 Issued in error"),
    "return": mark("02 Returned"),
    "service-ended": mark("03 Service ended"),
    "allowance": mark("04 Allowance"),
}


@router.get("")
async def red_letters_page(
    request: Request,
    visitor: Staff,
    session: Session,
    now: Now,
    after: UUID | None = None,
    number: str = "",
) -> Response:
    """Show every red letter, and the form that prepares one."""
    found = await api.list_red_letters(
        session=session, caller=visitor.caller, after=after, limit=PAGE
    )
    spoken = render.speaks(request)
    return render.page(
        request,
        "red_letters.html",
        red_letters=[await _shown(session, each) for each in found.items],
        next=found.next,
        number=number,
        red_letter_id=ids.new(now),
        reasons=[(code, spoken.say(label)) for code, label in REASONS.items()],
    )


@router.post("")
async def send_red_letter(
    request: Request, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Prepare a red letter of the invoice of a number; another person decides."""
    invoice = await invoices.get_invoice_numbered(session, form.text("number"))
    red_letter_id = form.id("red_letter_id")
    body = shape(
        api.RedLetterIn,
        invoice_id=invoice.id,
        amount_minor=form.minor("amount", invoice.currency),
        currency=invoice.currency,
        reason_code=form.text("reason_code"),
        reason=form.text("reason"),
        refund_id=form.maybe("refund_id"),
    )
    await api.prepare_red_letter(
        red_letter_id=red_letter_id,
        body=body,
        response=Response(),
        session=session,
        caller=visitor.caller,
        now=now,
    )
    return render.see(request, f"/console/red-letters/{red_letter_id}")


@router.get("/{red_letter_id}")
async def red_letter_page(
    request: Request, red_letter_id: UUID, visitor: Staff, session: Session
) -> Response:
    """Show a red letter with all that its decision is about."""
    found = await api.get_red_letter(
        red_letter_id=red_letter_id, session=session, caller=visitor.caller
    )
    return render.page(
        request,
        "red_letter.html",
        red_letter=await _shown(session, found),
        prepared_by_me=found.prepared_by == visitor.caller.person_id,
    )


@router.post("/{red_letter_id}/{verdict}")
async def send_verdict(request: Request, red_letter_id: UUID, sent: Decided) -> Response:
    """Approve or refuse exactly what the page showed."""
    await sent.decide(api.approve_red_letter, api.refuse_red_letter, red_letter_id=red_letter_id)
    return render.see(request, f"/console/red-letters/{red_letter_id}")


async def _shown(session: AsyncSession, row: api.RedLetterOut) -> dict[str, Any]:
    invoice = await session.get(Invoice, row.invoice_id)
    return {
        **row.model_dump(),
        "invoice": invoice,
        "kind": REASONS[row.reason_code],
        "badge": f"red_letter_{row.state}",
        "prepared_by_name": await names.person(session, row.prepared_by),
        "decided_by_name": await names.person(session, row.decided_by),
    }
