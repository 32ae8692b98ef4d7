"""Listings of one's own: the list, the form that drafts one, publication."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import EXPONENTS
from contracts.rights import vocabulary
from exchange.api import listings as api
from exchange.api import masters as masters_api
from exchange.api import works as works_api
from exchange.api.deps import Ctx, Now, Session
from exchange.portal import render, said, sales
from exchange.portal.forms import Form, Sent, shape
from exchange.portal.language import ZONE, Language, mark
from exchange.portal.visitors import Holder, Visitor

router = APIRouter(prefix="/listings")
PAGE = 50
MOST_CHOICES = 200
MOST_RIGHTS = 3
# The territories and languages of most offers stand as boxes; all others are typed as codes.
NEAR = ("CN", "HK", "MO", "TW")
SPOKEN = ("zh", "en", "zxx")
KINDS = {
    "exclusive": mark("Exclusive"),
    "sole": mark("Sole"),
    "non-exclusive": mark("Non-exclusive"),
}


@router.get("")
async def listings_page(
    request: Request, visitor: Holder, session: Session, after: UUID | None = None
) -> Response:
    """Show what the visitor's organisation offers, drafts too."""
    found = await api.my_listings(session=session, caller=visitor.caller, after=after, limit=PAGE)
    return render.page(request, "listings.html", listings=found.items, next=found.next)


@router.get("/new")
async def listing_form(
    request: Request,
    visitor: Holder,
    session: Session,
    now: Now,
    *,
    work: str = "",
    master: str = "",
    way: str = "english",
) -> Response:
    """Show the form that drafts a listing, sold in one way; the others are a click away."""
    spoken = render.speaks(request)
    chosen = sales.way(way)
    return render.page(
        request,
        "listing_new.html",
        listing_id=ids.new(now),
        auction_id=ids.new(now),
        work=work,
        master=master,
        way=way if way in sales.WAYS else "english",
        way_hint=spoken.say(chosen.hint),
        asks=chosen.asks,
        ways=sales.choices(spoken),
        payments=sales.payments(chosen, spoken),
        further_criteria=sales.FURTHER_CRITERIA,
        **await own(session, visitor, spoken),
        **vocabulary_of(spoken),
        **times(now),
    )


@router.post("")
async def send_listing(
    request: Request, visitor: Holder, form: Sent, session: Session, now: Now
) -> Response:
    """Save a draft and show it."""
    listing_id = form.id("listing_id")
    body = shape(
        api.ListingIn,
        work_id=form.id("work_id"),
        master_id=form.id("master_id"),
        rights=[right(form, n) for n in range(1, MOST_RIGHTS + 1) if form.text(f"right_{n}")],
        sale=sales.read(form),
    )
    await api.draft_listing(
        listing_id=listing_id,
        given=body,
        now=now,
        session=session,
        caller=visitor.caller,
        response=Response(),
    )
    return render.see(request, f"/listings/{listing_id}")


@router.post("/{listing_id}/publication")
async def send_publication(
    request: Request,
    listing_id: UUID,
    visitor: Holder,
    session: Session,
    context: Ctx,
    *,
    now: Now,
) -> Response:
    """Publish a draft: compare its master, reserve the rights, open the auction."""
    await api.publish_listing(
        listing_id=listing_id, now=now, session=session, caller=visitor.caller, context=context
    )
    return render.see(request, f"/listings/{listing_id}")


def right(form: Form, n: int) -> dict[str, Any]:
    """Read the fields of one right, as `right_form.html` asks for them."""
    return {
        "right": form.text(f"right_{n}"),
        "media": form.many(f"media_{n}") + form.words(f"more_media_{n}"),
        "territories": form.many(f"territories_{n}") + form.codes(f"more_territories_{n}"),
        "excluded": form.codes(f"excluded_{n}"),
        "languages": form.many(f"languages_{n}") + form.words(f"more_languages_{n}"),
        "first_day": form.day(f"first_day_{n}").isoformat(),
        "last_day": form.day(f"last_day_{n}").isoformat(),
        "tz": form.text(f"tz_{n}"),
        "exclusivity": form.text(f"exclusivity_{n}"),
        "runs_max": form.whole(f"runs_max_{n}") if form.text(f"runs_max_{n}") else None,
    }


async def own(session: AsyncSession, visitor: Visitor, spoken: Language) -> dict[str, Any]:
    """Return the works and the examined masters of the visitor's organisation, for choosers."""
    works = await works_api.list_works(session, visitor.caller, None, MOST_CHOICES)
    masters = await masters_api.list_masters(session, visitor.caller, None, MOST_CHOICES)
    return {
        "works": [(each.id, spoken.pick(each.title_zh, each.title_en)) for each in works.items],
        "masters": [(each.id, each.filename) for each in masters.items if each.state == "ready"],
    }


def vocabulary_of(spoken: Language) -> dict[str, Any]:
    """Return the words that the fields of a right choose among."""
    rights = {code: right for code, right in vocabulary.RIGHTS.items() if right.licensable}
    near = {code: vocabulary.TERRITORIES[code] for code in NEAR}
    languages = {code: vocabulary.LANGUAGES[code] for code in SPOKEN}
    return {
        "rights": said.choices(rights, spoken),
        "media": said.choices(vocabulary.MEDIA, spoken),
        "territories": [
            *((code, said.territory(code, spoken)) for code in near),
            (vocabulary.WORLD, said.territory(vocabulary.WORLD, spoken)),
        ],
        "languages_": [
            *said.choices(languages, spoken),
            (vocabulary.ANY_LANGUAGE, spoken.say(mark("all languages"))),
        ],
        "kinds": [(code, spoken.say(text)) for code, text in KINDS.items()],
        "currencies": [(code, code) for code in EXPONENTS],
    }


def times(now: datetime) -> dict[str, Any]:
    """Suggest a sale of one week that opens at once, and a licence of two calendar years."""
    here = now.astimezone(ZONE).replace(second=0, microsecond=0)
    closes = here + timedelta(days=7)
    return {
        "opens_at": here.strftime("%Y-%m-%dT%H:%M"),
        "closes_at": closes.strftime("%Y-%m-%dT%H:%M"),
        "free_until": closes.strftime("%Y-%m-%dT%H:%M"),
        "timed_closes_at": (closes + timedelta(seconds=300)).strftime("%Y-%m-%dT%H:%M:%S"),
        "hard_stop_at": (closes + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M"),
        "first_day": f"{here.year + 1}-01-01",
        "last_day": f"{here.year + 2}-12-31",
    }
