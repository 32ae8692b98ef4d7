"""What screeners need done in the background: the burning of names, and the end of links."""

from datetime import datetime
from uuid import UUID

import anyio
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.facts.rules import SealedFact
from exchange.context import Context
from listings.masters import gateway
from listings.masters import queries as masters
from listings.screeners import gateway as burning
from listings.screeners import rules, service
from listings.screeners.gateway import Films
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

    films = Films(context.settings.objects)
    film = films.film(master.id, screener.id)
    good = await burning.burn(
        films.proxy(master.id),
        film,
        text=rules.burnt(screener.viewer, screener.id, screener.created_at),
        seconds=(master.probe or {}).get("duration_ms", 0) / 1000,
        sandbox=await gateway.sandbox(context.settings.sandbox),
        report=report,
    )
    if (await service.made(session, screener.id, good=good)).state != "ready":
        await anyio.Path(film).unlink(missing_ok=True)


async def end_screeners(context: Context, now: datetime) -> int:
    """End screeners that ran out or were taken back, then remove their films."""
    async with context.db.transaction() as session:
        ended = await service.end_due(session, limit=MOST_ENDED, now=now)
        films = [_film(context, each.master_id, each.id) for each in ended]
    for film in films:
        await film.unlink(missing_ok=True)
    return len(films)


def _film(context: Context, master_id: UUID, screener_id: UUID) -> anyio.Path:
    return anyio.Path(Films(context.settings.objects).film(master_id, screener_id))
