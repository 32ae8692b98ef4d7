"""What the index of pictures needs done in the background: its files, or its copy elsewhere."""

from datetime import datetime

from exchange.context import Context
from listings.index import gateway, keeping, service

MOST_ADDED = 20  # masters at once; the rest at the next look


async def keep_index(context: Context, now: datetime) -> int:
    """Add what was listed before there was an index; write or copy what waits; return how much."""
    async with context.db.transaction() as session:
        added = await service.add_missing(session, limit=MOST_ADDED, now=now)
    settings = context.settings
    async with context.db.transaction() as session:
        if settings.warehouse_url is None:
            return added + await keeping.keep_up(session, folder=settings.index)
        warehouse = gateway.open_warehouse(settings.warehouse_url)
        return added + await keeping.copy_up(session, warehouse)
