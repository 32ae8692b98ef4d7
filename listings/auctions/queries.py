"""Reading auctions and their bids."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.refusal import Unknown
from listings.auctions.tables import Auction, Bid


async def get_auction(session: AsyncSession, auction_id: UUID) -> Auction:
    """Return the auction.

    Raises:
        Unknown: there is none of that id.
    """
    auction = await session.get(Auction, auction_id)
    if auction is None:
        raise Unknown("There is no such auction.")
    return auction


async def find_bid(session: AsyncSession, auction_id: UUID, bid_id: UUID) -> Bid | None:
    """Return an accepted bid, or None."""
    return await session.get(Bid, (auction_id, bid_id))


async def standing(session: AsyncSession, auction: Auction) -> Bid | None:
    """Return the leading bid, or None while there is no bid."""
    if auction.leading_bid is None:
        return None
    return await find_bid(session, auction.id, auction.leading_bid)


async def bids_page(
    session: AsyncSession, auction_id: UUID, *, after: UUID | None, limit: int
) -> list[Bid]:
    """Return up to `limit` bids in the order of their sequence, after the bid `after`.

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
    rows = await session.execute(
        select(Bid)
        .where(col(Bid.auction_id) == auction_id, col(Bid.sequence) > start)
        .order_by(col(Bid.sequence))
        .limit(limit)
    )
    return list(rows.scalars())


async def latest_bids(session: AsyncSession, auction_id: UUID, *, limit: int) -> list[Bid]:
    """Return the last `limit` bids, the newest first."""
    rows = await session.execute(
        select(Bid)
        .where(col(Bid.auction_id) == auction_id)
        .order_by(col(Bid.sequence).desc())
        .limit(limit)
    )
    return list(rows.scalars())
