"""Runs (播出次数): the telecasts of a grant, the runs they use, and the statement of both."""

import csv
import io
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field, StrictBool

from contracts import rfc3339
from contracts.parties.rules import BadName
from contracts.refusal import IdReused, Malformed, Unknown
from contracts.runs import queries, rules, service
from contracts.runs.queries import Ledger
from contracts.runs.rules import (
    BadRunRule,
    OutsideGrant,
    Rule,
    RunBudgetSpent,
    RunRuleSettled,
    TelecastAhead,
    UnknownZone,
)
from contracts.runs.tables import RunRule, Telecast, TelecastCancelled
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Limit, Now, Session, Shape, Signed, next_after, page_after
from exchange.api.sales import Instant
from exchange.identity.rules import Role

router = APIRouter(route_class=JsonRoute, tags=["runs"])

_READ = (*problems.SIGNED, Unknown)
_LICENSEES = (Role.HOLDER, Role.BROADCASTER, Role.OPERATOR)
_GRANTORS = (Role.HOLDER, Role.OPERATOR)
# What a spreadsheet would take for a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class TelecastIn(Shape):
    """A showing: the channel, the instant at which it began, and the zone of the channel."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "channel": "示范卫视",
                    "started_at": "2027-03-01T11:30:00Z",
                    "tz": "Asia/Shanghai",
                }
            ]
        }
    )

    channel: Annotated[str, Field(max_length=400)]
    started_at: Instant
    tz: Annotated[str, Field(max_length=64, description="IANA zone of the channel's clock")]


class CancellationIn(Shape):
    """Why a telecast was logged wrongly; the grantor reads it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "当日改播其他节目"}]})

    reason: Annotated[str, Field(max_length=1000)]


class TelecastOut(Shape):
    """A telecast as it was logged, and why it was cancelled if it was."""

    id: UUID
    channel: str
    started_at: AwareDatetime
    tz: str
    logged_by: Annotated[UUID | None, Field(description="null: the exchange")]
    logged_at: AwareDatetime
    cancelled_at: AwareDatetime | None
    cancelled_reason: str | None


class TelecastPage(Shape):
    """A page of telecasts."""

    items: Sequence[TelecastOut]
    next: UUID | None


class RunRuleIn(Shape):
    """How showings make runs (重播计次规则); the plain rule counts each."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"repeats_max": 2, "within_hours": 48, "same_channel": True},
                {"repeats_max": 1, "within_days": 1, "day_starts_min": 360},
            ]
        }
    )

    repeats_max: Annotated[
        int, Field(strict=True, ge=0, le=rules.MOST_REPEATS, description="重播 in one run")
    ] = 0
    within_hours: Annotated[
        Annotated[int, Field(strict=True, ge=1, le=rules.LONGEST_HOURS)] | None,
        Field(description="From the start of the first showing; both ends are included."),
    ] = None
    within_days: Annotated[
        Annotated[int, Field(strict=True, ge=1, le=rules.LONGEST_DAYS)] | None,
        Field(description="In the place of hours: broadcast days, the first one among them."),
    ] = None
    same_channel: StrictBool = True
    day_starts_min: Annotated[
        int,
        Field(
            strict=True,
            ge=0,
            le=rules.LATEST_DAY_START_MIN,
            description="Minutes after midnight at which a broadcast day (播出日) starts.",
        ),
    ] = 0


class RunRuleOut(RunRuleIn):
    """The rule that stands."""


class ShowingOut(Shape):
    """A showing in a run."""

    telecast_id: UUID
    channel: str
    started_at: AwareDatetime
    tz: str
    broadcast_day: Annotated[str, Field(description="播出日, YYYY-MM-DD")]


class RunOut(Shape):
    """One run: the first showing, and its repeats."""

    showings: Sequence[ShowingOut]


class RunsOut(Shape):
    """How the runs of a grant stand."""

    runs_max: Annotated[int | None, Field(description="null: any number")]
    used: int
    left: int | None
    rule: RunRuleOut
    runs: Sequence[RunOut]


@router.put(
    "/works/{work_id}/grants/{grant_id}/telecasts/{telecast_id}",
    status_code=201,
    responses={
        200: {"model": TelecastOut, "description": "It was logged before, like this."},
        **problems.responses(
            *_READ, Malformed, IdReused, BadName, UnknownZone, TelecastAhead, OutsideGrant,
            RunBudgetSpent,
        ),
    },
)  # fmt: skip
async def log_telecast(  # noqa: PLR0913 - three ids name a telecast.
    *,
    work_id: UUID,
    grant_id: UUID,
    telecast_id: UUID,
    body: TelecastIn,
    session: Session,
    caller: Signed,
    now: Now,
    response: Response,
) -> TelecastOut:
    """Log a showing under one's own licence, once it has begun."""
    caller.need("deal", *_LICENSEES)
    row = await service.log_telecast(
        session, work_id, grant_id, telecast_id,
        by=caller.for_party, now=now,
        channel=body.channel, started_at=body.started_at, zone=body.tz,
    )  # fmt: skip
    if row.logged_at != now:
        response.status_code = 200
    return _telecast_out(row, await queries.find_cancellation(session, row))


