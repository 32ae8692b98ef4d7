"""Fapiao (发票): asked for by buyers, issued by whom the tax authority lets, kept with files."""

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.parties.rules import EXCHANGE_PARTY_ID, BadName
from contracts.refusal import IdReused, Malformed, Unknown
from exchange.api import deps, problems
from exchange.api.bodies import BodyTooSlow, read_file
from exchange.api.deps import Ctx, Limit, Now, Session, Signed, next_after, page_after
from exchange.api.fapiao_shapes import (
    ConfirmationIn,
    FapiaoDetailsIn,
    FapiaoDetailsOut,
    FapiaoIn,
    FapiaoOut,
    FapiaoPage,
    FapiaoRefusalIn,
    FileForm,
    IssuedIn,
    RedFapiaoIn,
    details_out,
    out,
)
from exchange.api.once import OnceRoute
from exchange.identity.rules import STAFF, Caller, Role
from settlement.fapiao import commission, queries, rules, service
from settlement.fapiao.gateway import ByHand, Issuer
from settlement.fapiao.rules import (
    BadTaxId,
    Details,
    FapiaoDetailsMissing,
    FapiaoExists,
    FapiaoFileTooLarge,
    FapiaoFileUnsupported,
    FapiaoNothingLeft,
    FapiaoNotRed,
    FapiaoNumberTaken,
    FapiaoOutOfTurn,
)
from settlement.invoices import queries as invoices
from settlement.plans import queries as plans
from settlement.plans.rules import SERVICE_FEE

router = APIRouter(route_class=OnceRoute, tags=["fapiao"])

ISSUER: Issuer = ByHand()
_ASKING = (Role.BROADCASTER, Role.HOLDER, Role.OPERATOR, Role.APPROVER)
_ASK = {rules.PRICE: service.ask, rules.COMMISSION: commission.ask}
_ASK_RED = {rules.PRICE: service.ask_red, rules.COMMISSION: commission.ask_red}
MOST_WAITING = 1_000
ARRIVES_WITHIN_S = 60.0
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file as the tax authority's platform gave it.",
        "content": {"application/octet-stream": _BYTES},
    }
}


@router.put(
    "/parties/{party_id}/fapiao-details",
    responses=problems.signed(Malformed, Unknown, BadTaxId, BadName),
)
async def say_fapiao_details(
    party_id: UUID, body: FapiaoDetailsIn, session: Session, caller: Signed, now: Now
) -> FapiaoDetailsOut:
    """Say to whom the fapiao of one's own organisation are made out from now on.

    Staff say it of the exchange, which is the seller of its commission.
    """
    caller.need("money", *_ASKING)
    if party_id != (EXCHANGE_PARTY_ID if caller.is_staff else caller.party_id):
        raise Unknown("There is no such party.")
    row = await service.say_details(
        session, party_id, details=Details(**dict(body)), person_id=caller.person_id, now=now
    )
    return details_out(row)


@router.get("/parties/{party_id}/fapiao-details", responses=problems.signed(Unknown))
async def get_fapiao_details(party_id: UUID, session: Session, caller: Signed) -> FapiaoDetailsOut:
    """Return to whom a party's fapiao are made out, to itself and staff."""
    caller.need("read")
    if not caller.is_staff and party_id != caller.party_id:
        raise Unknown("There are no such details.")
    return details_out(await queries.get_details(session, party_id))


