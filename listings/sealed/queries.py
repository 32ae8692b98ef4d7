"""Reading opening keys, shares, reveals, and what was opened."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical
from contracts.refusal import Unknown
from listings.auctions.tables import Auction, AuctionEvent, Bid
from listings.sealed.rules import Found, Lot, SealedBid
from listings.sealed.tables import SealedAcknowledgement, SealedKey, SealedReveal, SealedShare


async def get_key(session: AsyncSession, auction_id: UUID) -> SealedKey:
    """Return the key of an auction, opened already or still to come.

    Raises:
        Unknown: it has none.
    """
    key = await session.get(SealedKey, auction_id, populate_existing=True)
    if key is None:
        raise Unknown("There is no opening key of this auction.")
    return key


async def acknowledgements(
    session: AsyncSession, auction_id: UUID
) -> dict[str, SealedAcknowledgement]:
    """Return who has shown that it has its share, by holder."""
    wanted = select(SealedAcknowledgement).where(
        col(SealedAcknowledgement.auction_id) == auction_id
    )
    return {row.holder: row for row in await session.scalars(wanted)}


async def shares(session: AsyncSession, auction_id: UUID) -> dict[str, SealedShare]:
    """Return the shares handed in, by holder."""
    wanted = select(SealedShare).where(col(SealedShare.auction_id) == auction_id)
    return {row.holder: row for row in await session.scalars(wanted)}


async def reveals(session: AsyncSession, auction_id: UUID) -> dict[UUID, Found]:
    """Return what bidders said themselves, by bid."""
    wanted = select(SealedReveal).where(col(SealedReveal.auction_id) == auction_id)
    return {
        row.bid_id: Found(canonical.loads(row.content), row.nonce)
        for row in await session.scalars(wanted)
    }


async def bids(session: AsyncSession, auction_id: UUID) -> list[tuple[SealedBid, UUID]]:
    """Return every sealed bid in its order, with its bidder."""
    wanted = select(Bid).where(col(Bid.auction_id) == auction_id).order_by(col(Bid.sequence))
    return [
        (SealedBid(row.id, row.paddle, row.sequence, canonical.loads(row.content)), row.party_id)
        for row in await session.scalars(wanted)
        if row.content is not None
    ]


async def revealed(session: AsyncSession, auction_id: UUID) -> dict[str, Any] | None:
    """Return the body of the event that opened the bids; None before."""
    wanted = select(col(AuctionEvent.body)).where(
        col(AuctionEvent.auction_id) == auction_id, col(AuctionEvent.kind) == "revealed"
    )
    body = (await session.scalars(wanted)).first()
    return None if body is None else dict(canonical.loads(body))


async def unacknowledged(
    session: AsyncSession, *, holders: Sequence[str], limit: int
) -> list[tuple[SealedKey, str]]:
    """Return keys of auctions to come with a holder who has not shown its share, oldest first."""
    wanted = (
        select(SealedKey)
        .outerjoin(Auction, col(Auction.id) == col(SealedKey.auction_id))
        .where(col(Auction.id).is_(None))
        .order_by(col(SealedKey.registered_at))
        .limit(limit)
    )
    found = []
    for key in (await session.scalars(wanted)).all():
        known = await acknowledgements(session, key.auction_id)
        found += [(key, holder) for holder in holders if holder not in known]
    return found


async def unopened(
    session: AsyncSession, *, holders: Sequence[str], limit: int
) -> list[tuple[Auction, str]]:
    """Return closed auctions that wait for a share, with who could hand one in, oldest first."""
    opened = select(col(AuctionEvent.seq)).where(
        col(AuctionEvent.auction_id) == col(Auction.id), col(AuctionEvent.kind) == "revealed"
    )
    wanted = (
        select(Auction)
        .join(SealedKey, col(SealedKey.auction_id) == col(Auction.id))
        .where(col(Auction.state) == "closed", col(Auction.result).is_(None), ~opened.exists())
        .order_by(col(Auction.closes_at))
        .limit(limit)
    )
    found = []
    for auction in (await session.scalars(wanted)).all():
        known = await shares(session, auction.id)
        found += [(auction, holder) for holder in holders if holder not in known]
    return found


async def failed(session: AsyncSession, auction_id: UUID) -> set[UUID]:
    """Return the bidders whose sealed bid did not open; none before the opening."""
    body = await revealed(session, auction_id)
    out = {one["bid"] for one in body["failures"]} if body else set()
    return {party for bid, party in await bids(session, auction_id) if str(bid.bid) in out}


async def lot(session: AsyncSession, auction: Auction, *, reveal_s: int) -> Lot:
    """Return what the opening of an auction depends on."""
    return Lot(
        auction=auction.id,
        listing=auction.listing_id,
        is_closed=auction.state == "closed",
        is_void=auction.state == "void",
        is_opened=await revealed(session, auction.id) is not None,
        closes_at=auction.closes_at,
        reveal_s=reveal_s,
    )
