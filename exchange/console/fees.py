"""Fee schedules as the staff sees them: what is in force and to come, prepared, decided by two."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import UploadFile

from contracts import canonical, ids
from contracts.money import EXPONENTS, MOST_MINOR, Money
from contracts.refusal import InvalidContent
from exchange.api import fee_announcements as api
from exchange.api import fees as fees_api
from exchange.api.deps import Now, Session
from exchange.console import deciding
from exchange.console.deciding import Verdict
from exchange.portal import names, render
from exchange.portal.forms import Form, Sent, shape
from exchange.portal.visitors import Staff
from settlement.fees import comparing, gateway, queries, reading, rules, service
from settlement.fees.rules import Case, Schedule

router = APIRouter(prefix="/console/fees")
PAGE = 50
# 200 tiers with texts as long as those that ship need 100 KiB.
MOST_CHARACTERS = 300_000
# UTF-8 takes up to three bytes for a sign, and the fields of the form stand around it.
LONGEST_FILE_BYTES = 3 * MOST_CHARACTERS + 64 * 1024
# Listed prices of a preview, in whole units of the currency: in each of the usual tiers one.
PRICES = (10_000, 1_000_000, 10_000_000, 100_000_000)
USUAL = "CNY"


@router.get("")
async def fees_page(request: Request, _visitor: Staff, session: Session, now: Now) -> Response:
    """Show the schedules in force, to come and waiting, and the form that takes another."""
    return await _page(request, session, now=now, preview=None)


@router.post("/preview")
async def preview_fees(
    request: Request, _visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Show what a schedule would charge and change; nothing is kept."""
    body = await _body(request, form)
    schedule = reading.read_new(body.schedule.model_dump())
    service.check_ahead(body.valid_from, now=now)
    values = await _compared(session, schedule, valid_from=body.valid_from)
    raw = canonical.dumps(schedule.wire()).decode()
    preview = {**values, "raw": raw, "announcement_id": ids.new(now)}
    return await _page(request, session, now=now, preview=preview)


@router.post("")
async def send_fees(
    request: Request, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Prepare a schedule as the preview showed it; another person decides."""
    announcement_id = form.id("announcement_id")
    await api.prepare_fees(
        announcement_id=announcement_id, body=await _body(request, form), response=Response(),
        session=session, caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, f"/console/fees/{announcement_id}")


@router.get("/{announcement_id}")
async def proposal_page(
    request: Request, announcement_id: UUID, visitor: Staff, session: Session
) -> Response:
    """Show a schedule with all that its decision is about."""
    row = await queries.get_proposal(session, announcement_id)
    found = await api.get_fee_announcement(announcement_id, session, visitor.caller)
    schedule = row.read()
    waits = found.state == "prepared"
    values = await _compared(session, schedule, valid_from=row.valid_from) if waits else None
    return render.page(
        request,
        "fee_schedule.html",
        proposal=found,
        schedule=schedule,
        compared=values,
        prepared_by_name=await names.person(session, found.prepared_by),
        decided_by_name=await names.person(session, found.decided_by),
        mine=found.prepared_by == visitor.caller.person_id,
    )


@router.post("/{announcement_id}/{verdict}")
async def send_verdict(
    *,
    request: Request,
    announcement_id: UUID,
    verdict: Verdict,
    visitor: Staff,
    form: Sent,
    session: Session,
    now: Now,
) -> Response:
    """Approve or refuse exactly the schedule that the page showed."""
    told: dict[str, Any] = {"session": session, "caller": visitor.caller, "now": now}
    if verdict == "approval":
        body = await deciding.approval(session, visitor, form, now=now)
        await api.approve_fees(announcement_id=announcement_id, body=body, **told)
    else:
        refusal = deciding.refusal(form)
        await api.refuse_fees(announcement_id=announcement_id, body=refusal, **told)
    return render.see(request, f"/console/fees/{announcement_id}")


async def _page(
    request: Request,
    session: AsyncSession,
    *,
    now: datetime,
    preview: dict[str, Any] | None,
) -> Response:
    spoken, today, dated = render.speaks(request), rules.day_of(now), await queries.dated(session)
    to_come = sorted((one for one in dated if one[0] > today), key=lambda one: one[0])
    proposals = [
        {"id": row.id, "schedule": row.read(), "valid_from": row.valid_from,
         "prepared_at": row.prepared_at, "state": row.state}
        for row in await queries.latest(session, limit=PAGE)
    ]  # fmt: skip
    shipped = gateway.shipped().values()
    return render.page(
        request,
        "fee_schedules.html",
        standing=comparing.standing(dated, sorted(EXPONENTS), on=today),
        to_come=to_come,
        proposals=proposals,
        shipped=[(one.id, spoken.pick(one.name_zh, one.name_en)) for one in shipped],
        preview=preview,
    )


async def _body(request: Request, form: Form) -> api.AnnouncementIn:
    """Return the schedule that a form chose, uploaded or pasted, and its day.

    Raises:
        InvalidContent: there is none, several, or a field breaks its rule.
        NotCanonical: the text is no strict JSON.
    """
    chosen, typed = form.text("shipped"), form.long("schedule", most=MOST_CHARACTERS)
    sent = (await request.form()).get("file")
    raw = await sent.read() if isinstance(sent, UploadFile) and sent.filename else b""
    if sum(map(bool, (chosen, typed, raw))) != 1:
        rule = "choose one that ships, a file or a text, and only one of them"
        raise InvalidContent(
            "A field breaks its rule.", errors=[{"field": "schedule", "rule": rule}]
        )
    if chosen:
        known = gateway.shipped().get(chosen)
        wire: Any = None if known is None else known.wire()
    else:
        wire = canonical.loads(raw or typed.encode())
    return shape(api.AnnouncementIn, schedule=wire, valid_from=form.day("valid_from").isoformat())


async def _compared(
    session: AsyncSession, schedule: Schedule, *, valid_from: date
) -> dict[str, Any]:
    """Return what a schedule charges and what it changes against what it takes the place of."""
    dated = await queries.dated(session)
    replaced = comparing.replaced(dated, schedule, on=valid_from)
    currency = schedule.currency or USUAL
    before = rules.find_in_force(dated, on=valid_from, currency=currency)
    return {
        "schedule": schedule,
        "valid_from": valid_from,
        "currency": currency,
        "replaced": [(one, comparing.changes(one.schedule, schedule)) for one in replaced],
        "charges": [
            {
                "now": None
                if before is None
                else fees_api.quote_of(before[1], case, on=valid_from),
                "then": fees_api.quote_of(schedule, case, on=valid_from),
            }
            for case in _cases(currency)
        ],
    }


def _cases(currency: str) -> list[Case]:
    """Return sales at the listed price, and bid up by a fifth."""
    found = []
    for whole in PRICES:
        listed = Money(min(whole * 10 ** EXPONENTS[currency], MOST_MINOR // 2), currency)
        risen = Money(listed.amount_minor * 6 // 5, currency)
        found += [Case(rules.NEGOTIATED, listed, listed), Case(rules.BID, listed, risen)]
    return found