@router.put(
    "/fapiaos/{fapiao_id}",
    status_code=201,
    responses={
        200: {"model": FapiaoOut, "description": "It was asked for before."},
        **problems.signed(
            Malformed, Unknown, IdReused, FapiaoExists, FapiaoNothingLeft,
            FapiaoDetailsMissing,
        ),
    },
)  # fmt: skip
async def ask_for_fapiao(
    fapiao_id: UUID,
    body: FapiaoIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> FapiaoOut:
    """Ask for the fapiao of what an invoice still says (开票申请): its buyer, or an operator.

    Of the commission in it, its licensor asks.
    """
    caller.need("money", *_ASKING)
    await _check_buys(session, caller, body)
    row, new = await _ASK[body.kind](
        session,
        fapiao_id,
        invoice_id=body.invoice_id,
        type=body.type,
        person_id=caller.person_id,
        now=now,
    )
    if not new:
        response.status_code = 200
    return await out(session, row)


@router.put(
    "/red-fapiaos/{fapiao_id}",
    status_code=201,
    responses={
        200: {"model": FapiaoOut, "description": "It was asked for before."},
        **problems.signed(
            Malformed, Unknown, IdReused, FapiaoExists, FapiaoNotRed, FapiaoDetailsMissing
        ),
    },
)
async def ask_for_red_fapiao(
    fapiao_id: UUID,
    body: RedFapiaoIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> FapiaoOut:
    """Ask for the red fapiao of a red letter, for staff."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    row, new = await _ASK_RED[body.kind](
        session,
        fapiao_id,
        red_letter_id=body.red_letter_id,
        confirmation=body.confirmation,
        person_id=caller.person_id,
        now=now,
    )
    if not new:
        response.status_code = 200
    return await out(session, row)


@router.post(
    "/fapiaos/{fapiao_id}/confirmation",
    responses=problems.signed(Malformed, Unknown, FapiaoOutOfTurn),
)
async def confirm_red_fapiao(
    fapiao_id: UUID, body: ConfirmationIn, session: Session, caller: Signed, now: Now
) -> FapiaoOut:
    """Note how the confirmation sheet of a red fapiao went on; a void one refuses it."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    row = await service.confirm(session, fapiao_id, state=body.confirmation, now=now)
    return await out(session, row)


@router.post(
    "/fapiaos/{fapiao_id}/issue",
    responses=problems.signed(Malformed, Unknown, FapiaoOutOfTurn, FapiaoNumberTaken),
)
async def record_fapiao(
    fapiao_id: UUID, body: IssuedIn, session: Session, caller: Signed, now: Now
) -> FapiaoOut:
    """Note that a fapiao was issued, with its number, for staff."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    row = await service.record(
        session,
        fapiao_id,
        number=body.number,
        issued_on=body.issued_on,
        person_id=caller.person_id,
        now=now,
    )
    return await out(session, row)


@router.post(
    "/fapiaos/{fapiao_id}/refusal",
    responses=problems.signed(Malformed, Unknown, FapiaoOutOfTurn),
)
async def refuse_fapiao(
    fapiao_id: UUID, body: FapiaoRefusalIn, session: Session, caller: Signed, now: Now
) -> FapiaoOut:
    """Note that a fapiao will not be issued, and why, for staff."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    row = await service.refuse(session, fapiao_id, reason=body.reason.strip(), now=now)
    return await out(session, row)


@router.put(
    "/fapiaos/{fapiao_id}/files/{form}",
    openapi_extra=_FILE,
    responses=problems.signed(
        Unknown, FapiaoOutOfTurn, FapiaoFileUnsupported, FapiaoFileTooLarge, BodyTooSlow
    ),
)
async def keep_fapiao_file(
    fapiao_id: UUID, form: FileForm, request: Request, context: Ctx, now: Now
) -> FapiaoOut:
    """Keep the PDF, OFD or XML of an issued fapiao, once each, for staff."""
    async with context.db.transaction() as session:
        caller = await deps.get_caller(await deps.find_caller(request, session, now))
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    most = rules.MOST_BYTES
    content = await read_file(
        request,
        most_bytes=most,
        within_s=ARRIVES_WITHIN_S,
        too_long=FapiaoFileTooLarge("The file is too large.", most_bytes=most),
    )
    async with context.db.transaction() as session:
        return await kept(session, fapiao_id, form, content, caller=caller, now=now)


async def kept(
    session: AsyncSession,
    fapiao_id: UUID,
    form: str,
    content: bytes,
    *,
    caller: Caller,
    now: Now,
) -> FapiaoOut:
    """Keep a file that has arrived, by whichever door."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    await service.keep_file(
        session, fapiao_id, form=form, content=content, person_id=caller.person_id, now=now
    )
    return await out(session, await queries.get_fapiao(session, fapiao_id, party_id=None))


@router.get(
    "/fapiaos/{fapiao_id}/files/{form}",
    response_class=Response,
    responses={
        200: {
            "description": "The file, as it came; its SHA-256 is the ETag.",
            "content": dict.fromkeys(rules.MEDIA_TYPES.values(), _BYTES),
        },
        **problems.signed(Unknown),
    },
)
async def get_fapiao_file(
    fapiao_id: UUID, form: FileForm, session: Session, caller: Signed
) -> Response:
    """Return a file of a fapiao to its buyer, its seller and staff, as a file to save."""
    caller.need("read")
    row = await queries.get_fapiao(session, fapiao_id, party_id=caller.for_party)
    file = await queries.get_file(session, fapiao_id, form)
    headers = {
        "Content-Disposition": f'attachment; filename="{row.number}.{form}"',
        "ETag": f'"{file.sha256}"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    return Response(file.content, media_type=rules.MEDIA_TYPES[form], headers=headers)


@router.get(
    "/fapiao-requests",
    response_class=Response,
    responses={
        200: {
            "description": "All that waits, with exactly the fields to enter.",
            "content": {"application/json": {}, "text/csv": {"schema": {"type": "string"}}},
        },
        **problems.signed(),
    },
)
async def export_fapiao_requests(
    session: Session, caller: Signed, form: Literal["json", "csv"] = "csv"
) -> Response:
    """Return the file from which people enter what waits at the tax authority's platform."""
    caller.need("read", *STAFF)
    rows = await queries.waiting(session, limit=MOST_WAITING)
    waiting = [(queries.document_of(row), row.confirmation) for row in rows]
    headers = {
        "Content-Disposition": f'attachment; filename="fapiao-requests.{form}"',
        "Cache-Control": "no-store",
    }
    media = "application/json" if form == "json" else "text/csv; charset=utf-8"
    return Response(ISSUER.hand_over(waiting, form), media_type=media, headers=headers)


@router.get("/fapiaos", responses=problems.signed())
async def list_fapiaos(
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> FapiaoPage:
    """List the fapiao that one's own organisation buys or sells with; staff see everybody's."""
    caller.need("read")
    rows = await queries.page(
        session, party_id=caller.for_party, after=page_after(after), limit=limit
    )
    return FapiaoPage(items=[await out(session, row) for row in rows], next=next_after(rows, limit))


@router.get("/fapiaos/{fapiao_id}", responses=problems.signed(Unknown))
async def get_fapiao(fapiao_id: UUID, session: Session, caller: Signed) -> FapiaoOut:
    """Return a fapiao to its buyer, its seller and staff."""
    caller.need("read")
    return await out(
        session, await queries.get_fapiao(session, fapiao_id, party_id=caller.for_party)
    )


async def _check_buys(session: AsyncSession, caller: Caller, body: FapiaoIn) -> None:
    """Check that a fapiao is asked for by who buys, or by staff.

    Raises:
        Unknown: there is no such invoice, or others buy.
    """
    invoice = await invoices.get_invoice_of(session, body.invoice_id, payer_id=None)
    settlement = await plans.get_settlement(session, invoice.deal_id)
    of_buyer = body.kind == rules.PRICE or settlement.kind == SERVICE_FEE
    buyer_id = settlement.licensee_id if of_buyer else settlement.licensor_id
    if not caller.is_staff and caller.party_id != buyer_id:
        raise Unknown("There is no such invoice.")
