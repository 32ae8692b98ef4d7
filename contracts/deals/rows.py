"""A deal under its lock, and facts about it told to both of its sides."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import locking
from contracts.deals.tables import Deal
from contracts.facts import service as facts
from contracts.refusal import Unknown


async def locked(session: AsyncSession, deal_id: UUID) -> Deal:
    """Load a deal under its lock.

    Raises:
        Unknown: there is no such deal.
    """
    deal = await locking.find_locked(session, Deal, col(Deal.id) == deal_id)
    if deal is None:
        raise Unknown("There is no such deal.", deal=str(deal_id))
    return deal


async def tell(
    session: AsyncSession, kind: str, deal: Deal, payload: Mapping[str, Any], *, now: datetime
) -> UUID:
    """Record a fact about a deal for both sides; return its id."""
    sides = [deal.licensor_id, deal.licensee_id]
    return await facts.record(session, kind, deal.id, payload, parties=sides, now=now)


def role_of(deal: Deal, party_id: UUID) -> str:
    """Return the role of a side.

    Raises:
        Unknown: the party has no part in the deal.
    """
    roles = {deal.licensor_id: "licensor", deal.licensee_id: "licensee"}
    if party_id not in roles:
        raise Unknown("There is no such deal.", deal=str(deal.id))
    return roles[party_id]
