"""Facts, and the live feed."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from pydantic import ConfigDict

from contracts.facts.rules import SealedFact
from contracts.log import queries
from contracts.refusal import InvalidContent
from exchange import streams
from exchange.api import problems
from exchange.api.deps import MaybeCaller, Session, Shape
from exchange.identity.rules import Caller, ScopeMissing, SignInNeeded
from exchange.telling import Viewer

router = APIRouter(tags=["facts"])

LONGEST_IDLE_S = 3600
_SUBJECT = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"
_FACT: dict[str, Any] = {
    "seq": 41,
    "id": "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a02",
    "kind": "listing.ended",
    "subject": _SUBJECT,
    "record": {"listing": _SUBJECT, "outcome": "unsold"},
    "recorded_at": "2026-11-22T09:00:00Z",
}

STREAM: dict[str, Any] = {
    "description": (
        "Events: `id` is the fact's number, `event` its kind, `data` the fact and `server_time`. "
        "Every five seconds an event `clock`, without `id`, holds `server_time` alone."
    ),
    "content": {
        "text/event-stream": {
            "schema": {"type": "string"},
            "example": "id: 41\nevent: listing.ended\ndata: {…}\n\n",
        }
    },
}
After = Annotated[
    int,
    Query(ge=-1, le=2**62, description="The last number seen; -1 for none.", examples=[40]),
]
IdleS = Annotated[
    int, Query(ge=0, le=LONGEST_IDLE_S, description="End after so long without a fact.")
]
LastEventId = Annotated[
    int | None,
    Header(ge=-1, le=2**62, description="Goes before `after`.", examples=[40]),
]
Subject = Annotated[
    UUID | None, Query(description="Only facts about this object.", examples=[_SUBJECT])
]


class FactOut(Shape):
    """Something that happened, with its number: the index of its leaf in the log."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FACT]})

    seq: int
    id: UUID
    kind: str
    subject: UUID
    record: dict[str, Any]
    recorded_at: datetime

    @classmethod
    def of(cls, fact: SealedFact) -> "FactOut":
        """Show a sealed fact."""
        return cls(
            seq=fact.seq,
            id=fact.id,
            kind=fact.kind,
            subject=fact.subject,
            record=dict(fact.record),
            recorded_at=fact.recorded_at,
        )


class FactsOut(Shape):
    """A page of facts in order; `next` is the number to pass as `after`, or null at the end."""

    items: list[FactOut]
    next: int | None


def _viewer(caller: Caller | None, subject: UUID | None) -> Viewer:
    if caller is None:
        return Viewer(None, staff=False, subject=subject)
    caller.need("read")
    return Viewer(caller.party_id, staff=caller.is_staff, subject=subject)


@router.get("/facts", responses=problems.responses(SignInNeeded, ScopeMissing, InvalidContent))
async def list_facts(
    session: Session,
    caller: MaybeCaller,
    after: After = queries.BEFORE_ALL,
    subject: Subject = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> FactsOut:
    """List sealed facts by number: public ones, and those that name the caller's party."""
    viewer = _viewer(caller, subject)
    found = await queries.sealed_facts(
        session,
        after=after,
        limit=limit,
        viewer_party=viewer.party,
        staff=viewer.staff,
        subject=subject,
    )
    return FactsOut(
        items=[FactOut.of(fact) for fact in found],
        next=found[-1].seq if len(found) == limit else None,
    )


@router.get(
    "/feed",
    response_class=streams.EventStream,
    responses={
        200: STREAM,
        **problems.responses(SignInNeeded, ScopeMissing, InvalidContent),
    },
)
async def follow_feed(
    request: Request,
    caller: MaybeCaller,
    after: After = queries.BEFORE_ALL,
    subject: Subject = None,
    idle_s: IdleS = 300,
    last_event_id: LastEventId = None,
) -> streams.EventStream:
    """Follow facts live (server-sent events), from the first or after the one last seen.

    A browser that lost its connection resumes by itself: `Last-Event-ID` goes before `after`.
    Who reads too slowly is cut off, and resumes the same way.
    """
    return stream(request, _viewer(caller, subject), after, last_event_id, idle_s)


def stream(
    request: Request, viewer: Viewer, after: int, last_event_id: int | None, idle_s: int
) -> streams.EventStream:
    """Answer with what the viewer may read above the number last seen."""
    follower = request.app.state.feed.follow(
        viewer,
        after=after if last_event_id is None else last_event_id,
        idle_s=float(idle_s),
        cut=streams.cutter(request.scope),
    )
    return streams.EventStream(follower)
