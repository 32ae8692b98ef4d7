"""Tax residences as the staff sees them: recorded by one person, decided by another."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from exchange.api import withholding as api
from exchange.api import withholding_shapes as shapes
from exchange.api.deps import Now, Session
from exchange.console.deciding import Decided
from exchange.portal import names, render
from exchange.portal.forms import Sent, shape
from exchange.portal.language import Language
from exchange.portal.visitors import Staff

router = APIRouter(prefix="/console/tax-residences")
PAGE = 50
TREATY = ("certificate_no", "evidence", "evidence_sha256")


@router.get("")
async def residences_page(
    request: Request, visitor: Staff, session: Session, now: Now, after: UUID | None = None
) -> Response:
    """Show every residence, and the form that records one."""
    spoken = render.speaks(request)
    found = await api.list_tax_residences(
        session=session, caller=visitor.caller, after=after, limit=PAGE
    )
    return render.page(
        request,
        "tax_residences.html",
        residences=[await _shown(session, one, spoken) for one in found.items],
        next=found.next,
        residence_id=ids.new(now),
    )


@router.post("")
async def send_residence(
    request: Request, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Record where a party is resident; without a certificate it claims no treaty."""
    residence_id = form.id("residence_id")
    treaty: dict[str, Any] | None = None
    if form.maybe("certificate_no") is not None:
        days = {name: form.day(name).isoformat() for name in ("valid_from", "valid_to")}
        treaty = {**{name: form.text(name) for name in TREATY}, **days}
    body = shape(
        shapes.TaxResidenceIn,
        country=form.text("country"),
        since=form.day("since").isoformat(),
        treaty=treaty,
    )
    await api.record_tax_residence(
        party_id=form.id("party_id"), residence_id=residence_id, body=body, response=Response(),
        session=session, caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, f"/console/tax-residences/{residence_id}")


@router.get("/{residence_id}")
async def residence_page(
    request: Request, residence_id: UUID, visitor: Staff, session: Session
) -> Response:
    """Show a residence with all that its decision is about."""
    found = await api.get_tax_residence(
        residence_id=residence_id, session=session, caller=visitor.caller
    )
    return render.page(
        request,
        "tax_residence.html",
        residence=await _shown(session, found, render.speaks(request)),
        prepared_by_name=await names.person(session, found.prepared_by),
        decided_by_name=await names.person(session, found.decided_by),
        mine=found.prepared_by == visitor.caller.person_id,
    )


@router.post("/{residence_id}/{verdict}")
async def send_verdict(request: Request, residence_id: UUID, sent: Decided) -> Response:
    """Approve or refuse exactly the residence that the page showed."""
    await sent.decide(
        api.approve_tax_residence, api.refuse_tax_residence, residence_id=residence_id
    )
    return render.see(request, f"/console/tax-residences/{residence_id}")


async def _shown(
    session: AsyncSession, one: shapes.TaxResidenceOut, spoken: Language
) -> dict[str, Any]:
    return {**one.model_dump(), "name": await names.party(session, one.party_id, spoken=spoken)}
