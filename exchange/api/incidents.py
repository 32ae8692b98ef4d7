"""Incidents of auctions: what staff does about them, and what everybody is told."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field

from contracts.deals.rules import DealExecuted
from contracts.refusal import (
    CommitUnknown,
    IdReused,
    InvalidContent,
    Malformed,
    Unknown,
)
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Limit, Now, Session, Shape, Signed, next_after, page_after
from exchange.identity.rules import STAFF, Role
from listings.auctions import queries as auctions
from listings.auctions.refusals import BadSale
from listings.incidents import queries, rules, service
from listings.incidents.tables import Incident

router = APIRouter(route_class=JsonRoute, tags=["incidents"])

_SIGNED = (*problems.SIGNED, Malformed)
Kind = Literal["pause", "resume", "rebid", "void", "default"]


class IncidentIn(Shape):
    """A measure about an auction; bidding anew names the new auction, a default the paddle."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "pause", "reason": "系统时钟校准"}]}
    )

    kind: Annotated[Kind, Field(description="暂停, 继续, 重新报价, 作废, 违约")]
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    auction_id: UUID | None = None
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    hard_stop_at: datetime | None = None
    paddle: Annotated[int, Field(strict=True, ge=1)] | None = None

    def measure(self) -> service.Measure:
        """Return what is to be done; times are left out when any of them is missing."""
        times = None
        if self.auction_id and self.opens_at and self.closes_at:
            times = service.Times(self.auction_id, self.opens_at, self.closes_at, self.hard_stop_at)
        return service.Measure(self.kind, self.reason, times, self.paddle)


class DecisionIn(Shape):
    """What the second person says."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"outcome": "done"}]})

    outcome: Literal["done", "refused"]


class IncidentOut(Shape):
    """A measure, who proposed it and who decided it."""

    id: UUID
    auction_id: UUID
    kind: Kind
    reason: str
    detail: dict[str, Any]
    state: Literal["proposed", "done", "refused"]
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None


class IncidentsOut(Shape):
    """A page of incidents in the order of their ids."""

    items: list[IncidentOut]
    next: UUID | None


class MomentOut(Shape):
    """A pause, a move of the end, a default or the voiding, as the auction's log has it."""

    seq: int
    kind: Literal["paused", "resumed", "extended", "voided", "defaulted"]
    at: datetime
    body: dict[str, Any]


class MomentsOut(Shape):
    """What happened to an auction besides bids; a void one names its successor."""

    auction_id: UUID
    supersedes: UUID | None
    successor: UUID | None
    items: list[MomentOut]


@router.put(
    "/auctions/{auction_id}/incidents/{incident_id}",
    responses={
        200: {"model": IncidentOut, "description": "The incident, as it was reported before."},
        201: {"model": IncidentOut, "description": "Done, or proposed to a second person."},
        **problems.responses(
            *_SIGNED, Unknown, IdReused, rules.BadIncident, rules.IncidentState, CommitUnknown
        ),
    },
)
async def report_incident(
    auction_id: UUID,
    incident_id: UUID,
    given: IncidentIn,
    now: Now,
    session: Session,
    caller: Signed,
    response: Response,
) -> IncidentOut:
    """Pause or resume an auction at once; propose to void it, to bid anew, or a default."""
    caller.need("list", Role.OPERATOR)
    incident, created = await service.report(
        session,
        incident_id,
        auction_id=auction_id,
        measure=given.measure(),
        person_id=caller.person_id,
        now=now,
    )
    response.status_code = 201 if created else 200
    return out(incident)


@router.post(
    "/incidents/{incident_id}/decision",
    responses=problems.responses(
        *_SIGNED, Unknown, rules.IncidentDecided, rules.SecondPersonNeeded, rules.IncidentState,
        IdReused, BadSale, DealExecuted, CommitUnknown,
    ),
)  # fmt: skip
async def decide_incident(
    incident_id: UUID, given: DecisionIn, now: Now, session: Session, caller: Signed
) -> IncidentOut:
    """Carry out what a colleague proposed, or refuse it (复核)."""
    caller.need("read", Role.OPERATOR, Role.APPROVER)
    incident = await service.decide(
        session, incident_id, outcome=given.outcome, person_id=caller.person_id, now=now
    )
    return out(incident)


@router.get("/incidents", responses=problems.responses(*_SIGNED))
async def list_incidents(
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> IncidentsOut:
    """List the incidents of every auction: for the staff."""
    caller.need("read", *STAFF)
    items = [
        out(each) for each in await queries.page(session, after=page_after(after), limit=limit)
    ]
    return IncidentsOut(items=items, next=next_after(items, limit))


@router.get(
    "/auctions/{auction_id}/incidents", responses=problems.responses(Unknown, InvalidContent)
)
async def get_incidents(auction_id: UUID, session: Session) -> MomentsOut:
    """Tell what happened to an auction besides bids: pauses, moved ends, voiding. Public."""
    auction = await auctions.get_auction(session, auction_id)
    found = await queries.moments(session, auction_id)
    return MomentsOut(
        auction_id=auction_id,
        supersedes=auction.supersedes,
        successor=await queries.successor(session, auction_id),
        items=[
            MomentOut.model_validate(
                {"seq": one.seq, "kind": one.kind, "at": one.at, "body": one.body}
            )
            for one in found
        ],
    )


def out(incident: Incident) -> IncidentOut:
    """Return an incident as the staff sees it."""
    return IncidentOut.model_validate(incident.model_dump(include=set(IncidentOut.model_fields)))
