"""The payment provider as the staff sees it: its balance beside the ledger, and what differs."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from exchange.api import clearing as api
from exchange.api.deps import Now, Session
from exchange.portal import render
from exchange.portal.visitors import Staff

router = APIRouter(prefix="/console/provider")
PAGE = 100


@router.get("")
async def provider_page(
    request: Request, visitor: Staff, session: Session, now: Now, after: UUID | None = None
) -> Response:
    """Show the last comparison of each currency, and every difference with its age."""
    cutoffs = await api.list_cutoffs(session=session, caller=visitor.caller)
    found = await api.list_differences(
        session=session, caller=visitor.caller, now=now, after=after, limit=PAGE
    )
    return render.page(
        request,
        "provider.html",
        cutoffs=cutoffs.items,
        differences=found.items,
        next=found.next,
        standin=request.app.state.context.settings.stripe_is_standin,
    )
