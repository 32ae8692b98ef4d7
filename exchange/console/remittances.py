"""Withheld taxes as the staff sees them: what is due, remittances decided and their receipts."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts import calendar, ids
from contracts.money import EXPONENTS
from exchange.api import remittances as api
from exchange.api import withholding as withheld_api
from exchange.api.deps import Now, Session
from exchange.console.deciding import Decided
from exchange.portal import names, render
from exchange.portal.forms import Sent, shape
from exchange.portal.visitors import Staff

router = APIRouter(prefix="/console/remittances")
PAGE = 50
SCHEMES = (("cnaps", "CNAPS"), ("iban", "IBAN"))
ACCOUNT = ("name_zh", "name_en", "scheme", "number", "holder", "bank_name", "currency")


@router.get("")
async def remittances_page(
    request: Request, visitor: Staff, session: Session, now: Now, after: UUID | None = None
) -> Response:
    """Show what was withheld and is due, every remittance, and where authorities are paid."""
    caller = visitor.caller
    dues = await api.list_withholding_dues(session=session, caller=caller)
    found = await api.list_remittances(session=session, caller=caller, after=after, limit=PAGE)
    known = await api.list_tax_authorities(session=session, caller=caller)
    today = calendar.day_of(now)
    return render.page(
        request,
        "remittances.html",
        dues=[{**one.model_dump(), "late": one.due_on < today} for one in dues.items],
        remittances=found.items,
        next=found.next,
        authorities=known.items,
        schemes=SCHEMES,
        currencies=[(code, code) for code in EXPONENTS],
        new_id=lambda: ids.new(now),
    )


@router.post("")
async def send_remittance(
    request: Request, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Put what waits of a tax and period into a remittance; another person decides."""
    remittance_id = form.id("remittance_id")
    named = {name: form.text(name) for name in ("authority", "tax", "currency", "period")}
    await api.prepare_remittance(
        remittance_id=remittance_id, body=shape(api.RemittanceIn, **named), response=Response(),
        session=session, caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, f"/console/remittances/{remittance_id}")


@router.post("/authorities")
async def send_authority(
    request: Request, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Record where taxes withheld for an authority are paid."""
    said = {name: form.text(name) for name in ACCOUNT}
    body = shape(api.TaxAuthorityIn, member_id=form.maybe("member_id"), **said)
    await api.record_tax_authority(
        authority_code=form.text("code"), body=body, session=session, caller=visitor.caller, now=now
    )
    return render.see(request, "/console/remittances#authorities")


@router.get("/{remittance_id}")
async def remittance_page(
    request: Request, remittance_id: UUID, visitor: Staff, session: Session, now: Now
) -> Response:
    """Show a remittance with all that its decision is about."""
    caller = visitor.caller
    found = await api.get_remittance(remittance_id=remittance_id, session=session, caller=caller)
    spoken = render.speaks(request)
    parts = []
    for item in found.items:
        one = await withheld_api.get_withheld_tax(
            withheld_id=item.withheld_id, session=session, caller=caller
        )
        payee = await names.party(session, one.party_id, spoken=spoken)
        parts.append({**one.model_dump(), "remitted_minor": item.amount_minor, "payee": payee})
    return render.page(
        request,
        "remittance.html",
        remittance=found,
        parts_of_it=parts,
        badge=f"remittance_{found.state}",
        prepared_by_name=await names.person(session, found.prepared_by),
        decided_by_name=await names.person(session, found.decided_by),
        mine=found.prepared_by == caller.person_id,
        late=found.state != "paid" and found.due_on < calendar.day_of(now),
    )


@router.post("/{remittance_id}/receipt")
async def send_receipt(
    request: Request, remittance_id: UUID, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Take over the number of the tax office's receipt."""
    body = shape(api.ReceiptIn, number=form.text("number"), issued_on=form.day("issued_on"))
    await api.record_tax_receipt(
        remittance_id=remittance_id, body=body, session=session, caller=visitor.caller, now=now
    )
    return render.see(request, f"/console/remittances/{remittance_id}")


@router.post("/{remittance_id}/{verdict}")
async def send_verdict(request: Request, remittance_id: UUID, sent: Decided) -> Response:
    """Approve or refuse exactly the remittance that the page showed."""
    await sent.decide(api.approve_remittance, api.refuse_remittance, remittance_id=remittance_id)
    return render.see(request, f"/console/remittances/{remittance_id}")
