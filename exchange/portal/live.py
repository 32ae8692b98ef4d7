"""How an auction stands, as its live figure shows it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.facts.kinds import KINDS
from contracts.log import queries as log
from contracts.money import Money
from exchange.api import auctions as api
from exchange.portal import bidding
from exchange.portal.visitors import Visitor
from listings.auctions import queries

LATEST = 8
# The facts of an auction; at each of them the page asks how it stands.
EVENT_KINDS = tuple(name for name, kind in KINDS.items() if "auction" in kind.fields)


async def figures(
    session: AsyncSession, auction_id: UUID, *, visitor: Visitor | None, now: datetime
) -> dict[str, Any]:
    """Return what the live template needs; `cursor` is where the feed goes on from.

    Raises:
        Unknown: there is no such auction.
    """
    cursor = await log.size(session) - 1
    auction = await api.get_auction(auction_id, session)
    mine = visitor.caller.party_id if visitor else None
    row = await queries.get_auction(session, auction_id)
    shown = api.Shown.of(row)
    latest = []
    if shown.all_bids or mine is not None:
        only = None if shown.all_bids else mine
        latest = await queries.latest_bids(session, auction_id, limit=LATEST, party_id=only)
    recent = [api.listed(bid, mine, shown) for bid in latest]
    bid = bidding.shown(row, auction, now=now)
    least = bid["price_minor"] or auction.least_minor or auction.floor_minor
    return {
        "auction": auction,
        "cursor": cursor,
        "recent": recent,
        "now": now,
        "least": Money(least, auction.currency).decimal(),
        "bid_id": ids.new(now),
        "event_kinds": EVENT_KINDS,
        **bid,
    }
