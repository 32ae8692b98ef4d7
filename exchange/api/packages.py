"""Further files of a work (配套文件): sound stems, subtitles, artwork, and whole IMF packages."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, ConfigDict, Field, JsonValue
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.refusal import (
    CommitUnknown,
    IdReused,
    InvalidContent,
    Malformed,
    NotAllowed,
    Unknown,
)
from contracts.titles import queries as titles
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Now, Session, Shape, Signed, next_after, page_after
from exchange.identity.rules import Caller, Role, ScopeMissing, SignInNeeded
from listings.packages import queries, rules, service
from listings.packages.refusals import AssetNotReceived, AssetTooLarge, BadLanguage
from listings.packages.tables import Asset, ImfPackage

router = APIRouter(route_class=JsonRoute, tags=["packages"])

MOST_PAGE = 200
Kind = Literal["picture", "sound_stem", "subtitle", "artwork", "metadata", "other"]
_SIGNED = (SignInNeeded, ScopeMissing, InvalidContent)
_SAID: tuple[Any, ...] = (
    *_SIGNED, NotAllowed, Malformed, Unknown, IdReused, AssetNotReceived, CommitUnknown,
)  # fmt: skip
_FILE: JsonValue = "019a99c0-0000-7000-8000-000000000011"


class AssetIn(Shape):
    """What an uploaded file is; it was uploaded (tus) with the purpose `asset` for this work."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "file_id": _FILE,
                    "kind": "subtitle",
                    "language": "zh-Hans",
                    "label": "简体中文字幕",
                }
            ]
        }
    )

    file_id: Annotated[UUID, Field(description="The upload: its `master_id`.")]
    kind: Kind
    language: Annotated[str | None, Field(max_length=100, description="BCP 47")] = None
    label: Annotated[str, Field(max_length=1000)]


class AssetOut(Shape):
    """A file of a work; `content` is what it was found to be, `refusal` why it was refused."""

    id: UUID
    work_id: UUID
    party_id: UUID
    file_id: UUID
    package_id: UUID | None
    kind: Kind
    language: str | None
    label: str
    sha256: str
    state: Literal["checking", "ready", "refused"]
    content: dict[str, Any] | None
    refusal: dict[str, Any] | None
    created_at: AwareDatetime
    checked_at: AwareDatetime | None


class AssetPage(Shape):
    """A page of assets; `next` is the `after` of the following page."""

    items: list[AssetOut]
    next: UUID | None


