"""Reading incidents: what the log of an auction tells of them, and what waits for a decision."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical
from listings.auctions.tables import Auction, AuctionEvent, Outage
from listings.incidents.tables import Incident

TOLD = ("paused", "resumed", "extended", "voided", "defaulted")


@dataclass(frozen=True, slots=True)
class Moment:
    """An event of the log that is no bid: what happened, when, and what it moved."""

    seq: int
    kind: str
    at: datetime
    body: dict[str, Any]


async def moments(session: AsyncSession, auction_id: UUID) -> list[Moment]:
    """Return the pauses, extensions after outages, defaults and the end of an auction. Public."""
    rows = await session.execute(
        select(
            col(AuctionEvent.seq),
            col(AuctionEvent.kind),
            col(AuctionEvent.at),
            col(AuctionEvent.body),
        )
        .where(col(AuctionEvent.auction_id) == auction_id, col(AuctionEvent.kind).in_(TOLD))
        .order_by(col(AuctionEvent.seq))
    )
    return [Moment(seq, kind, at, _public(canonical.loads(body))) for seq, kind, at, body in rows]


async def successor(session: AsyncSession, auction_id: UUID) -> UUID | None:
    """Return the auction that took the place of this one, or None."""
    found = await session.execute(
        select(col(Auction.id)).where(col(Auction.supersedes) == auction_id)
    )
    return found.scalar_one_or_none()


async def current(session: AsyncSession, listing_id: UUID) -> UUID | None:
    """Return the auction of a listing that is not void, or None."""
    found = await session.execute(
        select(col(Auction.id)).where(
            col(Auction.listing_id) == listing_id, col(Auction.state) != "void"
        )
    )
    return found.scalar_one_or_none()


async def outages(session: AsyncSession, *, limit: int) -> list[tuple[Outage, int]]:
    """Return the latest outages, each with how many closes were moved for it."""
    moved = (
        select(func.count())
        .where(col(AuctionEvent.kind) == "extended", col(AuctionEvent.at) == col(Outage.ended_at))
        .scalar_subquery()
    )
    rows = await session.execute(
        select(Outage, moved).order_by(col(Outage.ended_at).desc()).limit(limit)
    )
    return [(row[0], row[1]) for row in rows.all()]


async def page(session: AsyncSession, *, after: UUID, limit: int) -> list[Incident]:
    """Return incidents of every auction in the order of their ids."""
    rows = await session.execute(
        select(Incident).where(col(Incident.id) > after).order_by(col(Incident.id)).limit(limit)
    )
    return list(rows.scalars())


async def latest(session: AsyncSession, *, limit: int) -> list[Incident]:
    """Return the latest incidents, those that wait for a decision first."""
    rows = await session.execute(
        select(Incident)
        .order_by(col(Incident.state) != "proposed", col(Incident.proposed_at).desc())
        .limit(limit)
    )
    return list(rows.scalars())


def _public(body: dict[str, Any]) -> dict[str, Any]:
    """Leave the paddle of a defaulter to the log, which is public from the result on."""
    return {name: value for name, value in body.items() if name != "paddle"}
