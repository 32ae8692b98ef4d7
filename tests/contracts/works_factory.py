"""Works for tests."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.works import queries, tree
from contracts.works.tables import Work


async def work(
    session: AsyncSession, *, party_id: UUID, kind: str = "documentary", now: datetime
) -> Work:
    """A work of its own: every call makes another."""
    work_id = ids.new(now)
    made = Work(
        id=work_id,
        root_id=work_id,
        party_id=party_id,
        title_zh="示范作品",
        title_en="Demonstration Work",
        kind=kind,
        year=2026,
        country="CN",
        created_at=now,
    )
    session.add(made)
    await session.flush()
    return made


async def child(session: AsyncSession, parent: Work, *, kind: str, now: datetime) -> Work:
    """A work in the next place below another, without facts; kinds are not looked at."""
    last = await queries.last_child(session, parent.id)
    first, after = tree.next_part(tree.units(parent), None if last is None else tree.units(last))
    made = Work(
        id=ids.new(now),
        party_id=parent.party_id,
        parent_id=parent.id,
        root_id=parent.root_id,
        unit_first=first,
        unit_after=after,
        title_zh="示范作品",
        title_en="Demonstration Work",
        kind=kind,
        year=2026,
        country="CN",
        created_at=now,
    )
    session.add(made)
    await session.flush()
    return made
