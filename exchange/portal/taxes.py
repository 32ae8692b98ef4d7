"""Taxes withheld of one's own organisation, with their certificates, and its tax residences."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from exchange.api import withholding as api
from exchange.api.deps import Now, Session
from exchange.identity.rules import Caller
from exchange.portal import names, render
from exchange.portal.language import Language
from exchange.portal.visitors import SignedIn
from settlement.plans import queries as plans

router = APIRouter(prefix="/money/taxes")
PAGE = 50
COMING = 20  # settlements that are not paid out, for which the page reckons what would be withheld


@router.get("")
async def taxes_page(
    request: Request, visitor: SignedIn, session: Session, now: Now, after: UUID | None = None
) -> Response:
    """Show what was withheld, whether it was remitted, and the residences that it follows from."""
    caller = visitor.caller
    found = await api.list_withheld_taxes(session=session, caller=caller, after=after, limit=PAGE)
    spoken = render.speaks(request)
    told: dict[str, Any] = {"caller": caller, "spoken": spoken, "now": now}
    coming = [
        await of_settlement(session, deal_id, **told)
        for deal_id in await plans.to_be_paid(session, caller.party_id, limit=COMING)
    ]
    there = await api.list_tax_residences(session=session, caller=caller, after=None, limit=PAGE)
    return render.page(
        request,
        "my_taxes.html",
        withheld=found.items,
        next=found.next,
        residences=there.items,
        coming=[one for one in coming if one is not None],
    )


async def of_settlement(
    session: AsyncSession, deal_id: UUID, *, caller: Caller, spoken: Language, now: Now
) -> dict[str, Any] | None:
    """Return what is withheld of a settlement, as the caller may read it; None for nothing."""
    found = await api.get_settlement_withholding(
        deal_id=deal_id, session=session, caller=caller, now=now
    )
    if not found.payees:
        return None
    payees = [
        {**one.model_dump(), "name": await names.party(session, one.party_id, spoken=spoken)}
        for one in found.payees
    ]
    return {**found.model_dump(), "payees": payees}
