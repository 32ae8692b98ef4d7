"""Recognition for a rights holder: what a master resembles, and what one can say to it."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts import ids
from contracts.works import queries as works
from exchange import recognition_verbs
from exchange.api import declarations
from exchange.api import recognition as api
from exchange.api.deps import Ctx, Now, Session
from exchange.portal import render
from exchange.portal.forms import Form, Sent, shape
from exchange.portal.language import mark
from exchange.portal.visitors import Holder
from listings.masters import queries as masters
from listings.recognition import queries

router = APIRouter()
KINDS: Mapping[str, str] = {
    "same-file": mark("The same file, or the same coded picture"),
    "copy": mark("All of it is the same picture"),
    "excerpt": mark("A part of the listed work is in it"),
    "contains": mark("All of the listed work is in it, with more around it"),
    "versions": mark("Several parts are the same: another cut"),
    "picture-only": mark("The same picture with other sound"),
    "sound-only": mark("The same sound with another picture"),
}
REASONS: Mapping[str, str] = {
    "own": mark("The listed work is your own: a version of it."),
    "same-work": mark("It is listed as the same work: a version of it."),
    "declared": mark("Accounted for by a declaration that was accepted."),
    "settled": mark("The exchange's staff decided."),
    "same-file": mark("The file, or its coded picture, is the same."),
    "long": mark("Picture and motion are the same over a long stretch."),
    "short": mark("The stretch is short: a person has to look."),
    "sound-only": mark("Only the sound is the same: a person has to listen."),
    "unsure": mark("The evidence is weak: a person has to look."),
    "found": mark("Found, not judged yet."),
}
CLAIMS: Mapping[str, str] = {
    "version": mark("An own version of the work"),
    "archive": mark("Shared archive footage"),
    "licensed": mark("Used under a licence"),
}
# Instants of a stretch that pictures are shown of: clear of its ends, where a cut may be.
LOOKS = (1 / 6, 1 / 2, 5 / 6)


@router.get("/masters/{master_id}/recognition")
async def recognition_page(
    request: Request, master_id: UUID, visitor: Holder, session: Session, context: Ctx, *, now: Now
) -> Response:
    """Show what a master resembles, and the form that declares what it is."""
    master = await masters.get_master_of(session, master_id, visitor.caller.party_id)
    found = await api.out(session, master)
    own = await recognition_verbs.sight(context).instants(master_id)
    return render.page(
        request,
        "recognition.html",
        master=master,
        recognition=found,
        likenesses=[likeness(one, here=own, there=()) for one in found.resemblances],
        claims=[(code, render.speaks(request).say(text)) for code, text in CLAIMS.items()],
        declaration_id=ids.new(now),
        claimed=CLAIMS,
    )


@router.post("/masters/{master_id}/recognition")
async def send_search(
    request: Request, master_id: UUID, visitor: Holder, session: Session, now: Now
) -> Response:
    """Have a master compared once more."""
    await api.search_again(master_id=master_id, session=session, caller=visitor.caller, now=now)
    return render.see(request, f"/masters/{master_id}/recognition")


@router.post("/masters/{master_id}/declarations")
async def send_declaration(
    request: Request, master_id: UUID, visitor: Holder, form: Sent, session: Session, *, now: Now
) -> Response:
    """Declare what a stretch in common is."""
    body = shape(
        declarations.DeclarationIn,
        listing_id=form.id("listing_id"),
        claim=form.text("claim"),
        source=form.text("source"),
        **_stretch(form),
    )
    await declarations.make_declaration(
        master_id=master_id,
        declaration_id=form.id("declaration_id"),
        body=body,
        response=Response(),
        session=session,
        caller=visitor.caller,
        now=now,
    )
    return render.see(request, f"/masters/{master_id}/recognition")


@router.get("/declarations")
async def declarations_page(request: Request, visitor: Holder, session: Session) -> Response:
    """Show what others declare about one's own listings, to object to it in time."""
    rows = await queries.against(session, visitor.caller.party_id)
    said = []
    for row in rows:
        listed = await queries.get_protected(session, row.listing_id)
        work = await works.get_work(session, listed.work_id)
        said.append({"declaration": declarations.shown(row), "work": work})
    return render.page(request, "declarations.html", said=said, claimed=CLAIMS)


@router.post("/masters/{master_id}/declarations/{declaration_id}/objection")
async def send_objection(
    request: Request,
    master_id: UUID,
    declaration_id: UUID,
    visitor: Holder,
    form: Sent,
    session: Session,
    *,
    now: Now,
) -> Response:
    """Object to a declaration about one's own listing."""
    await declarations.object_to_declaration(
        master_id=master_id,
        declaration_id=declaration_id,
        body=shape(declarations.ObjectionIn, objection=form.text("objection")),
        session=session,
        caller=visitor.caller,
        now=now,
    )
    return render.see(request, "/declarations")


def likeness(
    one: api.ResemblanceOut, *, here: Sequence[int], there: Sequence[int]
) -> dict[str, Any]:
    """Return a resemblance as pages show it; `here` and `there` say whether there are pictures."""
    return {
        **one.model_dump(exclude={"segments", "kind", "why"}),
        "kind": KINDS[one.kind],
        "why": REASONS[one.why],
        "stretches": [_shown(each, here, there) for each in one.segments],
    }


def _shown(one: api.SegmentOut, here: Sequence[int], there: Sequence[int]) -> dict[str, Any]:
    far_ms = one.length_ms * one.slope_bp // 10_000
    looks = []
    for share in LOOKS:
        at, far = one.here_ms + int(one.length_ms * share), one.there_ms + int(far_ms * share)
        looks.append(
            {
                "here": clock(at), "there": clock(far),
                "here_ms": at if here else None, "there_ms": far if there else None,
            }
        )  # fmt: skip
    return {
        **one.model_dump(),
        "here": f"{clock(one.here_ms)} – {clock(one.here_ms + one.length_ms)}",
        "there": f"{clock(one.there_ms)} – {clock(one.there_ms + far_ms)}",
        "looks": [look for look in looks if look["here_ms"] is not None],
    }


def clock(at_ms: int) -> str:
    """Write an instant of a master as hours, minutes and seconds."""
    seconds = at_ms // 1000
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def _stretch(form: Form) -> dict[str, int]:
    """Read the stretch in seconds; empty fields stand for all that is in common."""
    if not form.text("from_s") and not form.text("length_s"):
        return {}
    return {"here_ms": form.whole("from_s") * 1000, "length_ms": form.whole("length_s") * 1000}
