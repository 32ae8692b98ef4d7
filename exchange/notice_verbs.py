"""Reactions about notices: results end disclosures, contracts make them public, screens run."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.deals import queries as deals
from contracts.facts.rules import SealedFact
from exchange.context import Context
from listings.auctions import queries as auctions
from listings.catalogue import service as catalogue
from listings.disclosures import service as disclosures
from listings.screens import service as screens


async def conclude_disclosure(
    _context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `auction.closed`: two bidders competed, one agreed, none leaves it lapsed."""
    bidders = await auctions.count_bidders(session, UUID(fact.record["auction"]))
    await disclosures.conclude(
        session,
        UUID(fact.record["listing"]),
        bidders=bidders,
        sold=fact.record["sold"],
        now=now,
    )


async def publicise_result(
    _context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `deal.executed`: the result of a disclosed sale is public for five working days."""
    deal = await deals.get_deal(session, UUID(fact.record["deal"]))
    if deal.listing_id is not None and deal.supersedes is None:
        await disclosures.publicise(
            session, deal.listing_id, price_minor=deal.amount_minor, now=now
        )


async def end_voided(
    _context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `auction.voided`: without a successor the listing ends, its rights are free."""
    if fact.record["successor"] is None:
        await catalogue.unsold(session, UUID(fact.record["listing"]), now=now)
        await disclosures.end(session, UUID(fact.record["listing"]), now=now)


async def screen_bids(
    _context: Context, session: AsyncSession, _fact: SealedFact, now: datetime
) -> None:
    """Woken by `auction.closed`: look through what has been bid for shills and rings."""
    await screens.run(session, now=now)
