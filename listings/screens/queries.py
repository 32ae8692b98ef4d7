"""Reading what the screens look at, and what they found last."""

from collections import defaultdict
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical
from listings.auctions.tables import Auction, AuctionEvent, Bid
from listings.screens.rules import Held, Placed
from listings.screens.tables import ScreenRun

# Screens look at the latest of these; older ones tell of bidders who have moved on.
MOST_AUCTIONS = 500
OPEN = ("english", "proxy")
SEALED = ("sealed", "vickrey")
_SECOND_MS = 1_000


async def held(session: AsyncSession, *, limit: int = MOST_AUCTIONS) -> list[Held]:
    """Return the latest auctions that are over, with whose bids they were. For staff alone."""
    rows = await session.execute(
        select(Auction)
        .where(col(Auction.result).is_not(None), col(Auction.method).in_(OPEN + SEALED))
        .order_by(col(Auction.closed_at).desc(), col(Auction.id))
        .limit(limit)
    )
    auctions = list(rows.scalars())
    bids = await _bids(session, [auction.id for auction in auctions])
    return [_held(auction, bids[auction.id]) for auction in reversed(auctions)]


async def latest(session: AsyncSession) -> ScreenRun | None:
    """Return the latest run, or None."""
    rows = await session.execute(
        select(ScreenRun).order_by(col(ScreenRun.ran_at).desc(), col(ScreenRun.id).desc()).limit(1)
    )
    return rows.scalar_one_or_none()


async def _bids(
    session: AsyncSession, auctions: list[UUID]
) -> dict[UUID, list[tuple[UUID, UUID, int, datetime]]]:
    """Return id, party, amount and time of each bid; amounts of sealed ones from their opening."""
    opened = await _opened(session, auctions)
    rows = await session.execute(
        select(
            col(Bid.auction_id),
            col(Bid.id),
            col(Bid.party_id),
            col(Bid.amount_minor),
            col(Bid.received_at),
        )
        .where(col(Bid.auction_id).in_(auctions))
        .order_by(col(Bid.auction_id), col(Bid.sequence))
    )
    found = defaultdict(list)
    for auction_id, bid_id, party_id, amount, at in rows:
        clear = opened.get(bid_id, amount)
        if clear is not None:
            found[auction_id].append((bid_id, party_id, clear, at))
    return found


async def _opened(session: AsyncSession, auctions: list[UUID]) -> dict[UUID, int]:
    rows = await session.execute(
        select(col(AuctionEvent.body)).where(
            col(AuctionEvent.auction_id).in_(auctions), col(AuctionEvent.kind) == "revealed"
        )
    )
    return {
        UUID(one["bid"]): one["content"]["amount_minor"]
        for body in rows.scalars()
        for one in canonical.loads(body)["openings"]
        if "amount_minor" in one["content"]
    }


def _held(auction: Auction, bids: list[tuple[UUID, UUID, int, datetime]]) -> Held:
    is_open = auction.method in OPEN
    first = bids[0][3] if bids else None
    placed = [
        Placed(str(party), amount, int((at - first).total_seconds() * _SECOND_MS) if first else 0)
        for _, party, amount, at in bids
    ]
    if not is_open:
        placed = list({bid.party: bid for bid in placed}.values())
    awards = canonical.loads(auction.result or b"{}").get("awards", [])
    won = {award["bid"] for award in awards}
    winner = next((str(party) for bid, party, _, _ in bids if str(bid) in won), None)
    return Held(str(auction.id), str(auction.seller_id), is_open, tuple(placed), winner)
