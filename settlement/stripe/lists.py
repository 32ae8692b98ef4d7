"""The provider's lists that are read without being told: each by one worker at a time."""

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import locking
from settlement.stripe.tables import ProviderList


async def take_up(
    session: AsyncSession, name: str, *, again: timedelta, now: datetime
) -> ProviderList | None:
    """Take a list up if it is due and in no other hands; it is due again if this worker dies."""
    wanted = (
        select(ProviderList)
        .where(col(ProviderList.name) == name, col(ProviderList.next_at) <= now)
        .with_for_update(skip_locked=True)
    )
    line = await session.scalar(wanted.execution_options(populate_existing=True))
    if line is not None:
        line.next_at = now + again
        await session.flush()
    return line


async def was_read(session: AsyncSession, name: str, *, every: timedelta, now: datetime) -> None:
    """Note that a list was read up to now."""
    line = await locking.get_locked(session, ProviderList, col(ProviderList.name) == name)
    line.read_until, line.next_at = now, now + every
    await session.flush()
