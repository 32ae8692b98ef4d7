"""How an auction stands, as its live figure shows it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.log import queries as log
from exchange.api import auctions as api
from exchange.portal.visitors import Visitor
from listings.auctions import queries

LATEST = 8


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
    shown = api.Shown.of(await queries.get_auction(session, auction_id))
    latest = []
    if shown.all_bids or mine is not None:
        only = None if shown.all_bids else mine
        latest = await queries.latest_bids(session, auction_id, limit=LATEST, party_id=only)
    recent = [api.listed(bid, mine, shown) for bid in latest]
    return {"auction": auction, "cursor": cursor, "recent": recent, "now": now}
