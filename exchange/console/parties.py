"""Parties as the staff sees them, and their verification."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from exchange.api import parties as api
from exchange.api.deps import Now, Session
from exchange.portal import render
from exchange.portal.visitors import Staff

router = APIRouter(prefix="/console/parties")
PAGE = 50


@router.get("")
async def parties_page(
    request: Request, visitor: Staff, session: Session, after: UUID | None = None
) -> Response:
    """Show every organisation."""
    found = await api.list_parties(session=session, caller=visitor.caller, after=after, limit=PAGE)
    return render.page(request, "parties.html", parties_=found.items, next=found.next)


@router.post("/{party_id}/verification")
async def send_verification(
    request: Request, party_id: UUID, visitor: Staff, session: Session, now: Now
) -> Response:
    """Mark an organisation as verified."""
    await api.verify_party(party_id=party_id, session=session, caller=visitor.caller, now=now)
    return render.see(request, "/console/parties")
