"""Auctions and bidders for tests."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids, rfc3339
from contracts.parties.tables import Party
from listings.auctions import placing, service
from listings.auctions.arrivals import Arrival, Placed
from listings.auctions.tables import Auction
from tests.contracts import parties_factory


def sale_of(auction_id: UUID, now: datetime, **changes: Any) -> dict[str, Any]:
    """Return terms of sale: floor 1000.00 CNY, step 10.00, ten minutes, soft close of a minute."""
    terms = {
        "method": "english",
        "auction_id": str(auction_id),
        "currency": "CNY",
        "floor_minor": 100_000,
        "step_minor": 1_000,
        "opens_at": rfc3339.exact(now),
        "closes_at": rfc3339.exact(now + timedelta(minutes=10)),
        "soft_close_s": 60,
        "hard_stop_at": rfc3339.exact(now + timedelta(minutes=30)),
        **changes,
    }
    return {name: value for name, value in terms.items() if value is not None}


async def enrol(
    session: AsyncSession, *, now: datetime, kind: str = "broadcaster", state: str = "verified"
) -> Party:
    """Put a party into the register."""
    return await parties_factory.party(session, kind=kind, verified=state == "verified", now=now)


async def open_auction(
    session: AsyncSession, *, seller_id: UUID, now: datetime, work_id: UUID | None = None,
    **changes: Any,
) -> Auction:  # fmt: skip
    """Open an auction of a listing that exists in name only; `changes` go to the terms of sale."""
    auction_id = ids.new(now)
    return await service.open_auction(
        session,
        auction_id,
        listing_id=ids.new(now),
        work_id=work_id or ids.new(now),
        seller_id=seller_id,
        sale=sale_of(auction_id, now, **changes),
        now=now,
    )


async def bid(
    session: AsyncSession, auction: Auction, party_id: UUID, amount_minor: int, *, now: datetime
) -> Placed:
    """Place a bid under a new id."""
    return await placing.place_bid(
        session, auction.id, arrival(party_id, amount_minor, at=now), now=now
    )


def arrival(
    party_id: UUID,
    amount_minor: int,
    *,
    at: datetime,
    bid_id: UUID | None = None,
    currency: str = "CNY",
) -> Arrival:
    """Return a bid as it comes in at the door, under a new id if none is given."""
    return Arrival(
        bid_id=bid_id or ids.new(at),
        party_id=party_id,
        person_id=ids.new(at),
        content={"amount_minor": amount_minor, "currency": currency},
        received_at=at,
    )
