"""Posters and contact sheets of what is listed, and the proxies of one's own masters."""

from typing import Literal
from uuid import UUID

import anyio.to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from contracts.refusal import InvalidContent, Malformed, NotAllowed, Unknown
from exchange.api import listings, masters, problems
from exchange.api.deps import Ctx, MaybeCaller, Session, Signed
from exchange.api.films import ANSWERS, RangeOutside, film
from exchange.context import Context
from exchange.identity.rules import ScopeMissing, SignInNeeded
from listings.screeners import gateway

router = APIRouter(tags=["pictures"])

Picture = Literal["poster", "sheet"]
JPEG = "image/jpeg"
_BYTES = {"schema": {"type": "string", "format": "binary"}}
# What was taken from a master never changes, but a draft's pictures are its party's alone.
HEADERS = {"Cache-Control": "private, max-age=86400", "X-Content-Type-Options": "nosniff"}


@router.get(
    "/listings/{listing_id}/pictures/{picture}",
    response_class=Response,
    responses={
        200: {"content": {JPEG: _BYTES}},
        **problems.responses(Unknown, SignInNeeded, InvalidContent),
    },
)
async def get_listing_picture(
    listing_id: UUID, picture: Picture, context: Ctx, session: Session, caller: MaybeCaller
) -> Response:
    """Show the poster or the contact sheet of what is listed, to whoever sees the listing."""
    listing = await listings.get_listing(listing_id, session, caller)
    return await _picture(context, listing.master.id, picture)


@router.get(
    "/masters/{master_id}/pictures/{picture}",
    response_class=Response,
    responses={
        200: {"content": {JPEG: _BYTES}},
        **problems.responses(SignInNeeded, ScopeMissing, NotAllowed, Unknown, InvalidContent),
    },
)
async def get_master_picture(
    master_id: UUID, picture: Picture, context: Ctx, session: Session, caller: Signed
) -> Response:
    """Show the poster or the contact sheet of a master, to its owner and to staff."""
    await masters.get_master(master_id, session, caller)
    return await _picture(context, master_id, picture)


@router.get(
    "/masters/{master_id}/proxy",
    response_class=FileResponse,
    responses={
        **ANSWERS,
        **problems.responses(
            SignInNeeded,
            ScopeMissing,
            NotAllowed,
            Unknown,
            InvalidContent,
            Malformed,
            RangeOutside,
        ),
    },
)
async def get_proxy(
    master_id: UUID, request: Request, context: Ctx, session: Session, caller: Signed
) -> FileResponse:
    """Send the 720p proxy of a master, or the part that `Range` asks for, to owner and staff."""
    await masters.get_master(master_id, session, caller)
    try:
        path = await anyio.to_thread.run_sync(context.objects.local, gateway.proxy_key(master_id))
    except FileNotFoundError as gone:
        raise Unknown("This master has no proxy.") from gone
    return film(request, path, headers=HEADERS)


async def _picture(context: Context, master_id: UUID, picture: Picture) -> Response:
    key = f"derived/{master_id}/{picture}.jpg"
    try:
        content = await anyio.to_thread.run_sync(context.objects.read, key)
    except FileNotFoundError as gone:
        raise Unknown("There is no such picture of this master.") from gone
    return Response(content, media_type=JPEG, headers=HEADERS)
