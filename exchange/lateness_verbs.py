"""Reactions about late payment: its interest is claimed, and a default ends the deal."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.deals import ending, notices, rows
from contracts.facts.rules import SealedFact
from contracts.parties.rules import EXCHANGE_PARTY_ID
from exchange.context import Context
from settlement.lateness import service as lateness


async def charge_lateness(
    _context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `payment.received`: ask for the interest of what came late, and end the demand.

    A demand is over once nothing of it is unpaid.
    """
    await lateness.charge(session, UUID(fact.record["invoice"]), now=now)
    await lateness.cure(session, UUID(fact.record["deal"]), now=now)


async def end_defaulted(
    _context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `settlement.defaulted`: the contract ends, and its rights go back (权利回转)."""
    deal = await rows.locked(session, UUID(fact.record["deal"]))
    notice = await notices.get_locked(session, deal.id, UUID(fact.record["notice"]))
    if notice.outcome is not None or deal.life.end != "in_force":
        return
    await notices.settle(session, deal, notice, "terminated", party_id=None, now=now)
    await ending.terminate(
        session, deal, cause="cause", notice=notice.id, by=EXCHANGE_PARTY_ID, now=now
    )
