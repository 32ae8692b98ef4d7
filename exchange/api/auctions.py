"""Auctions and their bids."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, Field

from contracts import canonical
from contracts.money import MOST_MINOR, AmountOutOfRange, Money, WrongCurrency
from contracts.refusal import (
    CommitUnknown,
    IdReused,
    InvalidContent,
    Malformed,
    NotAllowed,
    Unknown,
)
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import MaybeCaller, Now, Session, Shape, Signed, next_after
from exchange.identity.rules import Role, ScopeMissing, SignInNeeded
from listings.auctions import queries, rules, service
from listings.auctions.tables import Auction, Bid

router = APIRouter(route_class=JsonRoute, tags=["auctions"])

_AUCTION = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"
_BID = "0199a3c0-8f22-7b6a-8a11-5d2f6a1f0b02"


class BidIn(Shape):
    """A bid: whole minor units (分) of the auction's currency."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"amount_minor": 101_000_000, "currency": "CNY"}]}
    )

    amount_minor: Annotated[int, Field(strict=True, ge=1, le=MOST_MINOR)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]


class BidOut(Shape):
    """An accepted bid, as it was answered first; for the present standing ask the auction."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _BID,
                    "auction_id": _AUCTION,
                    "amount_minor": 101_000_000,
                    "currency": "CNY",
                    "paddle": 2,
                    "sequence": 17,
                    "received_at": "2026-11-22T09:00:00.123456Z",
                    "leading": True,
                    "closes_at": "2026-11-22T09:10:00Z",
                }
            ]
        }
    )

    id: UUID
    auction_id: UUID
    amount_minor: int
    currency: str
    paddle: int
    sequence: int
    received_at: datetime
    leading: Annotated[bool, Field(description="It led when it was accepted.")]
    closes_at: Annotated[datetime, Field(description="The close as this bid left it.")]


class LeadOut(Shape):
    """The leading bid; the bidder is known by paddle (号牌) alone."""

    bid: UUID
    amount_minor: int
    paddle: int


class AuctionOut(Shape):
    """An auction: its rules, frozen at opening, and how it stands."""

    id: UUID
    listing_id: UUID
    state: str
    opens_at: datetime
    closes_at: datetime
    hard_stop_at: datetime
    currency: str
    floor_minor: int
    step_minor: int
    least_minor: Annotated[int, Field(description="The least amount that would lead.")]
    standing: LeadOut | None
    bids: int
    extensions: int
    rulebook: dict[str, Any]
    rulebook_sha256: Annotated[str, Field(description="SHA-256 of the rulebook's RFC 8785 bytes.")]


class ListedBidOut(Shape):
    """A bid in the public list; `mine` marks the caller's own."""

    id: UUID
    paddle: int
    amount_minor: int
    sequence: int
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
    return _auction_out(auction, await queries.standing(session, auction))


@router.put(
    "/auctions/{auction_id}/bids/{bid_id}",
    responses={
        200: {"model": BidOut, "description": "The bid was accepted before; its first answer."},
        201: {"model": BidOut, "description": "The bid is accepted and leads."},
        **problems.responses(
            SignInNeeded, ScopeMissing, NotAllowed, rules.OwnListing, rules.BidderNotVerified,
            Unknown, IdReused, rules.BidTooLow, rules.AuctionClosed, rules.AuctionNotOpen,
            WrongCurrency, AmountOutOfRange, InvalidContent, Malformed, CommitUnknown,
        ),
    },
)  # fmt: skip
async def place_bid(
    auction_id: UUID,
    bid_id: UUID,
    given: BidIn,
    now: Now,
    session: Session,
    caller: Signed,
    response: Response,
) -> BidOut:
    """Bid. The answer leaves after the bid is stored for good; repeating it changes nothing."""
    caller.need("bid", Role.BROADCASTER)
    bid, created = await service.place_bid(
        session,
        auction_id,
        bid_id,
        party_id=caller.party_id,
        person_id=caller.person_id,
        amount=Money(given.amount_minor, given.currency),
        received_at=now,
    )
    response.status_code = 201 if created else 200
    return _bid_out(bid)


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
    """List the accepted bids by sequence. Public; with a key or session, own bids are marked."""
    bids = await queries.bids_page(session, auction_id, after=after, limit=limit)
    mine = caller.party_id if caller else None
    items = [_listed(bid, mine) for bid in bids]
    return BidsOut(items=items, next=next_after(items, limit))


def _auction_out(auction: Auction, lead: Bid | None) -> AuctionOut:
    return AuctionOut(
        id=auction.id,
        listing_id=auction.listing_id,
        state=auction.state,
        opens_at=auction.opens_at,
        closes_at=auction.closes_at,
        hard_stop_at=auction.hard_stop_at,
        currency=auction.currency,
        floor_minor=auction.floor_minor,
        step_minor=auction.step_minor,
        least_minor=rules.least_minor(auction.terms(), auction.standing()),
        standing=lead and LeadOut(bid=lead.id, amount_minor=lead.amount_minor, paddle=lead.paddle),
        bids=auction.bids,
        extensions=auction.extensions,
        rulebook=canonical.loads(auction.rulebook),
        rulebook_sha256=auction.rulebook_sha256,
    )


def _bid_out(bid: Bid) -> BidOut:
    return BidOut(
        id=bid.id,
        auction_id=bid.auction_id,
        amount_minor=bid.amount_minor,
        currency=bid.currency,
        paddle=bid.paddle,
        sequence=bid.sequence,
        received_at=bid.received_at,
        leading=True,
        closes_at=bid.closes_at,
    )


def _listed(bid: Bid, mine: UUID | None) -> ListedBidOut:
    return ListedBidOut(
        id=bid.id,
        paddle=bid.paddle,
        amount_minor=bid.amount_minor,
        sequence=bid.sequence,
        received_at=bid.received_at,
        mine=bid.party_id == mine,
    )
