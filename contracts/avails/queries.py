"""Reading imports of avails and the lines they left."""

from collections.abc import Collection, Sequence
from itertools import islice
from typing import TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.avails.offers import Described, Name
from contracts.avails.tables import AvailImport, AvailLine
from contracts.refusal import Unknown
from contracts.works.tables import Work

_CHUNK = 5000  # values in one IN (…)
One = TypeVar("One")


async def find_import(session: AsyncSession, import_id: UUID) -> AvailImport | None:
    """Return the import, or None."""
    return await session.get(AvailImport, import_id)


async def get_import_of(session: AsyncSession, import_id: UUID, party_id: UUID) -> AvailImport:
    """Return an import of this party.

    Raises:
        Unknown: there is none of that id, or it is another party's.
    """
    found = await find_import(session, import_id)
    if found is None or found.party_id != party_id:
        raise Unknown("There is no such import.", avail_import=str(import_id))
    return found


async def lines(
    session: AsyncSession, party_id: UUID, alids: Collection[str]
) -> Sequence[AvailLine]:
    """Return the party's lines under these ALIDs, withdrawn ones too."""
    found: list[AvailLine] = []
    for some in _chunks(sorted(set(alids))):
        wanted = select(AvailLine).where(
            col(AvailLine.party_id) == party_id, col(AvailLine.alid).in_(some)
        )
        found += (await session.scalars(wanted)).all()
    return found


async def works_named(
    session: AsyncSession, party_id: UUID, names: Collection[Name]
) -> dict[Name, UUID]:
    """Return which of the party's works each identifier names; unknown ones are left out."""
    found: dict[Name, UUID] = {}
    for scheme, column in (("id", Work.id), ("eidr", Work.eidr), ("isan", Work.isan)):
        values = sorted({name.value for name in names if name.scheme == scheme})
        for some in _chunks(values):
            keys = [UUID(one) for one in some] if scheme == "id" else some
            wanted = select(column, Work.id).where(
                col(Work.party_id) == party_id, col(column).in_(keys)
            )
            for value, work_id in (await session.execute(wanted.order_by(col(Work.id)))).all():
                found.setdefault(Name(scheme, str(value)), work_id)
    return found


async def described(session: AsyncSession, work: Work) -> Described:
    """Return what an avail says of a work, with the works it is part of."""
    above: list[Work] = []
    here = work
    while here.parent_id is not None:
        parent = await session.get_one(Work, here.parent_id)
        above.append(parent)
        here = parent
    chain = [_described(one, parent) for one, parent in zip(above, [*above, None][1:], strict=True)]
    return _described(work, above[0] if above else None, above=tuple(chain))


def _described(work: Work, parent: Work | None, *, above: tuple[Described, ...] = ()) -> Described:
    size = work.unit_after - work.unit_first
    return Described(
        id=work.id,
        kind=work.kind,
        title_zh=work.title_zh,
        title_en=work.title_en,
        year=work.year,
        eidr=work.eidr,
        isan=work.isan,
        number=1 if parent is None else (work.unit_first - parent.unit_first) // size,
        above=above,
    )


def _chunks(values: Sequence[One]) -> list[list[One]]:
    rest = iter(values)
    return list(iter(lambda: list(islice(rest, _CHUNK)), []))
