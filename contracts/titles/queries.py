"""Reading titles: owners of a work, grants in it, and what somebody may license on."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.dialects.postgresql import INT4RANGE
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.refusal import Unknown
from contracts.runs import queries as runs
from contracts.titles.rules import NIL, Taken
from contracts.titles.sublicence import Holding
from contracts.titles.tables import LIVE, RightsGrant, Share
from contracts.works.rules import units
from contracts.works.tables import Work


async def shares(session: AsyncSession, work_id: UUID) -> list[Share]:
    """Return the declared shares in the order of their owners; none when nobody declared any.

    Shares are said of a whole tree: those of a season, episode or edit are its root's.
    """
    root = select(col(Work.root_id)).where(col(Work.id) == work_id).scalar_subquery()
    wanted = select(Share).where(col(Share.work_id) == root).order_by(col(Share.party_id))
    return list(await session.scalars(wanted.execution_options(populate_existing=True)))


async def consents_missing(session: AsyncSession, work_id: UUID) -> list[UUID]:
    """Return the co-owners who have not agreed to their share."""
    return [share.party_id for share in await shares(session, work_id) if not share.consented_at]


async def grants_of_work(session: AsyncSession, work_id: UUID) -> list[RightsGrant]:
    """Return every grant of a work, those released or ended too, oldest first."""
    return await _grants(session, work_id)


async def grants_page(
    session: AsyncSession, work_id: UUID, *, viewer: UUID | None, after: UUID, limit: int
) -> list[RightsGrant]:
    """Return a page of the grants that touch a work, as a party may see them (None: staff).

    They are those of the work itself, of what it is part of, and of its parts, oldest first. Owners
    see every one, grantors and licensees their own.

    Raises:
        Unknown: there is no such work, or none the party has to do with.
    """
    work = await session.get(Work, work_id)
    if work is None:
        raise Unknown("There is no such work.")
    wanted = select(RightsGrant).where(*_touching(work))
    owners = [share.party_id for share in await shares(session, work_id)]
    if viewer is not None and viewer not in (work.party_id, *owners):
        grantor, grantee = col(RightsGrant.grantor_id), col(RightsGrant.grantee_id)
        wanted = wanted.where(or_(grantor == viewer, grantee == viewer))
        if (await session.scalars(wanted.limit(1))).first() is None:
            raise Unknown("There is no such work.")
    page = wanted.where(col(RightsGrant.id) > after).order_by(col(RightsGrant.id)).limit(limit)
    return list(await session.scalars(page))


async def taken(session: AsyncSession, work_id: UUID) -> list[Taken]:
    """Return the rights that are live in a work: reserved, held or effective.

    Grants of a series are live in its episodes, and an episode's are live in the series.
    """
    work = await session.get(Work, work_id)
    if work is None:
        return []
    wanted = select(RightsGrant).where(*_touching(work), col(RightsGrant.state).in_(LIVE))
    ordered = wanted.order_by(col(RightsGrant.id)).execution_options(populate_existing=True)
    return [_taken(grant) for grant in await session.scalars(ordered)]


async def holdings(session: AsyncSession, work: Work, party_id: UUID) -> list[Holding]:
    """Return the grants in a work that a party holds and may license on, oldest first."""
    wanted = select(RightsGrant).where(
        *_touching(work),
        col(RightsGrant.state) == "effective",
        col(RightsGrant.grantee_id) == party_id,
        col(RightsGrant.sublicence_depth) >= 1,
    )
    held = list(await session.scalars(wanted.order_by(col(RightsGrant.id))))
    live = await _live_under(session, work.root_id, [grant.id for grant in held])
    counted = [grant.id for grant in held if grant.runs_max is not None]
    spent = await runs.runs_spent(session, work.root_id, counted)
    return [
        _holding(grant, [one for one in live if one.under == grant.id], spent.get(grant.id, 0))
        for grant in held
    ]


async def get_offerable(session: AsyncSession, work_id: UUID, party_id: UUID) -> Work:
    """Return a work that a party may offer rights in: its own, or one it may license on.

    Raises:
        Unknown: there is none of that id, or the party has nothing to offer in it.
    """
    work = await session.get(Work, work_id)
    if work is None or (work.party_id != party_id and not await holdings(session, work, party_id)):
        raise Unknown("There is no such work.", work=str(work_id))
    return work


async def has_to_do_with(session: AsyncSession, root_id: UUID, party_id: UUID) -> bool:
    """Tell whether a party owns works of a tree, or is a side of a grant in it."""
    work = await session.get(Work, root_id)
    if work is None or work.party_id == party_id:
        return work is not None
    if party_id in [share.party_id for share in await shares(session, root_id)]:
        return True
    grantor, grantee = col(RightsGrant.grantor_id), col(RightsGrant.grantee_id)
    side = or_(grantor == party_id, grantee == party_id)
    wanted = select(col(RightsGrant.id)).where(col(RightsGrant.root_id) == root_id, side).limit(1)
    return await session.scalar(wanted) is not None


async def find_grant(session: AsyncSession, root_id: UUID, grant_id: UUID) -> RightsGrant | None:
    """Return the grant of this id anywhere in a tree, or None."""
    wanted = select(RightsGrant).where(
        col(RightsGrant.root_id) == root_id, col(RightsGrant.id) == grant_id
    )
    return (await session.scalars(wanted)).one_or_none()


async def grants_of_party(
    session: AsyncSession, work: Work, party_id: UUID, *, states: Sequence[str]
) -> list[RightsGrant]:
    """Return the grants in these states that touch a work and that a party is a side of."""
    grantor, grantee = col(RightsGrant.grantor_id), col(RightsGrant.grantee_id)
    wanted = select(RightsGrant).where(
        *_touching(work),
        or_(grantor == party_id, grantee == party_id),
        col(RightsGrant.state).in_(states),
    )
    return list(await session.scalars(wanted.order_by(col(RightsGrant.id))))


async def under(session: AsyncSession, root_id: UUID, grant_id: UUID) -> list[RightsGrant]:
    """Return every grant made under one, and under those, and so on; oldest first."""
    found: list[RightsGrant] = []
    parents = [grant_id]
    while parents:
        wanted = select(RightsGrant).where(
            col(RightsGrant.root_id) == root_id, col(RightsGrant.under).in_(parents)
        )
        rows = list(await session.scalars(wanted.execution_options(populate_existing=True)))
        found, parents = found + rows, [row.id for row in rows]
    return sorted(found, key=lambda row: row.id)


async def chain_of_party(session: AsyncSession, root_id: UUID, party_id: UUID) -> list[UUID]:
    """Return the grants of a tree that a party is a side of, and those they were made under."""
    grantor, grantee = col(RightsGrant.grantor_id), col(RightsGrant.grantee_id)
    side = or_(grantor == party_id, grantee == party_id)
    wanted = select(col(RightsGrant.id), col(RightsGrant.under)).where(
        col(RightsGrant.root_id) == root_id
    )
    found: set[UUID] = set()
    rows = (await session.execute(wanted.where(side))).all()
    while rows:
        found |= {row.id for row in rows}
        above = {row.under for row in rows} - found - {NIL}
        rows = (await session.execute(wanted.where(col(RightsGrant.id).in_(above)))).all()
    return sorted(found)


async def by_source(session: AsyncSession, work_id: UUID, source: str) -> list[RightsGrant]:
    """Return what one listing reserved in a work, oldest first."""
    return await _grants(session, work_id, col(RightsGrant.source) == source)


async def by_deal(session: AsyncSession, work_id: UUID, deal_id: UUID) -> list[RightsGrant]:
    """Return what one deal holds in a work, oldest first."""
    return await _grants(session, work_id, col(RightsGrant.deal_id) == deal_id)


async def _grants(
    session: AsyncSession, work_id: UUID, *where: ColumnElement[bool]
) -> list[RightsGrant]:
    wanted = select(RightsGrant).where(col(RightsGrant.work_id) == work_id, *where)
    ordered = wanted.order_by(col(RightsGrant.id))
    return list(await session.scalars(ordered.execution_options(populate_existing=True)))


def _touching(work: Work) -> tuple[ColumnElement[bool], ...]:
    """Return what holds of grants whose block shares a number with the work's."""
    first, after = units(work)
    block = func.int4range(first, after, type_=INT4RANGE)
    return col(RightsGrant.root_id) == work.root_id, col(RightsGrant.units).op("&&")(block)


async def _live_under(
    session: AsyncSession, root_id: UUID, parents: list[UUID]
) -> list[RightsGrant]:
    wanted = select(RightsGrant).where(
        col(RightsGrant.root_id) == root_id,
        col(RightsGrant.under).in_(parents),
        col(RightsGrant.under) != NIL,
        col(RightsGrant.state).in_(LIVE),
    )
    return list(await session.scalars(wanted)) if parents else []


def _holding(grant: RightsGrant, live: list[RightsGrant], spent: int) -> Holding:
    return Holding(
        grant.id,
        grant.box(),
        grant.block(),
        grant.sublicence_depth,
        spent,
        tuple(_taken(one) for one in live),
    )


def _taken(grant: RightsGrant) -> Taken:
    return Taken(grant.source, grant.state, grant.box(), grant.under, grant.block())
