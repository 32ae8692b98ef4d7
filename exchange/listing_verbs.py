"""Reactions about listings: the close of its auction ends a listing, sold or unsold."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.facts.rules import SealedFact
from exchange.context import Context
from listings.catalogue import service as catalogue


async def end_listing(
    _context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `auction.closed`: mark the listing sold, or unsold and give its rights free."""
    end = catalogue.sold if fact.record["sold"] else catalogue.unsold
    await end(session, UUID(fact.record["listing"]), now=now)
