"""Opening auctions, placing bids, closing what is due.

The auction's row lock orders bids and the close: whatever is acknowledged before the close is
counted, whatever comes after it is refused.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, locking, rfc3339
from contracts.facts import service as facts
from contracts.money import Money
from contracts.parties import queries as parties
from contracts.refusal import IdReused, Unknown
from contracts.titles import queries as titles
from listings.auctions import queries, rules
from listings.auctions.tables import Auction, Bid, Paddle

# More auctions than this are closed at the next call; one transaction stays short.
CLOSED_AT_ONCE = 50


async def open_auction(
    session: AsyncSession,
    auction_id: UUID,
    *,
    listing_id: UUID,
    work_id: UUID,
    seller_id: UUID,
    sale: Mapping[str, Any],
    now: datetime,
) -> Auction:
    """Open the auction of a listing with the rules in `sale`, frozen from here on.

    The seller and the co-owners of the work at this moment are barred from bidding.

    Raises:
        BadSale, WrongCurrency, AmountOutOfRange: the terms of sale do not hold.
        IdReused: the id names another auction.
    """
    known = await session.get(Auction, auction_id)
    if known is not None:
        return _same_auction(known, listing_id=listing_id, seller_id=seller_id)
    owners = {share.party_id for share in await titles.shares(session, work_id)}
    terms = rules.read_sale(sale, barred=frozenset({seller_id} | owners), now=now)
    book = canonical.dumps(
        rules.rulebook(terms, auction=auction_id, listing=listing_id, work=work_id)
    )
    auction = Auction(
        id=auction_id,
        work_id=work_id,
        listing_id=listing_id,
        seller_id=seller_id,
        barred=sorted(terms.barred),
        state="open",
        rulebook=book,
        rulebook_sha256=canonical.sha256_hex(book),
        currency=terms.currency,
        floor_minor=terms.floor_minor,
        step_minor=terms.step_minor,
        opens_at=terms.opens_at,
        announced_closes_at=terms.closes_at,
        closes_at=terms.closes_at,
        soft_close_s=terms.soft_close_s,
        hard_stop_at=terms.hard_stop_at,
    )
    session.add(auction)
    await facts.record(session, "auction.opened", auction_id, _opened(auction), now=now)
    return auction


async def place_bid(
    session: AsyncSession,
    auction_id: UUID,
    bid_id: UUID,
    *,
    party_id: UUID,
    person_id: UUID,
    amount: Money,
    received_at: datetime,
) -> tuple[Bid, bool]:
    """Place a bid; return it and whether it is new.

    The same id with the same content returns the bid as it was first accepted, also after the
    close. `received_at` is the instant the request came in, before any waiting.

    Raises:
        Unknown: there is no such auction.
        IdReused: the id names another bid of this auction.
        OwnListing, BidderNotVerified, WrongCurrency, AmountOutOfRange, AuctionNotOpen,
        AuctionClosed, BidTooLow: see `rules.judge`.
    """
    auction = await _locked(session, auction_id)
    known = await queries.find_bid(session, auction_id, bid_id)
    if known is not None:
        return _same_bid(known, party_id=party_id, amount=amount), False
    bidder = await _bidder(session, party_id)
    proposal = rules.Proposal(bid_id, bidder, amount)
    verdict = rules.judge(auction.terms(), auction.standing(), proposal, received_at)
    auction.stand(verdict.standing)
    bid = Bid(
        auction_id=auction_id,
        id=bid_id,
        party_id=party_id,
        person_id=person_id,
        paddle=await _paddle(session, auction_id, party_id),
        sequence=verdict.standing.bids,
        amount_minor=amount.amount_minor,
        currency=amount.currency,
        received_at=received_at,
        closes_at=verdict.standing.closes_at,
    )
    session.add(bid)
    await facts.record(session, "bid.placed", auction_id, _placed(bid), now=received_at)
    return bid, True


async def close_due(session: AsyncSession, *, now: datetime) -> int:
    """Close the auctions whose time has come; return how many.

    An auction whose row a bid holds just now is left to the next call. Each close records
    `auction.closed` and, with a leading bid, `award.made`.
    """
    due = await session.execute(
        select(Auction)
        .where(col(Auction.state) == "open", col(Auction.closes_at) <= now)
        .order_by(col(Auction.closes_at))
        .limit(CLOSED_AT_ONCE)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    auctions = [auction for auction in due.scalars() if rules.is_due(auction.standing(), now)]
    for auction in auctions:
        await _close(session, auction, now=now)
    return len(auctions)


async def _close(session: AsyncSession, auction: Auction, *, now: datetime) -> None:
    auction.state, auction.closed_at = "closed", now
    await facts.record(session, "auction.closed", auction.id, _closed(auction), now=now)
    winner = await queries.standing(session, auction)
    if winner is None:
        return
    await facts.record(
        session,
        "award.made",
        auction.id,
        _award(auction, winner),
        parties=[auction.seller_id, winner.party_id],
        now=now,
    )


async def _locked(session: AsyncSession, auction_id: UUID) -> Auction:
    auction = await locking.find_locked(session, Auction, col(Auction.id) == auction_id)
    if auction is None:
        raise Unknown("There is no such auction.")
    return auction


async def _bidder(session: AsyncSession, party_id: UUID) -> rules.Bidder:
    party = await parties.get_party(session, party_id)
    return rules.Bidder(party_id, party.kind == "broadcaster", party.state == "verified")


async def _paddle(session: AsyncSession, auction_id: UUID, party_id: UUID) -> int:
    """Return the bidder's number, the next free one at its first bid (the auction is locked)."""
    known = await session.get(Paddle, (auction_id, party_id))
    if known is not None:
        return known.number
    highest = await session.execute(
        select(func.max(col(Paddle.number))).where(col(Paddle.auction_id) == auction_id)
    )
    number = (highest.scalar_one() or 0) + 1
    session.add(Paddle(auction_id=auction_id, party_id=party_id, number=number))
    return number


