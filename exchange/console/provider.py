"""The payment provider as the staff sees it: its balance beside the ledger, and what differs."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from exchange.api import clearing as api
from exchange.api import provider_suspense as suspense_api
from exchange.api.deps import Now, Session
from exchange.portal import names, render
from exchange.portal.forms import Sent
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


@router.get("/suspense")
async def suspense_page(request: Request, visitor: Staff, session: Session, now: Now) -> Response:
    """Show what the provider told and nothing explains, with who has it in hand."""
    found = await suspense_api.list_provider_suspense(
        session=session, caller=visitor.caller, now=now
    )
    items = [
        {**one.model_dump(), "owner": await names.person(session, one.owner_id)}
        for one in found.items
    ]
    return render.page(request, "provider_suspense.html", items=items, me=visitor.caller.person_id)


@router.post("/suspense/{item_id}/owner")
async def send_owner(
    *, request: Request, item_id: UUID, visitor: Staff, _form: Sent, session: Session, now: Now
) -> Response:
    """Take up money in suspense."""
    await suspense_api.take_up_provider_suspense(
        item_id=item_id, session=session, caller=visitor.caller, now=now
    )
    return render.see(request, "/console/provider/suspense")
