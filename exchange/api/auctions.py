"""Auctions: their rules, how they stand, and the accepted bids."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field

from contracts import canonical
from contracts.refusal import InvalidContent, Unknown
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import MaybeCaller, Session, Shape, next_after
from exchange.identity.rules import SignInNeeded
from listings.auctions import queries
from listings.auctions.tables import Auction, Bid

router = APIRouter(route_class=JsonRoute, tags=["auctions"])


class LeadOut(Shape):
    """The leading bid; the bidder is known by paddle (号牌) alone, or not at all while hidden."""

    bid: UUID | None
    amount_minor: Annotated[int, Field(description="The visible price.")]
    paddle: int | None


class AuctionOut(Shape):
    """An auction: its rules, frozen at opening, and how it stands.

    What the rulebook keeps secret is null until the close: `bids` and `extensions` where bidders
    are hidden, `standing` and `least_minor` where amounts are not open.
    """

    id: UUID
    listing_id: UUID
    state: Annotated[str, Field(description="open, paused, closed or void")]
    method: str | None
    opens_at: datetime
    closes_at: datetime
    hard_stop_at: datetime | None
    currency: str
    floor_minor: int
    step_minor: int | None
    least_minor: Annotated[int | None, Field(description="The least amount that would lead.")]
    standing: LeadOut | None
    bids: int | None
    extensions: int | None
    supersedes: UUID | None
    result: Annotated[
        dict[str, Any] | None, Field(description="The award by the log; null while awaited.")
    ]
    rulebook: dict[str, Any]
    rulebook_sha256: Annotated[str, Field(description="SHA-256 of the rulebook's RFC 8785 bytes.")]


class ListedBidOut(Shape):
    """A bid in the public list; `mine` marks the caller's own."""

    id: UUID
    paddle: int | None
    amount_minor: int | None
    sequence: int | None
    received_at: datetime
    mine: bool


class BidsOut(Shape):
    """A page of bids in the order of their sequence."""

    items: list[ListedBidOut]
    next: UUID | None


@router.get("/auctions/{auction_id}", responses=problems.responses(Unknown, InvalidContent))
async def get_auction(auction_id: UUID, session: Session) -> AuctionOut:
    """Show an auction: rules, leading bid, the least that would lead. Public."""
    auction = await queries.get_auction(session, auction_id)
    return _auction_out(auction, await queries.leading(session, auction))


@router.get(
    "/auctions/{auction_id}/bids",
    responses=problems.responses(Unknown, SignInNeeded, InvalidContent),
)
async def list_bids(
    auction_id: UUID,
    session: Session,
    caller: MaybeCaller,
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> BidsOut:
    """List the accepted bids by sequence. Public; with a key or session, own bids are marked.

    Where bidders are hidden or amounts not open, only own bids are listed until the result is in.
    """
    auction = await queries.get_auction(session, auction_id)
    mine = caller.party_id if caller else None
    shown = Shown.of(auction)
    if not shown.all_bids and mine is None:
        return BidsOut(items=[], next=None)
    only = None if shown.all_bids else mine
    bids = await queries.bids_page(session, auction_id, after=after, limit=limit, party_id=only)
    items = [listed(bid, mine, shown) for bid in bids]
    return BidsOut(items=items, next=next_after(items, limit))


class Shown(Shape):
    """What may be shown of an auction now."""

    amounts: bool
    bidders: bool

    @property
    def all_bids(self) -> bool:
        """Whether others' bids may be listed."""
        return self.amounts and self.bidders

    @classmethod
    def of(cls, auction: Auction) -> "Shown":
        """Read it off the rulebook: everything once the result is in."""
        secrecy = queries.book(auction).secrecy
        is_over = auction.result is not None
        return cls(
            amounts=is_over or secrecy["amounts"] == "open",
            bidders=is_over or secrecy["bidders"] != "hidden",
        )


def _auction_out(auction: Auction, lead: Bid | None) -> AuctionOut:
    shown = Shown.of(auction)
    return AuctionOut(
        id=auction.id,
        listing_id=auction.listing_id,
        state=auction.state,
        method=auction.method,
        opens_at=auction.opens_at,
        closes_at=auction.closes_at,
        hard_stop_at=auction.hard_stop_at,
        currency=auction.currency,
        floor_minor=auction.floor_minor,
        step_minor=auction.step_minor,
        least_minor=queries.least_minor(auction) if shown.amounts else None,
        standing=_lead(auction, lead, shown),
        bids=auction.bids if shown.bidders else None,
        extensions=auction.extensions if shown.bidders else None,
        supersedes=auction.supersedes,
        result=None if auction.result is None else canonical.loads(auction.result),
        rulebook=canonical.loads(auction.rulebook),
        rulebook_sha256=auction.rulebook_sha256,
    )


def _lead(auction: Auction, lead: Bid | None, shown: Shown) -> LeadOut | None:
    price = auction.leading_amount_minor
    if lead is None or price is None or not shown.amounts:
        return None
    return LeadOut(
        bid=lead.id if shown.bidders else None,
        amount_minor=price,
        paddle=lead.paddle if shown.bidders else None,
    )


def listed(bid: Bid, mine: UUID | None, shown: Shown) -> ListedBidOut:
    """Return a bid as the list shows it: a proxy's maximum stays its bidder's own affair."""
    is_mine = bid.party_id == mine
    amount = bid.amount_minor if is_mine or bid.price_minor is None else bid.price_minor
    return ListedBidOut(
        id=bid.id,
        paddle=bid.paddle if shown.bidders else None,
        amount_minor=amount,
        sequence=bid.sequence if shown.bidders else None,
        received_at=bid.received_at,
        mine=is_mine,
    )
