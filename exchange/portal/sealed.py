"""Sealed bids: making and registering the key, sealing in the browser, and what was opened."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts import canonical, ids
from contracts.money import EXPONENTS
from contracts.refusal import InvalidContent, Unknown
from contracts.works import queries as works
from exchange.api import sealed as api
from exchange.api.deps import Now, Session
from exchange.portal import render
from exchange.portal.forms import Sent, shape
from exchange.portal.visitors import Holder, MaybeVisitor, SignedIn, Visitor
from listings.admissions import queries as admissions
from listings.auctions import queries
from listings.auctions.model import Book
from listings.sealed import queries as sealed

router = APIRouter()
PRICE = "price"  # the kind of criterion that is the amount itself


@router.get("/opening-keys/new")
async def new_key_page(request: Request, _visitor: Holder, now: Now) -> Response:
    """Send the seller to the key of an auction that is still to come."""
    return render.see(request, f"/auctions/{ids.new(now)}/opening-key")


@router.get("/auctions/{auction_id}/opening-key")
async def key_page(
    request: Request, auction_id: UUID, visitor: SignedIn, session: Session
) -> Response:
    """Show an opening key and its holders; without one, how to make it and where to register it."""
    try:
        key = await api.get_opening_key(auction_id, session, visitor.caller)
    except Unknown:
        if visitor.role != "holder":
            raise
        key = None
    return render.page(
        request, "opening_key.html", auction_id=auction_id, key=key, holder=_holder(visitor),
        ready=key is not None and all(one.acknowledged_at for one in key.holders),
    )  # fmt: skip


@router.post("/auctions/{auction_id}/opening-key")
async def send_key(
    request: Request, auction_id: UUID, visitor: Holder, form: Sent, session: Session, now: Now
) -> Response:
    """Register the public part of a key."""
    try:
        wire = canonical.loads(form.text("opening").encode())
    except canonical.NotCanonical as wrong:
        raise InvalidContent("This is not opening.json.", field="opening") from wrong
    given = shape(api.OpeningKeyIn, **(wire if isinstance(wire, dict) else {}))
    await api.register_opening_key(auction_id, given, now, session, visitor.caller, Response())
    return render.see(request, f"/auctions/{auction_id}/opening-key")


@router.get("/auctions/{auction_id}/opening")
async def opening_page(
    request: Request, auction_id: UUID, visitor: MaybeVisitor, session: Session, now: Now
) -> Response:
    """Show how the opening stands; a broadcaster seals here, and opens its own bid after."""
    opening = await api.get_opening(auction_id, session)
    if opening.state == "not-sealed":
        raise Unknown("The bids of this auction are not sealed.")
    row = await queries.get_auction(session, auction_id)
    book = queries.book(row)
    return render.page(
        request,
        "opening.html",
        opening=opening,
        work=await works.get_work(session, row.work_id),
        listing_id=row.listing_id,
        currency=book.currency,
        places=EXPONENTS[book.currency],
        criteria=_criteria(book),
        is_package=book.method == "package",
        bidding=visitor is not None and visitor.role == "broadcaster",
        paddle=await _paddle(session, auction_id, visitor),
        holder=_holder(visitor),
        bid_id=ids.new(now),
        **await _opened(session, auction_id, opening),
    )


async def _paddle(session: Session, auction_id: UUID, visitor: Visitor | None) -> int | None:
    if visitor is None or visitor.role != "broadcaster":
        return None
    return await admissions.find_paddle(session, auction_id, visitor.caller.party_id)


def _holder(visitor: Visitor | None) -> str | None:
    return None if visitor is None else api.HOLDER_OF.get(visitor.caller.role)


def _criteria(book: Book) -> list[dict[str, str]]:
    return [
        {"code": one["code"], "zh": one["title_zh"], "en": one["title_en"]}
        for one in book.terms.get("criteria", ())
        if one["kind"] != PRICE
    ]


async def _opened(session: Session, auction_id: UUID, opening: api.OpeningOut) -> dict[str, Any]:
    """Return what was opened and what was not, with the paddles."""
    if opening.opened is None:
        return {"opened": [], "failed": []}
    paddles = {str(bid.bid): bid.paddle for bid, _ in await sealed.bids(session, auction_id)}
    told = opening.opened
    return {
        "opened": [{**one, "paddle": paddles[one["bid"]]} for one in told["openings"]],
        "failed": [{**one, "paddle": paddles[one["bid"]]} for one in told["failures"]],
    }