@router.post(
    "/works/{work_id}/grants/{grant_id}/telecasts/{telecast_id}/cancellation",
    responses=problems.responses(*_READ, Malformed, IdReused, BadName),
)
async def cancel_telecast(
    *,
    work_id: UUID,
    grant_id: UUID,
    telecast_id: UUID,
    body: CancellationIn,
    session: Session,
    caller: Signed,
    now: Now,
) -> TelecastOut:
    """Say that a telecast was logged wrongly (更正); both entries stay, and it uses no run."""
    caller.need("deal", *_LICENSEES)
    telecast, cancelled = await service.cancel_telecast(
        session, work_id, grant_id, telecast_id,
        by=caller.for_party, reason=body.reason, now=now,
    )  # fmt: skip
    return _telecast_out(telecast, cancelled)


@router.get("/works/{work_id}/grants/{grant_id}/telecasts", responses=problems.responses(*_READ))
async def list_telecasts(
    *,
    work_id: UUID,
    grant_id: UUID,
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> TelecastPage:
    """List what was logged under a grant, for its two sides and the owners of the work."""
    caller.need("read")
    grant = await queries.get_grant(session, work_id, grant_id, viewer=caller.for_party)
    page = await queries.telecasts_page(session, grant, after=page_after(after), limit=limit)
    items = [_telecast_out(telecast, cancelled) for telecast, cancelled in page]
    return TelecastPage(items=items, next=next_after(items, limit))


@router.put(
    "/works/{work_id}/grants/{grant_id}/run-rule",
    responses=problems.responses(*_READ, Malformed, BadRunRule, RunRuleSettled),
)
async def agree_run_rule(
    work_id: UUID,
    grant_id: UUID,
    body: RunRuleIn,
    *,
    session: Session,
    caller: Signed,
    now: Now,
) -> RunRuleOut:
    """Say, as who granted, how showings make runs; once for each grant."""
    caller.need("deal", *_GRANTORS)
    row: RunRule = await service.agree_rule(
        session, work_id, grant_id, by=caller.for_party, rule=Rule(**body.model_dump()), now=now
    )
    return RunRuleOut.model_validate(row.rule(), from_attributes=True)


@router.get("/works/{work_id}/grants/{grant_id}/runs", responses=problems.responses(*_READ))
async def get_runs(work_id: UUID, grant_id: UUID, session: Session, caller: Signed) -> RunsOut:
    """Return how many runs are used and left, and which showings made each."""
    caller.need("read")
    grant = await queries.get_grant(session, work_id, grant_id, viewer=caller.for_party)
    ledger = await queries.ledger(session, grant)
    return RunsOut(
        runs_max=grant.runs_max,
        used=len(ledger.runs),
        left=ledger.left,
        rule=RunRuleOut.model_validate(ledger.rule, from_attributes=True),
        runs=[
            RunOut(showings=[_showing_out(one, ledger.rule) for one in run.showings])
            for run in ledger.runs
        ],
    )


@router.get(
    "/works/{work_id}/grants/{grant_id}/runs.csv",
    response_class=Response,
    responses={
        200: {
            "description": "One line for each showing: run, place in it, channel, start, day.",
            "content": {"text/csv": {"schema": {"type": "string"}}},
        },
        **problems.responses(*_READ),
    },
)
async def get_runs_statement(
    work_id: UUID, grant_id: UUID, session: Session, caller: Signed
) -> Response:
    """Return the statement of runs (播出次数对账单) as CSV, for a spreadsheet."""
    caller.need("read")
    grant = await queries.get_grant(session, work_id, grant_id, viewer=caller.for_party)
    text = _statement(await queries.ledger(session, grant))
    # The mark at the beginning is what spreadsheets know UTF-8 by.
    headers = {
        "Content-Disposition": 'attachment; filename="runs.csv"',
        "X-Content-Type-Options": "nosniff",
    }
    return Response("\ufeff" + text, media_type="text/csv; charset=utf-8", headers=headers)


def _statement(ledger: Ledger) -> str:
    lines = io.StringIO()
    written = csv.writer(lines, lineterminator="\r\n")  # RFC 4180 §2
    written.writerow(
        ("run", "showing", "channel", "started_at", "local_time", "broadcast_day", "telecast")
    )
    for number, run in enumerate(ledger.runs, start=1):
        for place, one in enumerate(run.showings, start=1):
            local = one.started_at.astimezone(ZoneInfo(one.zone))
            written.writerow(
                (
                    number, place, _plain(one.channel), rfc3339.exact(one.started_at),
                    local.isoformat(), rules.broadcast_day(one, ledger.rule), one.id,
                )
            )  # fmt: skip
    return lines.getvalue()


def _plain(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _showing_out(one: rules.Showing, rule: Rule) -> ShowingOut:
    return ShowingOut(
        telecast_id=one.id,
        channel=one.channel,
        started_at=one.started_at,
        tz=one.zone,
        broadcast_day=rules.broadcast_day(one, rule).isoformat(),
    )


def _telecast_out(row: Telecast, cancelled: TelecastCancelled | None) -> TelecastOut:
    return TelecastOut(
        id=row.id,
        channel=row.channel,
        started_at=row.started_at,
        tz=row.zone,
        logged_by=row.logged_by,
        logged_at=row.logged_at,
        cancelled_at=cancelled and cancelled.cancelled_at,
        cancelled_reason=cancelled and cancelled.reason,
    )
