"""Verbs of packages: say what a file is, settle what its content shows, take in a whole package."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import ids, locking
from contracts.facts import service as facts
from contracts.refusal import IdReused, Unknown
from contracts.titles import queries as titles
from listings.masters import queries as masters
from listings.masters import service as master_service
from listings.masters.tables import Master
from listings.packages import queries, rules
from listings.packages.faults import Fault
from listings.packages.imf_reading import Report
from listings.packages.refusals import AssetContent
from listings.packages.rules import Description
from listings.packages.tables import Asset, ImfPackage


async def declare_asset(
    session: AsyncSession,
    work_id: UUID,
    asset_id: UUID,
    *,
    party_id: UUID,
    said: Description,
    now: datetime,
) -> tuple[Asset, bool]:
    """Say what an uploaded file of a work is; return it and whether it is new.

    Raises:
        Unknown: the work or the file is not the party's.
        InvalidContent, AssetNotReceived, AssetTooLarge: see `rules.check_upload`.
        IdReused: the id belongs to another file, or was said to be something else.
    """
    await titles.get_offerable(session, work_id, party_id)
    file = await _file(session, said.file_id, work_id=work_id, party_id=party_id)
    rules.check_upload(
        purpose=file.purpose, state=file.state, kind=said.kind, size=file.declared_bytes
    )
    content = {
        "work_id": work_id, "party_id": party_id, "file_id": said.file_id, "kind": said.kind,
        "language": said.language, "label": said.label,
    }  # fmt: skip
    row = {"id": asset_id, "sha256": file.sha256, "state": "checking", "created_at": now, **content}
    made = await session.execute(
        insert(Asset).values(**row).on_conflict_do_nothing().returning(col(Asset.id))
    )
    created = made.scalar_one_or_none() is not None
    asset = await session.get(Asset, asset_id)
    if asset is None or any(getattr(asset, name) != value for name, value in content.items()):
        raise IdReused("The id is taken by another asset.")
    if created:
        await _record(session, "asset.declared", asset, now, kind=asset.kind, sha256=asset.sha256)
    return asset, created


async def settle_asset(
    session: AsyncSession,
    asset_id: UUID,
    *,
    found: Mapping[str, Any] | AssetContent,
    now: datetime,
) -> None:
    """Take down what the content of a file showed: `ready`, or `refused` with the reason."""
    asset = await locking.find_locked(session, Asset, col(Asset.id) == asset_id)
    if asset is None or asset.state != "checking":
        return
    code = None
    if isinstance(found, AssetContent):
        code = found.code
        asset.state = "refused"
        asset.refusal = {
            **found.data, "code": found.code, "detail": found.detail, "hint": found.hint,
        }  # fmt: skip
    else:
        asset.state, asset.content = "ready", dict(found)
    asset.checked_at = now
    await session.flush()
    await _record(session, "asset.checked", asset, now, state=asset.state, code=code)


async def declare_package(
    session: AsyncSession,
    work_id: UUID,
    package_id: UUID,
    *,
    party_id: UUID,
    files: Mapping[str, UUID],
    now: datetime,
) -> tuple[ImfPackage, bool]:
    """Say which uploads are the files of an IMF package; return it and whether it is new.

    Raises:
        Unknown: the work or a file is not the party's.
        InvalidContent, AssetNotReceived: a path or an upload cannot be used.
        IdReused: the id belongs to a package of other files.
    """
    await titles.get_offerable(session, work_id, party_id)
    wanted = rules.package_files(files)
    known = await session.get(ImfPackage, package_id)
    if known is None:
        await _check_files(session, files, work_id=work_id, party_id=party_id)
    row = {"id": package_id, "work_id": work_id, "party_id": party_id, "files": wanted,
           "state": "checking", "created_at": now}  # fmt: skip
    made = await session.execute(
        insert(ImfPackage).values(**row).on_conflict_do_nothing().returning(col(ImfPackage.id))
    )
    created = made.scalar_one_or_none() is not None
    package = await queries.get_package(session, work_id, package_id)
    if package.files != wanted or package.party_id != party_id:
        raise IdReused("The id is taken by another package.")
    if created:
        payload = {"package": str(package_id), "work": str(work_id), "files": len(wanted)}
        await facts.record(
            session, "package.declared", package_id, payload, parties=[party_id], now=now
        )
    return package, created


async def settle_package(
    session: AsyncSession, package_id: UUID, *, report: Report, now: datetime
) -> None:
    """Take down what the check of a package found.

    A good one is complete: each of its files becomes an asset of the work, and its picture the
    master that is examined.
    """
    package = await locking.find_locked(session, ImfPackage, col(ImfPackage.id) == package_id)
    if package is None or package.state != "checking":
        return
    picture = await _picture(session, package, report)
    package.report, package.checked_at = report.as_dict(), now
    package.state = "refused" if picture is None else "complete"
    if picture is not None:
        package.master_id = picture.id
        await session.flush()
        await _take_in(session, package, report, now)
        await master_service.make_master(session, picture, now=now)
    await session.flush()
    payload = {
        "package": str(package.id), "work": str(package.work_id), "state": package.state,
        "faults": len(report.faults), "master": picture and str(picture.id),
    }  # fmt: skip
    await facts.record(
        session, "package.checked", package.id, payload, parties=[package.party_id], now=now
    )


async def _picture(session: AsyncSession, package: ImfPackage, report: Report) -> Master | None:
    """Return the upload that becomes the master, under its row's lock; None when none can."""
    if not report.is_good:
        return None
    if len(report.pictures) != 1:
        report.faults.append(Fault("pictures-many", "", {"files": list(report.pictures)}))
        return None
    file_id = UUID(package.files[report.pictures[0]])
    picture = await locking.find_locked(session, Master, col(Master.id) == file_id)
    if picture is None or picture.purpose != "asset":
        report.faults.append(Fault("uploads-missing", report.pictures[0]))
        return None
    return picture


async def _take_in(
    session: AsyncSession, package: ImfPackage, report: Report, now: datetime
) -> None:
    """Make each file of a package an asset of the work."""
    found = await session.execute(
        select(Master).where(col(Master.id).in_(map(UUID, package.files.values())))
    )
    files = {str(file.id): file for file in found.scalars()}
    for path, file_id in package.files.items():
        role = report.files.get(path, "other")
        session.add(
            Asset(
                id=ids.new(now), work_id=package.work_id, party_id=package.party_id,
                file_id=UUID(file_id), package_id=package.id,
                kind=rules.KIND_OF_ROLE.get(role, "other"), label=path[-rules.MOST_LABEL :],
                sha256=files[file_id].sha256 or "", state="ready",
                content={"format": "imf", "role": role}, created_at=now, checked_at=now,
            )
        )  # fmt: skip
    await session.flush()


async def _check_files(
    session: AsyncSession, files: Mapping[str, UUID], *, work_id: UUID, party_id: UUID
) -> None:
    for file_id in files.values():
        file = await _file(session, file_id, work_id=work_id, party_id=party_id)
        rules.check_upload(
            purpose=file.purpose, state=file.state, kind="other", size=file.declared_bytes
        )


async def _file(session: AsyncSession, file_id: UUID, *, work_id: UUID, party_id: UUID) -> Master:
    file = await masters.get_master_of(session, file_id, party_id)
    if file.work_id != work_id:
        raise Unknown("There is no such file of this work.")
    return file


async def _record(
    session: AsyncSession, fact: str, asset: Asset, now: datetime, **more: Any
) -> None:
    payload = {"asset": str(asset.id), "work": str(asset.work_id), **more}
    await facts.record(session, fact, asset.id, payload, parties=[asset.party_id], now=now)
