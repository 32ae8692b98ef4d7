"""Fapiao (发票) as the staff sees them: what waits, the file to enter it from, their numbers."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import UploadFile

from contracts import ids
from contracts.parties.rules import EXCHANGE_PARTY_ID
from contracts.refusal import InvalidContent
from exchange.api import fapiaos as api
from exchange.api.deps import Now, Session
from exchange.api.fapiao_shapes import (
    ConfirmationIn,
    FapiaoDetailsIn,
    FapiaoOut,
    FapiaoRefusalIn,
    IssuedIn,
    RedFapiaoIn,
)
from exchange.portal import names, render
from exchange.portal.forms import Sent, shape
from exchange.portal.language import Language, mark
from exchange.portal.visitors import Staff
from settlement.fapiao import queries, rules
from settlement.invoices.tables import Invoice

router = APIRouter(prefix="/console/fapiaos")
LONGEST_FILE_BYTES = rules.MOST_BYTES + 64 * 1024  # the file, and the fields of the form around it
PAGE = 50
KINDS = ((rules.PRICE, mark("The price")), (rules.COMMISSION, mark("Commission")))
SHEETS = {
    "01": mark("01 No confirmation needed"),
    "02": mark("02 Entered by the seller, waits for the buyer"),
    "03": mark("03 Entered by the buyer, waits for the seller"),
    "04": mark("04 Both confirmed"),
    "05": mark("05 Void: denied by the buyer"),
    "06": mark("06 Void: denied by the seller"),
    "07": mark("07 Void: not confirmed within 72 hours"),
    "08": mark("08 Void: taken back by who entered it"),
    "09": mark("09 Void: taken back after it was confirmed"),
    "10": mark("10 Void: the fapiao is at fault"),
}


@router.get("")
async def fapiaos_page(
    request: Request, visitor: Staff, session: Session, now: Now, after: UUID | None = None
) -> Response:
    """Show every fapiao, the file of those that wait, and the form that asks for a red one."""
    spoken = render.speaks(request)
    found = await api.list_fapiaos(session=session, caller=visitor.caller, after=after, limit=PAGE)
    return render.page(
        request,
        "fapiaos.html",
        fapiaos=[await _shown(session, each, spoken) for each in found.items],
        next=found.next,
        fapiao_id=ids.new(now),
        kinds=[(kind, spoken.say(said)) for kind, said in KINDS],
        own=await queries.find_details(session, EXCHANGE_PARTY_ID),
        sheets=[(code, spoken.say(SHEETS[code])) for code in ("01", "02", "03", "04")],
    )


@router.post("")
async def send_red_fapiao(
    request: Request, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Ask for the red fapiao of a red letter."""
    fapiao_id = form.id("fapiao_id")
    await api.ask_for_red_fapiao(
        fapiao_id=fapiao_id,
        body=shape(
            RedFapiaoIn,
            red_letter_id=form.text("red_letter_id"),
            confirmation=form.text("confirmation"),
            kind=form.maybe("kind") or rules.PRICE,
        ),
        response=Response(),
        session=session,
        caller=visitor.caller,
        now=now,
    )
    return render.see(request, f"/console/fapiaos/{fapiao_id}")


@router.post("/details")
async def send_details(
    request: Request, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Say under which title and tax id the exchange sells its commission."""
    await api.say_fapiao_details(
        party_id=EXCHANGE_PARTY_ID,
        body=shape(FapiaoDetailsIn, title=form.text("title"), tax_id=form.text("tax_id")),
        session=session,
        caller=visitor.caller,
        now=now,
    )
    return render.see(request, "/console/fapiaos")


@router.get("/{fapiao_id}")
async def fapiao_page(
    request: Request, fapiao_id: UUID, visitor: Staff, session: Session
) -> Response:
    """Show a fapiao with every field to enter, and the forms that take over what came of it."""
    spoken = render.speaks(request)
    found = await api.get_fapiao(fapiao_id=fapiao_id, session=session, caller=visitor.caller)
    following = sorted(rules.FOLLOWS.get(found.confirmation or "", ()))
    return render.page(
        request,
        "fapiao.html",
        fapiao=await _shown(session, found, spoken),
        sheet=None if found.confirmation is None else spoken.say(SHEETS[found.confirmation]),
        sheets=[(code, spoken.say(SHEETS[code])) for code in following],
        missing=[
            (form, form.upper())
            for form in rules.MAGIC
            if form not in {one.form for one in found.files}
        ],
    )


@router.post("/{fapiao_id}/issue")
async def send_issue(
    request: Request, fapiao_id: UUID, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Take over the number of a fapiao that was issued."""
    body = shape(IssuedIn, number=form.text("number"), issued_on=form.day("issued_on"))
    await api.record_fapiao(
        fapiao_id=fapiao_id, body=body, session=session, caller=visitor.caller, now=now
    )
    return render.see(request, f"/console/fapiaos/{fapiao_id}")


@router.post("/{fapiao_id}/refusal")
async def send_refusal(
    request: Request, fapiao_id: UUID, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Note that a fapiao will not be issued."""
    body = shape(FapiaoRefusalIn, reason=form.text("reason"))
    await api.refuse_fapiao(
        fapiao_id=fapiao_id, body=body, session=session, caller=visitor.caller, now=now
    )
    return render.see(request, f"/console/fapiaos/{fapiao_id}")


@router.post("/{fapiao_id}/confirmation")
async def send_confirmation(
    request: Request, fapiao_id: UUID, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Note how the confirmation sheet of a red fapiao went on."""
    body = shape(ConfirmationIn, confirmation=form.text("confirmation"))
    await api.confirm_red_fapiao(
        fapiao_id=fapiao_id, body=body, session=session, caller=visitor.caller, now=now
    )
    return render.see(request, f"/console/fapiaos/{fapiao_id}")


@router.post("/{fapiao_id}/files")
async def send_file(
    request: Request, fapiao_id: UUID, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Keep a file of an issued fapiao."""
    sent = (await request.form()).get("file")
    kind = form.text("kind")
    if not isinstance(sent, UploadFile) or not sent.filename or kind not in rules.MAGIC:
        raise InvalidContent(
            "A field breaks its rule.", errors=[{"field": "file", "rule": "no file was sent"}]
        )
    content = await sent.read()
    if len(content) > rules.MOST_BYTES:
        raise rules.FapiaoFileTooLarge("The file is too large.", most_bytes=rules.MOST_BYTES)
    await api.kept(session, fapiao_id, kind, content, caller=visitor.caller, now=now)
    return render.see(request, f"/console/fapiaos/{fapiao_id}")


async def _shown(session: AsyncSession, one: FapiaoOut, spoken: Language) -> dict[str, Any]:
    invoice = await session.get(Invoice, one.invoice_id)
    return {
        **one.model_dump(),
        "invoice": invoice,
        "badge": f"fapiao_{one.state}",
        "buyer_name": await names.party(session, one.buyer, spoken=spoken),
    }
