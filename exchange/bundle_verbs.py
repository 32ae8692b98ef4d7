"""What package auctions need done in the background: the solving, in a process of its own."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.facts.rules import SealedFact
from exchange import clock
from exchange.context import Context
from listings.bundles import service
from listings.bundles.gateway import ChildSolver, SolverDied, Solving

SOLVER: Solving = ChildSolver()
# A stage is shown at most this often; each showing is a transaction of its own.
SHOWN_EVERY_S = 1.0


async def solve_packages(
    context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `bidding.ended`, and by `bids.revealed` where bids were sealed: solve and award.

    Another solver begins where one died; the job is repeated until one answers.
    """
    if fact.record["method"] != service.METHOD:
        return
    auction_id, shown_at = fact.subject, now
    async with context.db.transaction() as looking:
        if (asked := await service.ask(looking, auction_id)) is None:
            return
        await service.begin(looking, auction_id, now=now)

    async def told(stage: str, at: int) -> None:
        nonlocal shown_at
        if at and (clock.now() - shown_at).total_seconds() < SHOWN_EVERY_S:
            return
        shown_at = clock.now()
        async with context.db.transaction() as showing:
            await service.show(showing, auction_id, stage=stage, at=at, now=shown_at)

    try:
        certificate = await SOLVER.solve(asked, told=told)
    except SolverDied:
        await told("died", 0)
        raise
    await service.settle(session, auction_id, certificate, now=now)
