"""Reading auctions, their log and their bids."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical
from contracts.refusal import Unknown
from listings.auctions import rulebook, rules
from listings.auctions.model import Book, Event, Standing
from listings.auctions.tables import Auction, AuctionEvent, Bid

_BOOKS: dict[str, Book] = {}
MOST_BOOKS = 512  # parsed rulebooks kept by a process; a few kilobytes each


async def find_auction(session: AsyncSession, auction_id: UUID) -> Auction | None:
    """Return the auction, or None."""
    return await session.get(Auction, auction_id)


async def get_auction(session: AsyncSession, auction_id: UUID) -> Auction:
    """Return the auction.

    Raises:
        Unknown: there is none of that id.
    """
    auction = await find_auction(session, auction_id)
    if auction is None:
        raise Unknown("There is no such auction.")
    return auction


def book(auction: Auction) -> Book:
    """Return the auction's rulebook, parsed once per process; it never changes."""
    known = _BOOKS.get(auction.rulebook_sha256)
    if known is None:
        if len(_BOOKS) >= MOST_BOOKS:
            _BOOKS.clear()
        secret = auction.secret or {}
        known = rulebook.read(
            canonical.loads(auction.rulebook), reserve_minor=secret.get("reserve_minor")
        )
        _BOOKS[auction.rulebook_sha256] = known
    return known


def standing(auction: Auction) -> Standing:
    """Return how the auction stands, as its row keeps it."""
    if auction.standing is None:
        raise Unknown("This auction was held before auctions had logs.")
    return Standing.from_json(auction.standing)


def least_minor(auction: Auction) -> int | None:
    """Return the least that would lead where amounts are open, else None."""
    if auction.standing is None:
        return None
    return rules.least_minor(book(auction), standing(auction))


async def log(
    session: AsyncSession, auction_id: UUID, *, after: int = -1, limit: int = 1_000_000
) -> Sequence[AuctionEvent]:
    """Return the rows of the auction's log above `after`, in order."""
    rows = await session.execute(
        select(AuctionEvent)
        .where(col(AuctionEvent.auction_id) == auction_id, col(AuctionEvent.seq) > after)
        .order_by(col(AuctionEvent.seq))
        .limit(limit)
    )
    return rows.scalars().all()


async def events(session: AsyncSession, auction_id: UUID) -> list[Event]:
    """Return the whole log of an auction as the values that the rules know."""
    rows = await session.execute(
        select(
            col(AuctionEvent.seq),
            col(AuctionEvent.kind),
            col(AuctionEvent.at),
            col(AuctionEvent.body),
        )
        .where(col(AuctionEvent.auction_id) == auction_id)
        .order_by(col(AuctionEvent.seq))
    )
    return [Event(seq, kind, at, canonical.loads(body)) for seq, kind, at, body in rows.all()]


async def find_bid(session: AsyncSession, auction_id: UUID, bid_id: UUID) -> Bid | None:
    """Return an accepted bid, or None."""
    return await session.get(Bid, (auction_id, bid_id))


async def get_bid(session: AsyncSession, auction_id: UUID, bid_id: UUID) -> Bid:
    """Return an accepted bid.

    Raises:
        Unknown: there is none of that id in the auction.
    """
    bid = await find_bid(session, auction_id, bid_id)
    if bid is None:
        raise Unknown("There is no such bid.")
    return bid


async def leading(session: AsyncSession, auction: Auction) -> Bid | None:
    """Return the leading bid, or None while there is none or it cannot be known."""
    if auction.leading_bid is None:
        return None
    return await find_bid(session, auction.id, auction.leading_bid)


async def bids_page(
    session: AsyncSession,
    auction_id: UUID,
    *,
    after: UUID | None,
    limit: int,
    party_id: UUID | None = None,
) -> list[Bid]:
    """Return up to `limit` bids by sequence, after the bid `after`; of one party, if given.

    Raises:
        Unknown: there is no such auction, or `after` is not one of its bids.
    """
    await get_auction(session, auction_id)
    start = 0
    if after is not None:
        last = await find_bid(session, auction_id, after)
        if last is None:
            raise Unknown("The page starts after a bid that is not of this auction.")
        start = last.sequence
    chosen = select(Bid).where(col(Bid.auction_id) == auction_id, col(Bid.sequence) > start)
    if party_id is not None:
        chosen = chosen.where(col(Bid.party_id) == party_id)
    rows = await session.execute(chosen.order_by(col(Bid.sequence)).limit(limit))
    return list(rows.scalars())


async def latest_bids(
    session: AsyncSession, auction_id: UUID, *, limit: int, party_id: UUID | None = None
) -> list[Bid]:
    """Return the last `limit` bids, the newest first; of one party, if given."""
    chosen = select(Bid).where(col(Bid.auction_id) == auction_id)
    if party_id is not None:
        chosen = chosen.where(col(Bid.party_id) == party_id)
    rows = await session.execute(chosen.order_by(col(Bid.sequence).desc()).limit(limit))
    return list(rows.scalars())


async def count_bidders(session: AsyncSession, auction_id: UUID) -> int:
    """Return how many parties bid; staff and services alone may know before the close."""
    found = await session.execute(
        select(func.count(col(Bid.party_id).distinct())).where(col(Bid.auction_id) == auction_id)
    )
    return found.scalar_one()
