"""Closing what is due, once every door has written what it received in time.

The close is an event like any other, and stands behind every bid received before it. Where nobody
could bid at the end (an outage), the end moves instead.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import rfc3339
from contracts.facts import service as facts
from contracts.facts.tables import Fact
from listings.admissions import queries as admissions
from listings.auctions import deciding, ingress, queries, rules, service
from listings.auctions.model import Book
from listings.auctions.tables import Auction, Bid

# More auctions than this are closed at the next call; one transaction stays short.
CLOSED_AT_ONCE = 50
# What an end gets that fell into an outage and has no window of its own: time to notice.
AFTER_OUTAGE_S = 300


class End(Enum):
    """What becomes of an auction whose close has come."""

    DUE = "due"  # nothing received before the close is still to be written
    WAITS = "waits"  # a door may still hold a bid that came in time
    MOVED = "moved"  # nobody could bid at the end: it lies later now


async def close_due(session: AsyncSession, *, now: datetime) -> int:
    """Close the auctions whose time has come; return how many were closed or moved.

    An auction whose row a batch of bids holds just now is left to the next call.

    Args:
        session: the open transaction.
        now: the present instant.
    """
    found = await session.execute(
        select(Auction)
        .where(col(Auction.due_at) <= now)
        .order_by(col(Auction.due_at))
        .limit(CLOSED_AT_ONCE)
        .with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    )
    auctions = list(found.scalars())
    if not auctions:
        return 0
    await ingress.strike(session)
    done = 0
    for auction in auctions:
        end = await find_end(session, auction)
        if end is End.DUE:
            await close(session, auction, now=now)
        done += end is not End.WAITS
    return done


async def find_end(session: AsyncSession, auction: Auction, *, own: UUID | None = None) -> End:
    """Decide whether the close of a locked auction stands, and move it after an outage.

    Args:
        session: the open transaction.
        auction: its row is locked, its close has come.
        own: the door that asks, which knows itself that it holds nothing older.
    """
    known = await ingress.doors(session, own=own)
    if own is None and ingress.is_out(known, auction.closes_at):
        return End.WAITS
    over = await ingress.outage_over(session, auction.closes_at)
    if over is not None:
        return await _move(session, auction, over)
    if known.least_watermark is not None and known.least_watermark < auction.closes_at:
        return End.WAITS
    return End.DUE


async def close(session: AsyncSession, auction: Auction, *, now: datetime) -> None:
    """Close a locked auction: the close, who bid, what was hidden; then the award, if it is time.

    Args:
        session: the open transaction.
        auction: its row is locked, and nothing received before its close is still to be written.
        now: the present instant.
    """
    book = queries.book(auction)
    at = auction.closes_at
    await service.append(session, auction, "closed", {"closes_at": rfc3339.exact(at)}, at=at)
    roll = await admissions.roll(session, auction.id)
    await service.append(session, auction, "roll", {"paddles": roll}, at=at)
    secret = auction.secret or {}
    if "reserve_minor" in secret:
        opened = {"amount_minor": secret["reserve_minor"], "nonce": secret["nonce"]}
        await service.append(session, auction, "reserve", opened, at=at)
    if "seed" in secret:
        await service.append(session, auction, "lottery", {"seed": secret["seed"]}, at=at)
    await _tell_received(session, auction, now=now)
    if rules.settles_at_close(book) or auction.bids == 0:
        await service.conclude(session, auction.id, now=now)
        return
    await facts.record(session, "bidding.ended", auction.id, _ended(auction), now=now)


async def _move(session: AsyncSession, auction: Auction, over: datetime) -> End:
    """Move an end that fell into an outage to a window after it."""
    book = queries.book(auction)
    to = over + _window(book) + book.match_window
    stop = auction.hard_stop_at
    moved = None if stop is None else rfc3339.exact(max(stop, to))
    body = {"reason": "outage", "closes_at": rfc3339.exact(to), "hard_stop_at": moved}
    await service.append(session, auction, "extended", body, at=over)
    return End.MOVED


def _window(book: Book) -> timedelta:
    return timedelta(seconds=book.closing.window_s or AFTER_OUTAGE_S)


async def _tell_received(session: AsyncSession, auction: Auction, *, now: datetime) -> None:
    """Record the bids that would have told their number before the close."""
    waiting = await _untold(session, auction.id)
    told = [
        facts.happened(
            "bid.received",
            auction.id,
            deciding.received(
                auction.id, bid.id, bid.event_sha256 or b"", rfc3339.exact(bid.received_at)
            ),
            parties=[bid.party_id],
            now=now,
            known=(bid.fact_id, bid.blind) if bid.fact_id and bid.blind else None,
        )
        for bid in waiting
    ]
    await facts.record_many(session, told)


async def _untold(session: AsyncSession, auction_id: UUID) -> Sequence[Bid]:
    rows = await session.execute(
        select(Bid)
        .outerjoin(Fact, col(Fact.id) == col(Bid.fact_id))
        .where(col(Bid.auction_id) == auction_id, col(Fact.id).is_(None))
        .order_by(col(Bid.sequence))
    )
    return rows.scalars().all()


def _ended(auction: Auction) -> dict[str, Any]:
    return {
        "auction": str(auction.id),
        "listing": str(auction.listing_id),
        "method": auction.method or "",
        "closed_at": rfc3339.exact(auction.closes_at),
    }
