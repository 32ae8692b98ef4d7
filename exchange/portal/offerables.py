"""Rights open to offers: broadcasters choose among them, holders open and close their own."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts import ids
from contracts.deals import pricing
from exchange.api import offerables as api
from exchange.api.deps import Ctx, Now, Session
from exchange.portal import listings, negotiating, render
from exchange.portal.forms import Sent, shape
from exchange.portal.visitors import Holder, SignedIn

router = APIRouter(prefix="/offerables")
PAGE = 50


@router.get("")
async def offerables_page(
    request: Request, visitor: SignedIn, session: Session, after: UUID | None = None
) -> Response:
    """Show what is open to offers; to a holder what it opened itself."""
    found = await api.list_offerables(
        session=session, caller=visitor.caller, after=after, limit=PAGE
    )
    spoken = render.speaks(request)
    names = {code: spoken.say(text) for code, text in negotiating.MODELS.items()}
    return render.page(
        request, "offerables.html", offerables=found.items, next=found.next, models=names
    )


@router.get("/new")
async def offerable_form(request: Request, visitor: Holder, session: Session, now: Now) -> Response:
    """Show the form that opens a right to offers."""
    spoken = render.speaks(request)
    return render.page(
        request,
        "offerable_new.html",
        offerable_id=ids.new(now),
        models=[(code, spoken.say(negotiating.MODELS[code])) for code in pricing.MODELS],
        **await listings.own(session, visitor, spoken),
        **listings.vocabulary_of(spoken),
        **listings.times(now),
    )


@router.post("")
async def send_offerable(
    request: Request,
    visitor: Holder,
    form: Sent,
    session: Session,
    context: Ctx,
    *,
    now: Now,
) -> Response:
    """Open a right to offers."""
    body = shape(
        api.OfferableIn,
        work_id=form.id("work_id"),
        master_id=form.id("master_id"),
        listing_id=form.id("listing_id") if form.text("listing_id") else None,
        right=listings.right(form, 1),
        models=form.many("models"),
        audience=form.text("audience"),
    )
    await api.open_to_offers(
        form.id("offerable_id"), body,
        response=Response(), context=context, session=session, caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, "/offerables")


@router.post("/{offerable_id}/closing")
async def send_closing(
    request: Request, offerable_id: UUID, visitor: Holder, session: Session, now: Now
) -> Response:
    """Take no more offers for a right."""
    await api.close_to_offers(offerable_id, session=session, caller=visitor.caller, now=now)
    return render.see(request, "/offerables")
