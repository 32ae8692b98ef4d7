"""Small pictures of masters, for their owners and for staff who compare two of them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from contracts.refusal import InvalidContent, NotAllowed, Unknown
from exchange import recognition_verbs
from exchange.api import problems
from exchange.api.deps import Ctx, Session, Signed
from exchange.identity.rules import ScopeMissing, SignInNeeded
from listings.masters import queries as masters
from listings.recognition.rules import LONGEST_MS

router = APIRouter(tags=["masters"])

JPEG = "image/jpeg"
# A picture of a master never changes; only the browser that was let in may keep it.
KEEP = {"Cache-Control": "private, max-age=86400, immutable", "X-Content-Type-Options": "nosniff"}


@router.get(
    "/masters/{master_id}/thumbs/{at_ms}",
    response_class=Response,
    responses={
        200: {
            "description": "The picture nearest to the instant.",
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
    """Show the thumbnail nearest to an instant, to the master's owner and to staff."""
    caller.need("read")
    if caller.is_staff:
        await masters.get_master(session, master_id)
    else:
        await masters.get_master_of(session, master_id, caller.party_id)
    sight = recognition_verbs.sight(context)
    kept = await sight.instants(master_id)
    nearest = min(kept, key=lambda instant: abs(instant - at_ms), default=None)
    picture = b"" if nearest is None else await sight.thumbnail(master_id, nearest)
    if not picture:
        raise Unknown("There is no picture of this master.")
    return Response(picture, media_type=JPEG, headers=KEEP)