class PackageIn(Shape):
    """The files of an IMF package: path in the package → upload."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "files": {
                        "ASSETMAP.xml": _FILE,
                        "PKL_0001.xml": "019a99c0-0000-7000-8000-000000000012",
                        "CPL_0001.xml": "019a99c0-0000-7000-8000-000000000013",
                        "picture.mxf": "019a99c0-0000-7000-8000-000000000014",
                    }
                }
            ]
        }
    )

    files: Annotated[Mapping[str, UUID], Field(min_length=1, max_length=rules.MOST_FILES)]


class PackageOut(Shape):
    """An IMF package: `report` says what was found, `master_id` which master it became."""

    id: UUID
    work_id: UUID
    party_id: UUID
    files: dict[str, UUID]
    state: Literal["checking", "complete", "refused"]
    report: dict[str, Any] | None
    master_id: UUID | None
    created_at: AwareDatetime
    checked_at: AwareDatetime | None


class PackagePage(Shape):
    """A page of packages; `next` is the `after` of the following page."""

    items: list[PackageOut]
    next: UUID | None


@router.put(
    "/works/{work_id}/assets/{asset_id}",
    status_code=201,
    responses={
        200: {"model": AssetOut, "description": "It was declared before, with this content."},
        **problems.responses(*_SAID, BadLanguage, AssetTooLarge),
    },
)
async def declare_asset(
    work_id: UUID,
    asset_id: UUID,
    body: AssetIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> AssetOut:
    """Say what an uploaded file of a work is; its content is then checked."""
    caller.need("list", Role.HOLDER)
    said = rules.describe(body.file_id, kind=body.kind, language=body.language, label=body.label)
    asset, created = await service.declare_asset(
        session, work_id, asset_id, party_id=caller.party_id, said=said, now=now
    )
    if not created:
        response.status_code = 200
    return asset_out(asset)


@router.get("/works/{work_id}/assets", responses=problems.responses(*_SIGNED, Unknown))
async def list_assets(
    work_id: UUID,
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=MOST_PAGE, examples=[50])] = 50,
) -> AssetPage:
    """List one's own files of a work, oldest id first; staff see every party's."""
    viewer = await _viewer(session, work_id, caller)
    rows = await queries.assets_of(
        session, work_id, party_id=viewer, after=page_after(after), limit=limit
    )
    return AssetPage(items=[asset_out(row) for row in rows], next=next_after(rows, limit))


@router.get("/works/{work_id}/assets/{asset_id}", responses=problems.responses(*_SIGNED, Unknown))
async def get_asset(work_id: UUID, asset_id: UUID, session: Session, caller: Signed) -> AssetOut:
    """Show one file of a work."""
    viewer = await _viewer(session, work_id, caller)
    asset = await queries.get_asset(session, work_id, asset_id)
    if viewer not in (None, asset.party_id):
        raise Unknown("There is no such asset.")
    return asset_out(asset)


@router.put(
    "/works/{work_id}/packages/{package_id}",
    status_code=201,
    responses={
        200: {"model": PackageOut, "description": "It was declared before, with these files."},
        **problems.responses(*_SAID),
    },
)
async def declare_package(
    work_id: UUID,
    package_id: UUID,
    body: PackageIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> PackageOut:
    """Take in an IMF package: when all fits, its picture becomes a master (母版) of the work."""
    caller.need("list", Role.HOLDER)
    package, created = await service.declare_package(
        session, work_id, package_id, party_id=caller.party_id, files=body.files, now=now
    )
    if not created:
        response.status_code = 200
    return package_out(package)


@router.get("/works/{work_id}/packages", responses=problems.responses(*_SIGNED, Unknown))
async def list_packages(
    work_id: UUID,
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=MOST_PAGE, examples=[50])] = 50,
) -> PackagePage:
    """List one's own IMF packages of a work, oldest id first; staff see every party's."""
    viewer = await _viewer(session, work_id, caller)
    rows = await queries.packages_of(
        session, work_id, party_id=viewer, after=page_after(after), limit=limit
    )
    return PackagePage(items=[package_out(row) for row in rows], next=next_after(rows, limit))


@router.get(
    "/works/{work_id}/packages/{package_id}", responses=problems.responses(*_SIGNED, Unknown)
)
async def get_package(
    work_id: UUID, package_id: UUID, session: Session, caller: Signed
) -> PackageOut:
    """Show an IMF package and the report of its check."""
    viewer = await _viewer(session, work_id, caller)
    package = await queries.get_package(session, work_id, package_id)
    if viewer not in (None, package.party_id):
        raise Unknown("There is no such package.")
    return package_out(package)


async def _viewer(session: AsyncSession, work_id: UUID, caller: Caller) -> UUID | None:
    """Return whose files may be shown; None for staff, who see all.

    Raises:
        Unknown: the caller has nothing to offer in the work.
    """
    caller.need("read")
    if caller.is_staff:
        return None
    await titles.get_offerable(session, work_id, caller.party_id)
    return caller.party_id


def asset_out(asset: Asset) -> AssetOut:
    """Return the wire shape of an asset."""
    return AssetOut.model_validate(asset.model_dump())


def package_out(package: ImfPackage) -> PackageOut:
    """Return the wire shape of a package."""
    return PackageOut.model_validate(package.model_dump())
