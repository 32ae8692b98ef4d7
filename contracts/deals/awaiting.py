"""Deals that wait for witnesses: signed by everybody, and not yet seen by the quorum (见证).

Where a policy in force asks for cosignatures, a deal whose last signature is in the register waits
with its performance until the quorum has cosigned a checkpoint that covers `deal.executed`. From
then on nobody, the exchange included, can show another history in which it was never signed.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.deals import rows
from contracts.deals.rules import DealNotEffective
from contracts.deals.tables import Deal
from contracts.facts import queries as told
from contracts.log import queries as log
from contracts.log import witnesses
from contracts.log.tables import LogPolicy, LogQuorum


async def take_effect(session: AsyncSession, deal_id: UUID, *, now: datetime) -> Deal:
    """Let performance begin once the execution is witnessed; again changes nothing.

    Where the policy was withdrawn meanwhile, it begins without.

    Raises:
        Unknown: there is no such deal.
        DealNotEffective: it is not signed, or its execution is not witnessed yet.
    """
    deal = await rows.locked(session, deal_id)
    if deal.performance != "pending":
        return deal
    if deal.signing != "executed":
        raise DealNotEffective("The deal is not signed by everybody.", signing=deal.signing)
    seq = await executed_seq(session, deal)
    met = None if seq is None else await _met(session, seq)
    if met is None and await witnesses.demanded(session) is not None:
        raise DealNotEffective("The witnesses' quorum has not cosigned it yet.")
    deal.performance = "effective"
    await session.flush()
    size, policy_sha256 = met or (None, None)
    payload = {"deal": str(deal.id), "size": size, "policy_sha256": policy_sha256}
    await rows.tell(session, "deal.witnessed", deal, payload, now=now)
    return deal


async def executed_seq(session: AsyncSession, deal: Deal) -> int | None:
    """Return the leaf of a deal's execution; None before it is executed and sealed."""
    executed = await told.find_first_of(session, deal.id, "deal.executed")
    if executed is None:
        return None
    found = await log.told_about(session, [deal.id], kinds=["deal.executed"])
    return next((seq for fact, seq in found if fact.id == executed.id), None)


async def _met(session: AsyncSession, seq: int) -> tuple[int, str] | None:
    """Return size and policy of the first witnessed checkpoint over a leaf."""
    covering = await witnesses.quorum_over(session, seq)
    if covering is None:
        return None
    found = await session.execute(
        select(col(LogPolicy.sha256))
        .join(LogQuorum, col(LogQuorum.policy) == col(LogPolicy.number))
        .where(col(LogQuorum.size) == covering.size)
        .order_by(col(LogPolicy.number))
        .limit(1)
    )
    return covering.size, found.scalar_one()
