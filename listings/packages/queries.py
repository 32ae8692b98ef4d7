"""Reading the further files of works, and packages."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.refusal import Unknown
from listings.packages.tables import Asset, ImfPackage


async def get_asset(session: AsyncSession, work_id: UUID, asset_id: UUID) -> Asset:
    """Return an asset of a work.

    Raises:
        Unknown: there is none.
    """
    asset = await session.get(Asset, asset_id)
    if asset is None or asset.work_id != work_id:
        raise Unknown("There is no such asset.")
    return asset


async def assets_of(
    session: AsyncSession, work_id: UUID, *, party_id: UUID | None, after: UUID, limit: int
) -> Sequence[Asset]:
    """Return a page of the assets of a work in the order of their ids (None: of every party)."""
    wanted = select(Asset).where(col(Asset.work_id) == work_id, col(Asset.id) > after)
    if party_id is not None:
        wanted = wanted.where(col(Asset.party_id) == party_id)
    return (await session.execute(wanted.order_by(col(Asset.id)).limit(limit))).scalars().all()


async def get_package(session: AsyncSession, work_id: UUID, package_id: UUID) -> ImfPackage:
    """Return an IMF package of a work.

    Raises:
        Unknown: there is none.
    """
    package = await session.get(ImfPackage, package_id)
    if package is None or package.work_id != work_id:
        raise Unknown("There is no such package.")
    return package


async def packages_of(
    session: AsyncSession, work_id: UUID, *, party_id: UUID | None, after: UUID, limit: int
) -> Sequence[ImfPackage]:
    """Return a page of the packages of a work in the order of their ids (None: of every party)."""
    wanted = select(ImfPackage).where(
        col(ImfPackage.work_id) == work_id, col(ImfPackage.id) > after
    )
    if party_id is not None:
        wanted = wanted.where(col(ImfPackage.party_id) == party_id)
    return (await session.execute(wanted.order_by(col(ImfPackage.id)).limit(limit))).scalars().all()
