"""What people enter into the register of a work: holds, records, promises, consents, events."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.encumbrances.rules import FOR_SOMEBODY
from contracts.encumbrances.rules import KINDS as ENCUMBRANCES
from contracts.refusal import Unknown
from contracts.rights import axes, notation, vocabulary
from exchange.api import documents, encumbrances, events, grants
from exchange.api.deps import Now, Session
from exchange.identity.rules import Caller
from exchange.portal import encumbered, register, render, rights, said
from exchange.portal.forms import Form, Sent, shape
from exchange.portal.language import ZONE, Language, mark
from exchange.portal.visitors import SignedIn

router = APIRouter(prefix="/works/{work_id}/register")
MOST_PAPERS = 200
TITLES = {
    "hold": mark("Hold rights for somebody"),
    "record": mark("Record a licence made elsewhere"),
    "encumbrance": mark("Declare a promise or charge"),
    "consent": mark("Consent to an exception"),
}


@router.get("/new/{kind}")
async def entry_form(
    request: Request,
    work_id: UUID,
    kind: str,
    visitor: SignedIn,
    *,
    session: Session,
    now: Now,
    of: UUID | None = None,
) -> Response:
    """Show the form of an entry: a hold, a record, a promise or charge, or a consent to one."""
    if kind not in TITLES or (kind == "consent") != (of is not None):
        raise Unknown("There is nothing at this address.")
    spoken, caller = render.speaks(request), visitor.caller
    if kind in ("hold", "record"):
        await grants.list_grants(work_id, session, caller, limit=1)
    elif of is None:
        await encumbrances.list_encumbrances(work_id, session, caller, limit=1)
    else:
        await encumbrances.get_encumbrance(work_id, of, session, caller)
    return render.page(
        request,
        "register_new.html",
        kind=kind,
        heading=spoken.say(TITLES[kind]),
        entry_id=ids.new(now),
        of=of,
        papers=await _papers(session, work_id, caller) if kind == "record" else [],
        **await register.about(session, work_id, visitor, spoken),
        **_choosers(spoken),
        **_days(now),
    )


@router.post("/holds")
async def send_hold(
    request: Request, work_id: UUID, visitor: SignedIn, form: Sent, *, session: Session, now: Now
) -> Response:
    """Hold rights for a party until an instant."""
    body = shape(
        grants.HoldIn,
        grantee_id=form.id("grantee_id"),
        rights=[_right(form)],
        expires_at=form.instant("expires_at"),
    )
    await grants.place_hold(
        work_id, form.id("entry_id"), body, Response(), session, visitor.caller, now
    )
    return _back(request, work_id)


@router.post("/holds/{hold_id}/lift")
async def send_lift_of_hold(
    request: Request, work_id: UUID, hold_id: UUID, visitor: SignedIn, session: Session, now: Now
) -> Response:
    """Give a hold up."""
    await grants.lift_hold(work_id, hold_id, session, visitor.caller, now)
    return _back(request, work_id)


@router.post("/records")
async def send_record(
    request: Request, work_id: UUID, visitor: SignedIn, form: Sent, *, session: Session, now: Now
) -> Response:
    """Record a licence that was made off the exchange."""
    body = shape(
        grants.RecordIn,
        licensee_id=form.maybe("licensee_id"),
        licensee_name=form.maybe("licensee_name"),
        rights=[_right(form)],
        documents=form.many("documents"),
    )
    await grants.record_grant(
        work_id, form.id("entry_id"), body, Response(), session, visitor.caller, now
    )
    return _back(request, work_id)


@router.post("/grants/{grant_id}/reversion")
async def send_reversion(
    request: Request,
    work_id: UUID,
    grant_id: UUID,
    visitor: SignedIn,
    form: Sent,
    *,
    session: Session,
    now: Now,
) -> Response:
    """Take a grant back (staff)."""
    body = shape(grants.ReversionIn, reason=form.text("reason"), note=form.text("note"))
    await grants.revert_grant(work_id, grant_id, body, session, visitor.caller, now)
    return _back(request, work_id)


@router.post("/encumbrances")
async def send_encumbrance(
    request: Request, work_id: UUID, visitor: SignedIn, form: Sent, *, session: Session, now: Now
) -> Response:
    """Declare a promise or charge."""
    body = shape(
        encumbrances.EncumbranceIn,
        kind=form.text("kind"),
        beneficiary_id=form.maybe("beneficiary_id"),
        beneficiary_name=form.maybe("beneficiary_name"),
        reference=form.maybe("reference"),
        **_terms(form),
    )
    await encumbrances.declare_encumbrance(
        work_id, form.id("entry_id"), body,
        session=session, caller=visitor.caller, now=now, response=Response(),
    )  # fmt: skip
    return _back(request, work_id)


@router.post("/encumbrances/{encumbrance_id}/lift")
async def send_lift(
    request: Request,
    work_id: UUID,
    encumbrance_id: UUID,
    visitor: SignedIn,
    form: Sent,
    *,
    session: Session,
    now: Now,
) -> Response:
    """Lift a promise or charge."""
    body = shape(encumbrances.LiftingIn, reason=form.text("reason"))
    await encumbrances.lift_encumbrance(
        work_id, encumbrance_id, body, session=session, caller=visitor.caller, now=now
    )
    return _back(request, work_id)


@router.post("/encumbrances/{encumbrance_id}/consents")
async def send_consent(
    request: Request,
    work_id: UUID,
    encumbrance_id: UUID,
    visitor: SignedIn,
    form: Sent,
    *,
    session: Session,
    now: Now,
) -> Response:
    """Consent, as whom a promise or charge serves, to an exception."""
    body = shape(
        encumbrances.ConsentIn, document_sha256=form.maybe("document_sha256"), **_terms(form)
    )
    await encumbrances.give_encumbrance_consent(
        work_id=work_id, encumbrance_id=encumbrance_id, consent_id=form.id("entry_id"),
        body=body, session=session, caller=visitor.caller, now=now, response=Response(),
    )  # fmt: skip
    return _back(request, work_id)


@router.post("/events")
async def send_event(
    request: Request, work_id: UUID, visitor: SignedIn, form: Sent, *, session: Session, now: Now
) -> Response:
    """Record the day of an event."""
    body = shape(
        events.EventIn, happened_on=form.day("happened_on"), reason=form.maybe("event_reason")
    )
    await events.record_work_event(
        work_id, form.text("event"), body, session=session, caller=visitor.caller, now=now
    )
    return _back(request, work_id)


async def _papers(session: AsyncSession, work_id: UUID, caller: Caller) -> list[tuple[UUID, str]]:
    """Return the filed documents of the work, for a record to name."""
    found = await documents.list_documents(work_id, session, caller, limit=MOST_PAPERS)
    return [(one.id, one.filename) for one in found.items if one.state == "filed"]


def _back(request: Request, work_id: UUID) -> Response:
    return render.see(request, f"/works/{work_id}/register")


def _right(form: Form) -> dict[str, Any]:
    """Return the right that a form names, as an offer names it."""
    named = form.text("right")
    is_bundle = named in {part.bundle for part in vocabulary.BUNDLES}
    numbers = ("runs_max", "round_no", "sublicence_depth")
    first_day = form.day("first_day")
    return {
        **({"bundle": named} if is_bundle else {"right": named, "media": form.many("media")}),
        **_places(form, on=first_day),
        "languages": form.words("languages"),
        "first_day": first_day,
        "last_day": form.day("last_day"),
        "tz": form.text("tz"),
        "exclusivity": form.text("exclusivity"),
        **{name: form.whole(name) for name in numbers if form.text(name)},
    }


def _terms(form: Form) -> dict[str, Any]:
    """Return what a promise, charge or consent covers, and when."""
    has_day = form.text("first_day") and not form.text("start_event")
    terms: dict[str, Any] = {
        "rights": [form.text("right") or "*"],
        "media": form.many("media") or ["*"],
        **_places(form, on=form.day("first_day") if has_day else axes.TODAY),
        "languages": form.words("languages"),
        "tz": form.text("tz"),
    }
    for day, moment in (("first_day", "start"), ("last_day", "end")):
        if form.text(f"{moment}_event"):
            lag = form.maybe(f"{moment}_lag")
            terms[moment] = {"event": form.text(f"{moment}_event"), "lag": lag}
        elif form.text(day):
            terms[day] = form.day(day)
    return terms


def _places(form: Form, *, on: date) -> dict[str, Any]:
    """Return the territories that were typed in notation, as codes; groups as they are on a day."""
    mask = notation.territories(form.text("territories"), on=on)
    included, excluded = axes.TERRITORIES.said(mask)
    return {"territories": list(included), "excluded": list(excluded)}


def _choosers(spoken: Language) -> dict[str, Any]:
    return {
        **rights.choosers(spoken),
        "burdens": [(code, encumbered.kind(code, spoken)) for code in ENCUMBRANCES],
        "for_somebody": FOR_SOMEBODY,
        "events": [("", "–"), *said.choices(vocabulary.EVENTS, spoken)],
        "rounds": [
            ("", "–"),
            *(
                (str(one.number), said.both(one.zh, one.en, spoken))
                for one in vocabulary.ROUNDS.values()
            ),
        ],
    }


def _days(now: datetime) -> dict[str, Any]:
    year = now.astimezone(ZONE).year
    return {"first_day": f"{year + 1}-01-01", "last_day": f"{year + 2}-12-31"}
