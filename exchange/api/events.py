"""Events of works (院线首映, 首播, 交付母版 …): the days that windows are counted from."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import AwareDatetime, ConfigDict, Field

from contracts.encumbrances import queries, service
from contracts.encumbrances.moments import UnknownEvent
from contracts.encumbrances.rules import EventAhead, EventSettled
from contracts.encumbrances.tables import WorkEvent
from contracts.parties.rules import BadName
from contracts.refusal import Malformed
from contracts.window import BadWindow
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Now, Session, Shape, Signed
from exchange.api.encumbrances import READ
from exchange.api.works import Day
from exchange.identity.rules import Role

router = APIRouter(route_class=JsonRoute, tags=["works"])


class EventIn(Shape):
    """The day on which something happened; a reason only where the exchange corrects it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"happened_on": "2026-10-01"}]})

    happened_on: Day
    reason: Annotated[str, Field(max_length=1000)] | None = None


class EventOut(Shape):
    """An event that has a day."""

    code: str
    happened_on: date
    reason: str | None
    recorded_at: AwareDatetime


class EventsOut(Shape):
    """The events of a work that have a day, in the order of their days."""

    items: Sequence[EventOut]


@router.put(
    "/works/{work_id}/events/{code}",
    responses=problems.responses(
        *READ, Malformed, BadName, BadWindow, UnknownEvent, EventAhead, EventSettled
    ),
)
async def record_work_event(
    work_id: UUID,
    code: Annotated[str, Path(max_length=40)],
    body: EventIn,
    *,
    session: Session,
    caller: Signed,
    now: Now,
) -> EventOut:
    """Record the day of an event of one's own work, once; windows count from it at once."""
    caller.need("list", Role.HOLDER, Role.OPERATOR)
    event = await service.record_event(
        session, work_id, code,
        by=caller.for_party, happened_on=body.happened_on, reason=body.reason, now=now,
    )  # fmt: skip
    return _event_out(event)


@router.get("/works/{work_id}/events", responses=problems.responses(*READ))
async def list_work_events(work_id: UUID, session: Session, caller: Signed) -> EventsOut:
    """List the events of a work that have a day; the vocabulary is short, so there are no pages."""
    caller.need("read")
    await queries.need_owner(session, work_id, viewer=caller.for_party)
    events = await queries.events(session, work_id)
    return EventsOut(items=[_event_out(event) for event in events])


def _event_out(row: WorkEvent) -> EventOut:
    return EventOut(**row.model_dump(include=set(EventOut.model_fields)))
