"""Reading conformance: measures, declarations, reports."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from listings.masters.conformance.tables import (
    ConformanceReport,
    MasterDeclaration,
    MasterMeasures,
)


async def find_measures(session: AsyncSession, master_id: UUID) -> MasterMeasures | None:
    """Return what was measured of a master, or None."""
    return await session.get(MasterMeasures, master_id, populate_existing=True)


async def declared(session: AsyncSession, master_id: UUID) -> dict[str, Any]:
    """Return what is declared of a master; nothing is an empty mapping."""
    row = await session.get(MasterDeclaration, master_id, populate_existing=True)
    return {} if row is None else dict(row.content)


async def find_report(
    session: AsyncSession, master_id: UUID, profile: str
) -> ConformanceReport | None:
    """Return the newest report of a master by a profile, or None."""
    wanted = _reports(master_id).where(col(ConformanceReport.profile) == profile)
    return (await session.scalars(wanted.limit(1))).first()


async def newest_reports(session: AsyncSession, master_id: UUID) -> Sequence[ConformanceReport]:
    """Return the newest report of each profile that a master was judged by, by profile."""
    newest: dict[str, ConformanceReport] = {}
    for report in await session.scalars(_reports(master_id)):
        newest.setdefault(report.profile, report)
    return [newest[profile] for profile in sorted(newest)]


def _reports(master_id: UUID) -> Any:
    return (
        select(ConformanceReport)
        .where(col(ConformanceReport.master_id) == master_id)
        .order_by(col(ConformanceReport.judged_at).desc(), col(ConformanceReport.sha256))
    )
