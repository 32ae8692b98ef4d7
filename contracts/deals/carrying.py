"""A deal that takes another's place: what begins, ends and is paid when all have signed."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.deals import amending, lifecycle, queries, rows, transfers
from contracts.deals.tables import Deal


async def take_effect(session: AsyncSession, deal: Deal, *, now: datetime) -> None:
    """Put a signed amendment or assignment in the place of its base, with the last signature.

    Raises:
        DealNotInForce: the base has ended meanwhile.
        AssignmentNotPossible: it is handed on, and something stands in the way by now.
        RightsInUse, Refusal: see `regranting.check`.
    """
    if deal.assignor_id is not None:
        await transfers.check_still(session, deal)
    await amending.take_effect(session, deal, now=now)
    if deal.assignor_id is not None:
        await transfers.make_known(session, deal, now=now)


async def pay_with_base(session: AsyncSession, deal: Deal, *, now: datetime) -> None:
    """Let an effective deal be paid where all that it owes was paid under the one before.

    One that asks for more waits for its own settlement.
    """
    if deal.supersedes is None or deal.performance != "effective":
        return
    base = await queries.get_deal(session, deal.supersedes)
    if base.performance != "paid" or amending.supplement(base, deal) is not None:
        return
    deal.performance = lifecycle.after(deal.life, "paid").performance
    await session.flush()
    payload = {"deal": str(deal.id), "from_deal": str(base.id)}
    await rows.tell(session, "payment.carried", deal, payload, now=now)
    await pay_on(session, deal, now=now)


async def pay_on(session: AsyncSession, base: Deal, *, now: datetime) -> None:
    """Tell the deal that took the place of a paid one, and those after it, that it is paid."""
    found = await queries.find_amendment(session, base.id)
    if found is not None and found.signing == "executed":
        await pay_with_base(session, await rows.locked(session, found.id), now=now)
