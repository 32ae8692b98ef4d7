"""Reading recognition: verdicts, resemblances with what they are of, declarations, open cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.parties.tables import Party
from contracts.refusal import IdReused, Unknown
from contracts.works.tables import Work
from listings.index.tables import IndexEntry
from listings.masters.tables import Master
from listings.recognition.rules import Side
from listings.recognition.tables import Declaration, ProtectedMaster, Recognition, Resemblance


@dataclass(frozen=True, slots=True)
class Of:
    """What a resemblance is of: the newest listing of the other master, its work and its party."""

    protected: ProtectedMaster
    work: Work
    party: Party


async def newest_epoch(session: AsyncSession) -> int:
    """Return the epoch of the last publication; 0 before the first."""
    return await session.scalar(select(func.max(col(ProtectedMaster.epoch)))) or 0


async def protected_since(
    session: AsyncSession, since: int, *, but: UUID, limit: int | None = None
) -> Sequence[UUID]:
    """Return the masters, other than `but`, that were first protected after an epoch."""
    first = func.min(col(ProtectedMaster.epoch))
    wanted = (
        select(col(ProtectedMaster.master_id))
        .where(col(ProtectedMaster.master_id) != but)
        .group_by(col(ProtectedMaster.master_id))
        .having(first > since)
        .order_by(first)
        .limit(limit)
    )
    return (await session.scalars(wanted)).all()


async def last_entry(session: AsyncSession, epoch: int) -> int:
    """Return the number of the last entry in the index that was there at an epoch."""
    wanted = (
        select(func.max(col(IndexEntry.entry)))
        .join(ProtectedMaster, col(ProtectedMaster.master_id) == col(IndexEntry.master_id))
        .where(col(ProtectedMaster.epoch) <= epoch)
    )
    return await session.scalar(wanted) or 0


async def outside_the_index(session: AsyncSession, *, but: UUID) -> Sequence[UUID]:
    """Return the protected masters without an entry: those listed before there was an index."""
    live = exists().where(
        col(IndexEntry.master_id) == col(ProtectedMaster.master_id),
        col(IndexEntry.dropped_at).is_(None),
    )
    wanted = select(col(ProtectedMaster.master_id)).where(
        ~live, col(ProtectedMaster.master_id) != but
    )
    return (await session.scalars(wanted.distinct())).all()


async def same_bytes(
    session: AsyncSession, *, sha256: str | None, essence: str | None, but: UUID
) -> set[UUID]:
    """Return the protected masters with the same file, or the same coded picture."""
    wanted = select(col(ProtectedMaster.master_id)).where(
        or_(
            col(ProtectedMaster.sha256) == (sha256 or ""),
            col(ProtectedMaster.essence) == (essence or ""),
        ),
        col(ProtectedMaster.master_id) != but,
    )
    return set((await session.scalars(wanted)).all())


async def sides(session: AsyncSession, masters: Sequence[UUID]) -> Mapping[UUID, Side]:
    """Return whose each protected master is, and of which trees of works."""
    wanted = select(ProtectedMaster).where(col(ProtectedMaster.master_id).in_(masters))
    found: dict[UUID, Side] = {}
    for row in (await session.scalars(wanted)).all():
        roots = found[row.master_id].roots if row.master_id in found else frozenset()
        found[row.master_id] = Side(row.party_id, roots | {row.root_id})
    return found


async def find_recognition(session: AsyncSession, master_id: UUID) -> Recognition | None:
    """Return the verdict on a master, or None when it was not searched for yet."""
    return await session.get(Recognition, master_id)


async def get_recognition(session: AsyncSession, master_id: UUID) -> Recognition:
    """Return the verdict on a master.

    Raises:
        Unknown: there is none.
    """
    found = await find_recognition(session, master_id)
    if found is None:
        raise Unknown("There is no such case.")
    return found


async def resemblances(session: AsyncSession, master_id: UUID) -> Sequence[Resemblance]:
    """Return what a master resembles, the surest first, as it is written now."""
    wanted = (
        select(Resemblance)
        .where(col(Resemblance.master_id) == master_id)
        .order_by(col(Resemblance.confidence_bp).desc(), col(Resemblance.other_master_id))
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(wanted)).all()


async def segments(session: AsyncSession, row: Declaration) -> Sequence[Mapping[str, Any]]:
    """Return the stretches that the two masters of a declaration have in common."""
    found = await session.get(Resemblance, (row.master_id, row.other_master_id))
    return [] if found is None else found.segments


async def roots_of(session: AsyncSession, master: Master) -> frozenset[UUID]:
    """Return the trees of the works that a master was uploaded for or listed as."""
    wanted = (
        select(col(Work.root_id))
        .where(col(Work.id) == master.work_id)
        .union(
            select(col(ProtectedMaster.root_id)).where(col(ProtectedMaster.master_id) == master.id)
        )
    )
    return frozenset((await session.scalars(wanted)).all())


async def get_protected(session: AsyncSession, listing_id: UUID) -> ProtectedMaster:
    """Return what a published listing protects.

    Raises:
        Unknown: no such listing was ever published.
    """
    found = await session.get(ProtectedMaster, listing_id)
    if found is None:
        raise Unknown("There is no such listing.")
    return found


async def same_declaration(
    session: AsyncSession, declaration_id: UUID, content: Mapping[str, Any]
) -> Declaration:
    """Return the declaration of this id and content.

    Raises:
        IdReused: the id is a declaration's of other content.
    """
    found = await session.get_one(Declaration, declaration_id)
    if any(getattr(found, name) != value for name, value in content.items()):
        raise IdReused("The id is taken by another declaration.")
    return found


async def what_of(session: AsyncSession, masters: Sequence[UUID]) -> Mapping[UUID, Of]:
    """Return for each protected master its newest listing, work and party."""
    wanted = (
        select(ProtectedMaster, Work, Party)
        .join(Work, col(Work.id) == col(ProtectedMaster.work_id))
        .join(Party, col(Party.id) == col(ProtectedMaster.party_id))
        .where(col(ProtectedMaster.master_id).in_(masters))
        .order_by(col(ProtectedMaster.epoch))
    )
    return {row[0].master_id: Of(*row) for row in await session.execute(wanted)}


async def declarations(session: AsyncSession, master_id: UUID) -> Sequence[Declaration]:
    """Return what was declared of a master, in the order it was."""
    wanted = (
        select(Declaration)
        .where(col(Declaration.master_id) == master_id)
        .order_by(col(Declaration.declared_at), col(Declaration.id))
    )
    return (await session.scalars(wanted)).all()


async def get_declaration(
    session: AsyncSession, declaration_id: UUID, *, master_id: UUID, viewer: UUID | None
) -> Declaration:
    """Return a declaration as `viewer` may see it: either side, or staff (None).

    Raises:
        Unknown: there is none, or the viewer is no side of it.
    """
    found = await session.get(Declaration, declaration_id)
    if (
        found is None
        or found.master_id != master_id
        or viewer not in (None, found.party_id, found.other_party_id)
    ):
        raise Unknown("There is no such declaration.")
    return found


async def archives(session: AsyncSession, masters: Sequence[UUID]) -> Sequence[Declaration]:
    """Return the accepted declarations of archive footage that touch any of the masters."""
    wanted = select(Declaration).where(
        col(Declaration.claim) == "archive",
        col(Declaration.state) == "accepted",
        or_(
            col(Declaration.master_id).in_(masters),
            col(Declaration.other_master_id).in_(masters),
        ),
    )
    return (await session.scalars(wanted)).all()


async def against(session: AsyncSession, party_id: UUID) -> Sequence[Declaration]:
    """Return the undecided declarations about a party's listings, the oldest first."""
    wanted = (
        select(Declaration)
        .where(col(Declaration.other_party_id) == party_id, col(Declaration.state) == "declared")
        .order_by(col(Declaration.declared_at))
    )
    return (await session.scalars(wanted)).all()