def _same_auction(known: Auction, *, listing_id: UUID, seller_id: UUID) -> Auction:
    if (known.listing_id, known.seller_id) != (listing_id, seller_id):
        raise IdReused("This id names the auction of another listing.")
    return known


def _same_bid(known: Bid, *, party_id: UUID, amount: Money) -> Bid:
    same = (party_id, amount.amount_minor, amount.currency)
    if (known.party_id, known.amount_minor, known.currency) != same:
        raise IdReused("This id names another bid of this auction.")
    return known


def _opened(auction: Auction) -> dict[str, Any]:
    return {
        "auction": str(auction.id),
        "listing": str(auction.listing_id),
        "rulebook_sha256": auction.rulebook_sha256,
        "opens_at": rfc3339.exact(auction.opens_at),
        "closes_at": rfc3339.exact(auction.closes_at),
    }


def _placed(bid: Bid) -> dict[str, Any]:
    return {
        "auction": str(bid.auction_id),
        "bid": str(bid.id),
        "paddle": bid.paddle,
        "amount_minor": bid.amount_minor,
        "currency": bid.currency,
        "sequence": bid.sequence,
        "received_at": rfc3339.exact(bid.received_at),
        "closes_at": rfc3339.exact(bid.closes_at),
    }


def _closed(auction: Auction) -> dict[str, Any]:
    return {
        "auction": str(auction.id),
        "listing": str(auction.listing_id),
        "sold": auction.leading_bid is not None,
        "bid": str(auction.leading_bid) if auction.leading_bid else None,
        "amount_minor": auction.leading_amount_minor,
        "currency": auction.currency,
        "bids": auction.bids,
        "closed_at": rfc3339.exact(auction.closes_at),
    }


def _award(auction: Auction, winner: Bid) -> dict[str, Any]:
    return {
        "auction": str(auction.id),
        "listing": str(auction.listing_id),
        "work": str(auction.work_id),
        "licensor": str(auction.seller_id),
        "licensee": str(winner.party_id),
        "bid": str(winner.id),
        "amount_minor": winner.amount_minor,
        "currency": winner.currency,
        "rights": None,
        "price": None,
    }
