"""What screeners need done in the background: the burning of names, and the end of links."""

from datetime import datetime

import anyio.to_thread
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.facts.rules import SealedFact
from exchange.context import Context
from listings.examinations.gateway import scratch
from listings.masters import gateway
from listings.masters import queries as masters
from listings.screeners import gateway as burning
from listings.screeners import rules, service
from listings.screeners.tables import Screener

MOST_ENDED = 100  # at once; the rest at the next look


async def burn_screener(
    context: Context, session: AsyncSession, fact: SealedFact, _now: datetime
) -> None:
    """Burn the viewer's name into the proxy of a master."""
    async with context.db.transaction() as reading:
        screener = await reading.get_one(Screener, fact.subject)
        master = await masters.get_master(reading, screener.master_id)
    if screener.state != "preparing" or screener.revoked_at is not None:
        return

    async def report(done_bp: int) -> None:
        async with context.db.transaction() as showing:
            await service.show_progress(showing, screener.id, done_bp=done_bp)

    objects, proxy = context.objects, burning.proxy_key(master.id)
    source = await anyio.to_thread.run_sync(objects.local, proxy)
    async with scratch(context.settings.objects / "scratch") as folder:
        film = folder / "film.mp4"
        good = await burning.burn(
            source,
            film,
            text=rules.burnt(screener.viewer, screener.id, screener.created_at),
            seconds=(master.probe or {}).get("duration_ms", 0) / 1000,
            sandbox=await gateway.sandbox(context.settings.sandbox),
            report=report,
        )
        key = burning.film_key(master.id, screener.id)
        if good:
            await anyio.to_thread.run_sync(objects.put, key, film)
    if (await service.made(session, screener.id, good=good)).state != "ready":
        await anyio.to_thread.run_sync(objects.delete, key)


async def end_screeners(context: Context, now: datetime) -> int:
    """End screeners that ran out or were taken back, then remove their films."""
    async with context.db.transaction() as session:
        ended = await service.end_due(session, limit=MOST_ENDED, now=now)
        keys = [burning.film_key(each.master_id, each.id) for each in ended]
    for key in keys:
        await anyio.to_thread.run_sync(context.objects.delete, key)
    return len(keys)
