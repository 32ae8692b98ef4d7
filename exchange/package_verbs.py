"""What further files of works need done in the background: the look into their content."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio.to_thread
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.facts.rules import SealedFact
from exchange.context import Context
from listings.masters import gateway
from listings.masters.store import Files
from listings.masters.tables import Master
from listings.packages import content, imf_reading, queries, service
from listings.packages.refusals import AssetContent


@dataclass(frozen=True, slots=True)
class Uploads:
    """The files of a package where they are stored: path → upload and size."""

    files: Mapping[str, tuple[UUID, int]]
    stored: Files

    def sizes(self) -> Mapping[str, int]:
        """See `imf_reading.Source`."""
        return {path: size for path, (_, size) in self.files.items()}

    def local(self, path: str) -> Path:
        """See `imf_reading.Source`."""
        return self.stored.local(*self.files[path])


async def check_asset(
    context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Look into an asset and take down what it is; the session is used when that is known."""
    async with context.db.transaction() as looking:
        asset = await queries.get_asset(looking, UUID(fact.record["work"]), fact.subject)
        sizes = await _sizes(looking, [asset.file_id])
    path = await anyio.to_thread.run_sync(
        context.masters.local, asset.file_id, sizes[asset.file_id]
    )
    sandbox = await gateway.sandbox(context.settings.sandbox)
    found: dict[str, Any] | AssetContent
    try:
        found = await content.check(asset.kind, path, sandbox)
    except AssetContent as refusal:
        found = refusal
    await service.settle_asset(session, fact.subject, found=found, now=now)


async def check_package(
    context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Check an IMF package; the session is used when everything is read."""
    async with context.db.transaction() as looking:
        package = await queries.get_package(looking, UUID(fact.record["work"]), fact.subject)
        sizes = await _sizes(looking, map(UUID, package.files.values()))
    files = {path: (UUID(file), sizes[UUID(file)]) for path, file in package.files.items()}
    sandbox = await gateway.sandbox(context.settings.sandbox)
    report = await imf_reading.examine(Uploads(files, context.masters), sandbox)
    await service.settle_package(session, fact.subject, report=report, now=now)


async def _sizes(session: AsyncSession, file_ids: Any) -> dict[UUID, int]:
    wanted = select(col(Master.id), col(Master.declared_bytes)).where(col(Master.id).in_(file_ids))
    return {row.id: row.declared_bytes for row in await session.execute(wanted)}
