"""Reactions about deliveries: what is paid for is released, however its conditions came about."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.facts.rules import SealedFact
from exchange import keys
from exchange.context import Context
from listings.deliveries import queries, service


async def release_keys(
    context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by a booked settlement or a new manifest: release the key of what is paid for."""
    deal_id = UUID(fact.record["deal"])
    if await queries.of_deal(session, deal_id):
        await service.release_due(
            session, deal_id, escrow=keys.escrow_key(context.settings), now=now
        )


async def release_to_key(
    context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `delivery-key.registered`: release to it what its party has paid for."""
    party_id = UUID(fact.record["party"])
    for deal_id in await queries.deals_of_licensee(session, party_id):
        await service.release_due(
            session, deal_id, escrow=keys.escrow_key(context.settings), now=now
        )
