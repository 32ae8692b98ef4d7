"""Announcing service fees: one person prepares a schedule, another approves it. Staff."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field

from contracts.canonical import NotCanonical
from contracts.refusal import IdReused, Malformed, Unknown
from exchange.api import problems
from exchange.api.decisions import (
    DECIDED,
    PROVING,
    ApprovalIn,
    RefusalIn,
    approving,
    refusing,
)
from exchange.api.deps import Limit, Now, Session, Shape, Signed, next_after, page_after
from exchange.api.fees import ScheduleShape, shape_of
from exchange.api.once import OnceRoute
from exchange.identity.rules import STAFF, Role
from settlement.fees import gateway, queries, service
from settlement.fees.reading import BadFeeSchedule
from settlement.fees.service import FeesNotAhead
from settlement.fees.tables import FeeProposal

router = APIRouter(prefix="/fees/announcements", route_class=OnceRoute, tags=["fees"])


class AnnouncementIn(Shape):
    """A schedule, and the day from which it is in force; the day has not begun."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"schedule": gateway.shipped()["gemas-2024"].wire(),
                          "valid_from": "2027-01-01"}]
        }
    )  # fmt: skip

    schedule: ScheduleShape
    valid_from: date


class ProposalOut(Shape):
    """A schedule that was prepared; `content_sha256` is over all that is decided: it and its day.

    `sha256` is the schedule's own hash, by which sales name it once it is in force.
    """

    id: UUID
    schedule: str
    sha256: str
    valid_from: date
    says: ScheduleShape
    state: Annotated[
        Literal["prepared", "approved", "refused"],
        Field(description="An approved one is announced, and in force from its day on."),
    ]
    content_sha256: str
    prepared_by: UUID
    prepared_at: AwareDatetime
    decided_by: UUID | None
    decided_at: AwareDatetime | None
    reason: str | None


class ProposalPage(Shape):
    """Schedules that were prepared; `next` is where the next page starts."""

    items: Sequence[ProposalOut]
    next: UUID | None


@router.put(
    "/{announcement_id}",
    status_code=201,
    responses={
        200: {"model": ProposalOut, "description": "It was prepared before."},
        **problems.signed(Malformed, IdReused, BadFeeSchedule, FeesNotAhead, NotCanonical),
    },
)
async def prepare_fees(
    *,
    announcement_id: UUID,
    body: AnnouncementIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> ProposalOut:
    """Prepare a schedule for everything that is published from a day on (经办).

    Nothing is announced before another person approves. What is on sale, agreed or signed keeps
    the schedule that it names.
    """
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    row, is_new = await service.prepare(
        session, announcement_id, wire=body.schedule.model_dump(), valid_from=body.valid_from,
        person_id=caller.person_id, now=now,
    )  # fmt: skip
    response.status_code = 201 if is_new else 200
    return _shown(row)


@router.get("", responses=problems.signed())
async def list_fee_announcements(
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> ProposalPage:
    """List the schedules that were prepared, decided or not, for staff."""
    caller.need("read", *STAFF)
    rows = await queries.proposals(session, after=page_after(after), limit=limit)
    return ProposalPage(items=[_shown(row) for row in rows], next=next_after(rows, limit))


@router.get("/{announcement_id}", responses=problems.signed(Unknown))
async def get_fee_announcement(
    announcement_id: UUID, session: Session, caller: Signed
) -> ProposalOut:
    """Return a schedule that was prepared, with all that its decision is about, to staff."""
    caller.need("read", *STAFF)
    return _shown(await queries.get_proposal(session, announcement_id))


@router.post(
    "/{announcement_id}/approval",
    responses=problems.responses(*DECIDED, *PROVING, FeesNotAhead),
)
async def approve_fees(
    announcement_id: UUID, body: ApprovalIn, session: Session, caller: Signed, now: Now
) -> ProposalOut:
    """Approve a schedule that another person prepared (复核): it is announced to everybody.

    Refused once its day has begun.
    """
    decision = await approving(session, caller, body, now=now)
    return _shown(await service.approve(session, announcement_id, decision=decision, now=now))


@router.post("/{announcement_id}/refusal", responses=problems.responses(*DECIDED))
async def refuse_fees(
    announcement_id: UUID, body: RefusalIn, session: Session, caller: Signed, now: Now
) -> ProposalOut:
    """Refuse a schedule that another person prepared, with a reason; nothing is announced."""
    decision, reason = refusing(caller, body), body.reason.strip()
    done = await service.refuse(session, announcement_id, decision=decision, reason=reason, now=now)
    return _shown(done)


def _shown(row: FeeProposal) -> ProposalOut:
    said = row.model_dump(exclude={"content"})
    return ProposalOut.model_validate({**said, "says": shape_of(row.read())})
