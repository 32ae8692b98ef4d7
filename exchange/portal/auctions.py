"""Auctions, live: how they stand, and the form that bids."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts import ids
from contracts.money import Money
from contracts.works import queries as works
from exchange import door
from exchange.api.deps import Now, Session
from exchange.identity.rules import Role
from exchange.portal import live, render
from exchange.portal.forms import Sent
from exchange.portal.visitors import MaybeVisitor, SignedIn
from listings.auctions import queries

router = APIRouter(prefix="/auctions/{auction_id}")


@router.get("")
async def auction_page(
    request: Request, auction_id: UUID, visitor: MaybeVisitor, session: Session, now: Now
) -> Response:
    """Show an auction; broadcasters get the form that bids."""
    values = await live.figures(session, auction_id, visitor=visitor, now=now)
    shown = values["auction"]
    row = await queries.get_auction(session, auction_id)
    least = Money(shown.least_minor or shown.floor_minor, shown.currency).decimal()
    work = await works.get_work(session, row.work_id)
    return render.page(
        request, "auction.html", work=work, least=least, bid_id=ids.new(now), **values
    )


@router.get("/live")
async def auction_figures(
    request: Request, auction_id: UUID, visitor: MaybeVisitor, session: Session, now: Now
) -> Response:
    """Show the live figure alone."""
    values = await live.figures(session, auction_id, visitor=visitor, now=now)
    return render.page(request, "live.html", **values)


@router.post("/bids")
async def send_bid(request: Request, auction_id: UUID, visitor: SignedIn, form: Sent) -> Response:
    """Place a bid under the id that the form was made with: sent twice, it counts once."""
    visitor.caller.need("bid", Role.BROADCASTER)
    currency = form.text("currency")
    given = {"amount_minor": form.minor("amount", currency), "currency": currency}
    with request.app.state.bidding.receipt() as at:
        await door.place(request.app, visitor.caller, auction_id, form.id("bid_id"), given, at)
    return render.see(request, f"/auctions/{auction_id}")
