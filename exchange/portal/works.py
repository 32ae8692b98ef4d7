"""Works: the list, the form, and one work with its shares, masters and listings."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import percent
from contracts.parties import queries as parties
from contracts.refusal import InvalidContent
from contracts.rights import vocabulary
from contracts.works import tree
from contracts.works.rules import COUNTRIES, KINDS
from exchange.api import masters as masters_api
from exchange.api import works as api
from exchange.api.deps import Now, Session
from exchange.portal import names, packages, render, said
from exchange.portal.forms import Form, Sent, shape
from exchange.portal.language import Language
from exchange.portal.visitors import Holder, Visitor
from listings.catalogue import queries as catalogue
from listings.masters import queries as masters_of

router = APIRouter()
PAGE = 50
MOST_CO_OWNERS = 3
MOST_SHOWN = 200
ROOT_KINDS = tuple(kind for kind in KINDS if kind not in tree.NEEDS_PARENT)


@router.get("/works")
async def works_page(
    request: Request, visitor: Holder, session: Session, after: UUID | None = None
) -> Response:
    """Show the works of the visitor's organisation."""
    found = await api.list_works(session, visitor.caller, after, PAGE)
    return render.page(request, "works.html", works=found.items, next=found.next)


@router.get("/works/new")
async def work_form(
    request: Request,
    visitor: Holder,
    session: Session,
    now: Now,
    parent: UUID | None = None,
    kind: str = "",
) -> Response:
    """Show the form that registers a work, or with `parent` a part or edit of that work."""
    above = None if parent is None else await api.get_work(parent, session, visitor.caller)
    may_be = ROOT_KINDS if above is None else tree.BELOW[above.kind]
    if above is not None and not may_be:
        tree.check_nesting(above.kind, parent_kind=above.kind)
    spoken = render.speaks(request)
    countries = [
        (code, said.both(word.zh, word.en, spoken))
        for code, word in vocabulary.TERRITORIES.items()
        if code in COUNTRIES
    ]
    kinds = [(code, spoken.say(render.word(code))) for code in may_be]
    return render.page(
        request,
        "work_new.html",
        work_id=ids.new(now),
        year=now.year,
        kind=kind,
        kinds=kinds,
        countries=countries,
        parent=above,
    )


@router.post("/works")
async def send_work(
    request: Request, visitor: Holder, form: Sent, session: Session, now: Now
) -> Response:
    """Register a work and show it."""
    work = shape(
        api.WorkIn,
        title_zh=form.text("title_zh"),
        title_en=form.text("title_en"),
        kind=form.text("kind"),
        year=form.whole("year"),
        country=form.text("country"),
        eidr=form.maybe("eidr"),
        isan=form.maybe("isan"),
        permit_no=form.maybe("permit_no"),
        dci=form.maybe("dci"),
        registration_no=form.maybe("registration_no"),
        parent_id=form.maybe("parent_id"),
        completed_on=form.maybe("completed_on"),
        published_on=form.maybe("published_on"),
    )
    work_id = form.id("work_id")
    await api.register_work(work_id, work, Response(), session, visitor.caller, now)
    return render.see(request, f"/works/{work_id}")


@router.get("/works/{work_id}")
async def work_page(request: Request, work_id: UUID, visitor: Holder, session: Session) -> Response:
    """Show one work to its registrant and its co-owners."""
    work = await api.get_work(work_id, session, visitor.caller)
    shares = await api.get_shares(work_id, session, visitor.caller)
    mine = visitor.caller.party_id
    masters = await masters_of.newest_of_work(session, work_id, party_id=mine, limit=MOST_SHOWN)
    return render.page(
        request,
        "work.html",
        work=work,
        mine=work.party_id == mine,
        above=await _above(session, work, visitor),
        below=await api.list_work_children(work_id, session, visitor.caller, limit=MOST_SHOWN),
        may_hold=tree.BELOW[work.kind],
        declared=len(shares.shares) > 1,
        shares=await _shares(session, shares, visitor, render.speaks(request)),
        masters=[masters_api.shown(master) for master in masters],
        **await packages.files_of(session, work, visitor),
        listings=await catalogue.newest_of_work(session, work_id, party_id=mine, limit=MOST_SHOWN),
    )


@router.post("/works/{work_id}/dates")
async def send_dates(
    request: Request, work_id: UUID, visitor: Holder, form: Sent, session: Session, now: Now
) -> Response:
    """Say when the work was completed or first published."""
    dates = shape(
        api.DatesIn,
        completed_on=form.maybe("completed_on"),
        published_on=form.maybe("published_on"),
    )
    await api.settle_work_dates(work_id, dates, session, visitor.caller, now)
    return render.see(request, f"/works/{work_id}")


@router.post("/works/{work_id}/shares")
async def send_shares(
    request: Request, work_id: UUID, visitor: Holder, form: Sent, session: Session, now: Now
) -> Response:
    """Declare who owns which part of the work."""
    owners = [_owner("own", form, visitor.caller.party_id)]
    for place in range(1, MOST_CO_OWNERS + 1):
        if form.text(f"party_{place}"):
            party_id = await _known(session, form.id(f"party_{place}"))
            owners.append(_owner(f"percent_{place}", form, party_id))
    body = shape(api.SharesIn, shares=owners)
    await api.declare_shares(work_id, body, session, visitor.caller, now)
    return render.see(request, f"/works/{work_id}")


@router.post("/works/{work_id}/shares/consent")
async def send_consent(
    request: Request, work_id: UUID, visitor: Holder, session: Session, now: Now
) -> Response:
    """Agree to one's own part and to exclusive licences."""
    await api.consent_to_share(work_id, session, visitor.caller, now)
    return render.see(request, f"/works/{work_id}")


async def _above(session: AsyncSession, work: api.WorkOut, visitor: Visitor) -> list[api.WorkOut]:
    """Return what the work stands below, the root first; only to who registered them all."""
    found: list[api.WorkOut] = []
    parent_id = work.parent_id if work.party_id == visitor.caller.party_id else None
    while parent_id is not None:
        found.append(await api.get_work(parent_id, session, visitor.caller))
        parent_id = found[-1].parent_id
    return found[::-1]


async def _known(session: AsyncSession, party_id: UUID) -> UUID:
    if await parties.find_party(session, party_id) is None:
        raise InvalidContent(
            "A field breaks its rule.", errors=[{"field": "party", "rule": "no such organisation"}]
        )
    return party_id


def _owner(field: str, form: Form, party_id: UUID) -> dict[str, Any]:
    return {"party_id": party_id, "share_bp": form.basis_points(field)}


async def _shares(
    session: AsyncSession, shares: api.SharesOut, visitor: Visitor, spoken: Language
) -> list[dict[str, Any]]:
    return [
        {
            "name": await names.party(session, share.party_id, spoken=spoken),
            "mine": share.party_id == visitor.caller.party_id,
            "percent": percent(share.share_bp),
            "consented": share.consented_at is not None,
        }
        for share in shares.shares
    ]
