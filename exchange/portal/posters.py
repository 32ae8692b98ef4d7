"""Posters on pages: the picture of a listing, or a plain one where none was taken."""

from uuid import UUID

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from contracts.refusal import Unknown
from exchange.api import pictures as api
from exchange.api.deps import Ctx, Session
from exchange.portal import render
from exchange.portal.visitors import MaybeVisitor

router = APIRouter()


@router.get("/listings/{listing_id}/{picture}.jpg")
async def listing_picture(
    listing_id: UUID,
    picture: api.Picture,
    visitor: MaybeVisitor,
    context: Ctx,
    *,
    session: Session,
) -> Response:
    """Show the poster or the contact sheet of a listing; without one, the mark of the exchange."""
    caller = visitor.caller if visitor else None
    try:
        return await api.get_listing_picture(listing_id, picture, context, session, caller)
    except Unknown:
        return RedirectResponse(render.asset("mark.svg"), 307)
