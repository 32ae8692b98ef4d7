"""Runs of a grant: what was shown, how many runs that used, and the form that logs a telecast."""

from datetime import datetime, time
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from contracts import ids
from contracts.refusal import InvalidContent
from contracts.runs import queries
from exchange.api import runs as api
from exchange.api.deps import Now, Session
from exchange.portal import names, register, render
from exchange.portal.forms import Form, Sent, shape
from exchange.portal.visitors import SignedIn

router = APIRouter(prefix="/works/{work_id}/grants/{grant_id}/runs")
MOST_SHOWN = 200


@router.get("")
async def runs_page(
    request: Request,
    work_id: UUID,
    grant_id: UUID,
    visitor: SignedIn,
    *,
    session: Session,
    now: Now,
) -> Response:
    """Show the runs of a grant to its two sides, the owners of the work, and staff."""
    caller, spoken = visitor.caller, render.speaks(request)
    found = await api.get_runs(work_id, grant_id, session, caller)
    logged = await api.list_telecasts(
        work_id=work_id, grant_id=grant_id, session=session, caller=caller, limit=MOST_SHOWN
    )
    viewer = caller.for_party
    grant = await queries.get_grant(session, work_id, grant_id, viewer=viewer)
    licensee = grant.licensee_name or "–"
    if grant.grantee_id is not None:
        licensee = await names.party(session, grant.grantee_id, spoken=spoken)
    operates = visitor.role == "operator"
    return render.page(
        request,
        "runs.html",
        **await register.about(session, work_id, visitor, spoken),
        grant_id=grant_id,
        wire=grant.wire,
        licensee=licensee,
        runs=found,
        cancelled=[one for one in logged.items if one.cancelled_at is not None],
        is_plain=found.rule.repeats_max == 0,
        telecast_id=ids.new(now),
        may_log=operates or grant.grantee_id == caller.party_id,
        may_agree=operates or grant.grantor_id == caller.party_id,
    )


@router.post("")
async def send_telecast(
    request: Request,
    work_id: UUID,
    grant_id: UUID,
    visitor: SignedIn,
    form: Sent,
    *,
    session: Session,
    now: Now,
) -> Response:
    """Log a telecast."""
    body = shape(
        api.TelecastIn,
        channel=form.text("channel"),
        started_at=_local(form),
        tz=form.text("tz"),
    )
    await api.log_telecast(
        work_id=work_id, grant_id=grant_id, telecast_id=form.id("telecast_id"),
        body=body, session=session, caller=visitor.caller, now=now, response=Response(),
    )  # fmt: skip
    return _back(request, work_id, grant_id)


@router.post("/{telecast_id}/cancellation")
async def send_cancellation(  # noqa: PLR0913 - three ids name a telecast.
    request: Request,
    work_id: UUID,
    grant_id: UUID,
    telecast_id: UUID,
    visitor: SignedIn,
    form: Sent,
    *,
    session: Session,
    now: Now,
) -> Response:
    """Say that a telecast was logged wrongly."""
    body = shape(api.CancellationIn, reason=form.text("reason"))
    await api.cancel_telecast(
        work_id=work_id, grant_id=grant_id, telecast_id=telecast_id,
        body=body, session=session, caller=visitor.caller, now=now,
    )  # fmt: skip
    return _back(request, work_id, grant_id)


@router.post("/rule")
async def send_rule(
    request: Request,
    work_id: UUID,
    grant_id: UUID,
    visitor: SignedIn,
    form: Sent,
    *,
    session: Session,
    now: Now,
) -> Response:
    """Agree how showings make runs."""
    body = shape(
        api.RunRuleIn,
        repeats_max=form.whole("repeats_max"),
        same_channel=form.text("same_channel") == "yes",
        day_starts_min=_minutes(form),
        **_validity(form),
    )
    await api.agree_run_rule(
        work_id, grant_id, body, session=session, caller=visitor.caller, now=now
    )
    return _back(request, work_id, grant_id)


def _back(request: Request, work_id: UUID, grant_id: UUID) -> Response:
    return render.see(request, f"/works/{work_id}/grants/{grant_id}/runs")


def _local(form: Form) -> datetime:
    """Return the instant that was typed on the clock of the channel."""
    try:
        typed = datetime.fromisoformat(form.text("started_at"))
        zone = ZoneInfo(form.text("tz"))
    except (ValueError, KeyError, OSError) as error:
        wrong = [{"field": "started_at", "rule": "not a time, or not a zone"}]
        raise InvalidContent("A field breaks its rule.", errors=wrong) from error
    return typed if typed.tzinfo else typed.replace(tzinfo=zone)


def _validity(form: Form) -> dict[str, int]:
    """Return within how many hours, or broadcast days, repeats belong to a run."""
    return {
        name: form.whole("length")
        for name in ("within_hours", "within_days")
        if form.text("within") == name
    }


def _minutes(form: Form) -> int:
    """Return the minutes after midnight of a clock time such as `06:00`."""
    try:
        typed = time.fromisoformat(form.text("day_starts") or "00:00")
    except ValueError as error:
        wrong = [{"field": "day_starts", "rule": "not a time of day"}]
        raise InvalidContent("A field breaks its rule.", errors=wrong) from error
    return typed.hour * 60 + typed.minute
