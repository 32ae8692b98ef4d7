"""Small pictures of masters, for their owners and for staff who compare two of them.

The picture of exactly that instant is taken from the proxy; without one, the nearest that was kept.
"""

from typing import Annotated
from uuid import UUID

import anyio.to_thread
from fastapi import APIRouter, Path, Response

from contracts.refusal import InvalidContent, NotAllowed, Unknown
from exchange import recognition_verbs
from exchange.api import problems
from exchange.api.deps import Ctx, Session, Signed
from exchange.context import Context
from exchange.identity.rules import ScopeMissing, SignInNeeded
from listings.examinations import stills
from listings.examinations.gateway import scratch
from listings.masters import gateway
from listings.masters import queries as masters
from listings.masters.refusals import Examination
from listings.recognition.rules import LONGEST_MS
from listings.screeners.gateway import proxy_key

router = APIRouter(tags=["masters"])

JPEG = "image/jpeg"
# A picture of a master never changes; only the browser that was let in may keep it.
KEEP = {"Cache-Control": "private, max-age=86400, immutable", "X-Content-Type-Options": "nosniff"}


@router.get(
    "/masters/{master_id}/thumbs/{at_ms}",
    response_class=Response,
    responses={
        200: {
            "description": "The picture at the instant, or the nearest that was kept.",
            "content": {JPEG: {"schema": {"type": "string", "format": "binary"}}},
        },
        **problems.responses(SignInNeeded, ScopeMissing, NotAllowed, Unknown, InvalidContent),
    },
)
async def get_thumb(
    master_id: UUID,
    at_ms: Annotated[int, Path(ge=0, le=LONGEST_MS, examples=[12_000])],
    session: Session,
    caller: Signed,
    context: Ctx,
) -> Response:
    """Show the picture at an instant, to the master's owner and to staff."""
    caller.need("read")
    if caller.is_staff:
        await masters.get_master(session, master_id)
    else:
        await masters.get_master_of(session, master_id, caller.party_id)
    picture = await _exact(context, master_id, at_ms) or await _nearest(context, master_id, at_ms)
    if not picture:
        raise Unknown("There is no picture of this master.")
    return Response(picture, media_type=JPEG, headers=KEEP)


async def _exact(context: Context, master_id: UUID, at_ms: int) -> bytes:
    try:
        proxy = await anyio.to_thread.run_sync(context.objects.local, proxy_key(master_id))
    except FileNotFoundError:
        return b""
    sandbox = await gateway.sandbox(context.settings.sandbox)
    try:
        async with scratch(context.settings.objects / "scratch") as folder:
            return await stills.still(proxy, at_ms, folder=folder, sandbox=sandbox)
    except Examination:
        return b""


async def _nearest(context: Context, master_id: UUID, at_ms: int) -> bytes:
    sight = recognition_verbs.sight(context)
    kept = await sight.instants(master_id)
    nearest = min(kept, key=lambda instant: abs(instant - at_ms), default=None)
    return b"" if nearest is None else await sight.thumbnail(master_id, nearest)
