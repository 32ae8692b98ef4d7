"""Works for tests."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession
from stdnum.iso7064 import mod_37_36

from contracts import ids
from contracts.works import queries, tree
from contracts.works.tables import Work


def new_eidr() -> str:
    """An EIDR that no other test has."""
    digits = uuid4().hex[:20].upper()
    parts = [digits[at : at + 4] for at in range(0, 20, 4)]
    return f"10.5240/{'-'.join(parts)}-{mod_37_36.calc_check_digit(digits)}"


def new_isan() -> str:
    """An ISAN, with its version, that no other test has."""
    root, version = uuid4().hex[:16].upper(), uuid4().hex[:8].upper()
    parts = [root[at : at + 4] for at in range(0, 16, 4)]
    checks = mod_37_36.calc_check_digit(root), mod_37_36.calc_check_digit(root + version)
    return f"{'-'.join(parts)}-{checks[0]}-{version[:4]}-{version[4:]}-{checks[1]}"


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
