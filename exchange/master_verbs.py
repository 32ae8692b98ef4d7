"""What a received master wakes: its examination."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.facts.rules import SealedFact
from exchange.context import Context
from listings.masters import gateway, service
from listings.masters.store import MasterFiles


async def examine_master(
    context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Examine a received master, showing how far it is in transactions of their own."""
    master_id = fact.subject

    async def report(stage: str, done_bp: int) -> None:
        async with context.db.transaction() as showing:
            await service.show_progress(showing, master_id, stage=stage, done_bp=done_bp)

    await service.examine(
        session,
        master_id,
        sha256=fact.record["sha256"],
        path=MasterFiles(context.settings.objects).path(master_id),
        sandbox=await gateway.sandbox(context.settings.sandbox),
        report=report,
        now=now,
    )
