"""Reading titles: owners and grants of a work."""

from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.refusal import Unknown
from contracts.titles.rules import Taken
from contracts.titles.tables import LIVE, RightsGrant, Share
from contracts.works.tables import Work


async def shares(session: AsyncSession, work_id: UUID) -> list[Share]:
    """Return the declared shares in the order of their owners; none when nobody declared any."""
    wanted = select(Share).where(col(Share.work_id) == work_id).order_by(col(Share.party_id))
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
    """Return a page of a work's grants, oldest first, as a party may see them (None: staff).

    Owners see every grant of their work, licensees those made to them.

    Raises:
        Unknown: there is no such work, or none the party has to do with.
    """
    work = await session.get(Work, work_id)
    if work is None:
        raise Unknown("There is no such work.")
    wanted = select(RightsGrant).where(col(RightsGrant.work_id) == work_id)
    owners = [share.party_id for share in await shares(session, work_id)]
    if viewer is not None and viewer not in (work.party_id, *owners):
        wanted = wanted.where(col(RightsGrant.grantee_id) == viewer)
        if (await session.scalars(wanted.limit(1))).first() is None:
            raise Unknown("There is no such work.")
    page = wanted.where(col(RightsGrant.id) > after).order_by(col(RightsGrant.id)).limit(limit)
    return list(await session.scalars(page))


async def taken(session: AsyncSession, work_id: UUID) -> list[Taken]:
    """Return the rights of a work that are live: reserved, held or effective."""
    return [
        Taken(grant.source, grant.state, grant.box())
        for grant in await _grants(session, work_id, col(RightsGrant.state).in_(LIVE))
    ]


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
