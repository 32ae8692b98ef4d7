"""Refunds as the parties see them: what comes back to a payer, what a payee gives back."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from settlement.plans import queries as plans
from settlement.recoveries import queries as recoveries
from settlement.refunds import queries as refunds

MOST = 200


async def of_party(session: AsyncSession, party_id: UUID) -> list[dict[str, Any]]:
    """Return a party's refunds and what it gives back itself, the newest first."""
    coming = await refunds.of_payer(session, party_id, limit=MOST)
    going = await recoveries.of_payee(session, party_id, limit=MOST)
    settlements = {row.deal_id for row in coming} | {row.deal_id for row in going}
    deals = await plans.deals_of(session, settlements)
    found = [
        _shown(row.deal_id, deals, row.amount_minor, row.currency)
        | {"state": f"refund_{row.state}", "at": row.prepared_at, "reason": row.reason}
        for row in coming
    ]
    found += [
        _shown(row.deal_id, deals, -row.own.amount_minor, row.currency)
        | {"state": f"recovery_{row.state}", "at": row.created_at, "reason": None}
        for row in going
    ]
    return sorted(found, key=lambda one: one["at"], reverse=True)


def _shown(
    settlement: UUID, deals: Mapping[UUID, UUID | None], amount_minor: int, currency: str
) -> dict[str, Any]:
    return {
        "deal_id": deals[settlement] or settlement,
        "amount_minor": amount_minor,
        "currency": currency,
    }