async def open_cases(
    session: AsyncSession, *, after: UUID, limit: int
) -> Sequence[tuple[Recognition, Master, Party]]:
    """Return what waits for staff: doubtful masters, and copies that something was declared of."""
    declared = exists().where(
        col(Declaration.master_id) == col(Recognition.master_id),
        col(Declaration.state) == "declared",
    )
    wanted = (
        select(Recognition, Master, Party)
        .join(Master, col(Master.id) == col(Recognition.master_id))
        .join(Party, col(Party.id) == col(Recognition.party_id))
        .where(
            col(Recognition.opened_at).is_not(None),
            or_(col(Recognition.state) == "doubtful", declared),
            col(Recognition.master_id) > after,
        )
        .order_by(col(Recognition.master_id))
        .limit(limit)
    )
    return [(row[0], row[1], row[2]) for row in await session.execute(wanted)]


async def waiting_beside(session: AsyncSession, masters: Sequence[UUID]) -> Sequence[UUID]:
    """Return the masters that are not clear and resemble one of these."""
    wanted = (
        select(col(Recognition.master_id))
        .join(Resemblance, col(Resemblance.master_id) == col(Recognition.master_id))
        .where(
            col(Recognition.opened_at).is_not(None), col(Resemblance.other_master_id).in_(masters)
        )
        .distinct()
        .order_by(col(Recognition.master_id))
    )
    return (await session.scalars(wanted)).all()
