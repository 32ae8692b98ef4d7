"""Works for tests."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.works.tables import Work


async def work(session: AsyncSession, *, party_id: UUID, now: datetime) -> Work:
    """A work of its own: every call makes another."""
    work_id = ids.new(now)
    made = Work(
        id=work_id,
        root_id=work_id,
        party_id=party_id,
        title_zh="示范作品",
        title_en="Demonstration Work",
        kind="documentary",
        year=2026,
        country="CN",
        created_at=now,
    )
    session.add(made)
    await session.flush()
    return made
