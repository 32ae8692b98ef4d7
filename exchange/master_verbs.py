"""What masters need done in the background: their examination, and the end of abandoned uploads."""

from datetime import datetime

import anyio.to_thread
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.facts.rules import SealedFact
from exchange.context import Context
from listings.masters import gateway, service

MOST_DROPPED = 100  # at once; the rest at the next look


async def examine_master(
    context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Examine a received master, showing how far it is in transactions of their own."""
    master_id = fact.subject
    path = await anyio.to_thread.run_sync(context.masters.local, master_id, fact.record["bytes"])

    async def report(stage: str, done_bp: int) -> None:
        async with context.db.transaction() as showing:
            await service.show_progress(showing, master_id, stage=stage, done_bp=done_bp)

    await service.examine(
        session,
        master_id,
        sha256=fact.record["sha256"],
        path=path,
        sandbox=await gateway.sandbox(context.settings.sandbox),
        report=report,
        now=now,
    )


async def drop_expired(context: Context, now: datetime) -> int:
    """Forget uploads that were left unfinished too long, then remove their files."""
    async with context.db.transaction() as session:
        dropped = await service.drop_expired(session, limit=MOST_DROPPED, now=now)
    for master_id in dropped:
        await anyio.to_thread.run_sync(context.masters.remove, master_id)
    return len(dropped)
