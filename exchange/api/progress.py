"""How far the examination of a master is, live (server-sent events)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from contracts.refusal import InvalidContent, Unknown
from exchange import clock
from exchange.api import problems
from exchange.api.deps import Ctx, Session, Shape, Signed
from exchange.context import Context
from exchange.identity.rules import ScopeMissing, SignInNeeded
from listings.examinations import queries
from listings.masters import queries as masters

router = APIRouter(tags=["masters"])

POLL_S = 0.3
BEAT_S = 15.0  # below the 30 s after which common proxies close a silent connection
LONGEST_S = 900.0  # then the client comes back, and its key or session is looked at again
SETTLED = ("ready", "refused")


class ProgressOut(Shape):
    """How far an examination is.

    `done_bp` is the share of the `stage` that is done, in basis points; `pieces` is how many pieces
    the master is decoded in, `pieces_done` how many of them are done; `eta_s` is about how many
    seconds decoding still takes, null while nothing can be said of it.
    """

    state: str
    stage: str
    done_bp: int
    pieces: int
    pieces_done: int
    eta_s: int | None


@router.get(
    "/masters/{master_id}/progress",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Events named `progress`; the last one has the state ready or refused.",
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "example": 'event: progress\ndata: {"state":"examining","stage":"decoding",'
                    '"done_bp":4200,"pieces":12,"pieces_done":5,"eta_s":340}\n\n',
                }
            },
        },
        **problems.responses(SignInNeeded, ScopeMissing, Unknown, InvalidContent),
    },
)
async def follow_progress(
    master_id: UUID,
    session: Session,
    caller: Signed,
    context: Ctx,
    idle_s: Annotated[
        int, Query(ge=0, le=3600, description="End after so long without a change.")
    ] = 300,
) -> StreamingResponse:
    """Follow an examination until it ends; staff follow every party's."""
    caller.need("read")
    if caller.is_staff:
        await masters.get_master(session, master_id)
    else:
        await masters.get_master_of(session, master_id, caller.party_id)
    return StreamingResponse(
        _stream(context, master_id, float(idle_s)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(context: Context, master_id: UUID, idle_s: float) -> AsyncIterator[str]:
    now = asyncio.get_running_loop().time
    end, moved, spoken, told = now() + LONGEST_S, now(), now(), None
    yield "retry: 1000\n\n"
    while now() < end:
        seen = await look(context, master_id)
        if seen != told:
            told, moved, spoken = seen, now(), now()
            yield f"event: progress\ndata: {seen.model_dump_json()}\n\n"
        if seen.state in SETTLED or now() - moved >= idle_s:
            return
        if now() - spoken >= BEAT_S:
            spoken = now()
            yield ": beat\n\n"
        await asyncio.sleep(POLL_S)


async def look(context: Context, master_id: UUID) -> ProgressOut:
    """Return how far an examination is, in a transaction of its own.

    Raises:
        Unknown: there is no such master.
    """
    async with context.db.transaction() as session:
        master = await masters.get_master(session, master_id)
        found = await queries.progress(session, master, now=clock.now())
    return ProgressOut(
        state=master.state,
        stage=found.stage,
        done_bp=found.done_bp,
        pieces=found.pieces,
        pieces_done=found.pieces_done,
        eta_s=found.eta_s,
    )
