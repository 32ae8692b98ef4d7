"""Auctions, live: how they stand, and the form that bids."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts.works import queries as works
from exchange import door
from exchange.api.deps import Now, Session
from exchange.identity.rules import Role
from exchange.portal import admission, bidding, live, render
from exchange.portal.forms import Sent
from exchange.portal.visitors import MaybeVisitor, SignedIn
from listings.auctions import queries
from listings.catalogue import queries as catalogue
from listings.incidents import queries as incidents

router = APIRouter(prefix="/auctions/{auction_id}")


@router.get("")
async def auction_page(
    request: Request, auction_id: UUID, visitor: MaybeVisitor, session: Session, now: Now
) -> Response:
    """Show an auction; broadcasters get the form that bids."""
    values = await live.figures(session, auction_id, visitor=visitor, now=now)
    row = await queries.get_auction(session, auction_id)
    work = await works.get_work(session, row.work_id)
    listing = await catalogue.get_entry(session, row.listing_id, viewer=row.seller_id)
    return render.page(
        request,
        "auction.html",
        work=work,
        sale=listing.listing.sale,
        admission=await admission.shown(session, auction_id, visitor=visitor, now=now),
        told=await incidents.moments(session, auction_id),
        supersedes=row.supersedes,
        successor=await incidents.successor(session, auction_id),
        **values,
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
    given = bidding.content(form)
    with request.app.state.bidding.receipt() as at:
        await door.place(request.app, visitor.caller, auction_id, form.id("bid_id"), given, at)
    return render.see(request, f"/auctions/{auction_id}")
