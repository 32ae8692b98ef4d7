"""Conformance (技术审查): reports on masters, what is declared of them, what was measured."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.deals.gateway import PressFailed
from contracts.refusal import Malformed, Unknown
from exchange import conformance_verbs
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Ctx, Now, Session, Shape, Signed
from exchange.identity.rules import Caller, Role, ScopeMissing, SignInNeeded
from listings.catalogue import queries as catalogue
from listings.masters import queries as masters
from listings.masters.conformance import declared as declarations
from listings.masters.conformance import profiles, queries, service
from listings.masters.conformance.tables import ConformanceReport
from listings.masters.tables import Master

router = APIRouter(route_class=JsonRoute, tags=["conformance"])

_BYTES = {"schema": {"type": "string", "format": "binary"}}
_ID = "019a99c0-0000-7000-8000-000000000001"
_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_FINDING: dict[str, Any] = {
    "id": "V01", "key": "raster", "group": "picture", "name": {"zh": "图像分辨率", "en": "Raster"},
    "result": "PASS", "severity": "block", "wanted": "3840x2160 / 7680x4320", "seen": "3840x2160",
    "by": ["av", "mediainfo"], "where": [], "standard": "GY/T 307-2017", "clause": "table 1",
}  # fmt: skip
_REPORT: dict[str, Any] = {
    "master_id": _ID, "profile": "CN4K_MASTER_2023", "tier": "sampled", "conforms": True,
    "uhd_label": True, "sha256": _SHA256, "recorded": True, "judged_at": "2026-11-22T09:00:00Z",
    "report": {"format": "conformance-1", "counts": {"PASS": 41}, "findings": [_FINDING]},
}  # fmt: skip
_DECLARED: dict[str, Any] = {
    "drama": True, "permit_card_ms": 3000, "title_card_ms": 3000, "head_ms": 88_000,
    "copyright_statement": True, "exclusivity_statement": True, "clean_feed": True,
    "subtitle_safe": True, "burnt_in_logo": False,
}  # fmt: skip


class ReportOut(Shape):
    """A report on a master by a profile, at the tier that it was looked at (probe, sampled, full).

    `conforms` and `uhd_label` are null while something decisive is unmeasured; `report` is the
    whole document, `sha256` that of its canonical bytes (RFC 8785). One that was not `recorded` is
    as the master would be judged now.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_REPORT]})

    master_id: UUID
    profile: str
    tier: Literal["probe", "sampled", "full"]
    conforms: bool | None
    uhd_label: bool | None
    sha256: str
    recorded: bool
    judged_at: AwareDatetime
    report: dict[str, Any]


class DeclaredIn(Shape):
    """What only people can tell of a master; what is left out stays open.

    Times are how long the parts of a drama last (GY/T 357-2021 cl. 5); `active_ratio_x100` is the
    shape of the picture without bars (239 for 2.39:1).
    """

    model_config = ConfigDict(strict=True, json_schema_extra={"examples": [_DECLARED]})

    drama: bool | None = None
    feature_ms: int | None = None
    head_ms: int | None = None
    tail_ms: int | None = None
    permit_card_ms: int | None = None
    title_card_ms: int | None = None
    production_permit_ms: int | None = None
    repeat_ms: int | None = None
    recap_ms: int | None = None
    preview_ms: int | None = None
    copyright_statement: bool | None = None
    exclusivity_statement: bool | None = None
    clean_feed: bool | None = None
    textless: bool | None = None
    music_and_effects: bool | None = None
    subtitle_files: bool | None = None
    subtitle_safe: bool | None = None
    burnt_in_logo: bool | None = None
    active_ratio_x100: int | None = None
    imf: bool | None = None
    imf_valid: bool | None = None


class DeclaredOut(DeclaredIn):
    """What is declared of a master."""


class MeasuresOut(Shape):
    """What the decode pass measured: integers and lists, null where nothing was measured.

    Units stand at the end of names: `_ms`, `_bp` (ten-thousandths), `_lu100` and `_db100`
    (hundredths), `_cd100` (hundredths of cd/m²).
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"master_id": _ID, "tier": None, "sha256": None, "content": None}]
        }
    )

    master_id: UUID
    tier: Literal["sampled", "full"] | None
    sha256: str | None
    content: dict[str, Any] | None


class ProfileOut(Shape):
    """A profile of conformance; `labels` tells whether meeting it gives the UHD label."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "CN4K_MASTER_2023", "name_zh": "4K 超高清母版",
                    "name_en": "4K UHD master",
                    "source": "GY/T 365-2023", "labels": True, "checks": 45, "sha256": _SHA256,
                }
            ]
        }
    )  # fmt: skip

    id: str
    name_zh: str
    name_en: str
    source: str
    labels: bool
    checks: int
    sha256: str


class Profiles(Shape):
    """Every profile that holds today."""

    items: list[ProfileOut]


@router.get("/conformance-profiles", responses=problems.responses(SignInNeeded, ScopeMissing))
async def list_profiles(caller: Signed, now: Now) -> Profiles:
    """List the profiles that masters are judged by."""
    caller.need("read")
    found = [profiles.get(name, now.date()) for name in profiles.names()]
    items = [
        ProfileOut(
            id=each.id, name_zh=each.name["zh"], name_en=each.name["en"], source=each.source,
            labels=each.labels, checks=len(each.requirements), sha256=each.sha256,
        )
        for each in found
    ]  # fmt: skip
    return Profiles(items=items)


@router.get(
    "/masters/{master_id}/conformance",
    responses=problems.signed(Unknown, profiles.UnknownProfile, service.MasterNotExamined),
)
async def get_conformance(
    master_id: UUID, session: Session, caller: Signed, now: Now, profile: str | None = None
) -> ReportOut:
    """Show how a master was judged, by its usual profile or another.

    Its holder and staff see it, and everybody signed in once the master is on offer.
    """
    caller.need("read")
    master = await _visible(session, master_id, caller)
    report, recorded = await _report(session, master, profile, now)
    return shown(report, recorded=recorded)


@router.get(
    "/masters/{master_id}/conformance.json",
    response_class=Response,
    responses={
        200: {"content": {"application/json": _BYTES}},
        **problems.signed(Unknown, profiles.UnknownProfile, service.MasterNotExamined),
    },
)
async def download_conformance(
    master_id: UUID, session: Session, caller: Signed, now: Now, profile: str | None = None
) -> Response:
    """Send a report as the canonical bytes that its SHA-256 is of."""
    caller.need("read")
    master = await _visible(session, master_id, caller)
    report, _ = await _report(session, master, profile, now)
    return _file(conformance_verbs.as_json(report), master, report, "json")


@router.get(
    "/masters/{master_id}/conformance.pdf",
    response_class=Response,
    responses={
        200: {"content": {"application/pdf": _BYTES}},
        **problems.signed(Unknown, profiles.UnknownProfile, service.MasterNotExamined, PressFailed),
    },
)
async def print_conformance(
    master_id: UUID, session: Session, caller: Signed, now: Now, context: Ctx, *,
    profile: str | None = None,
) -> Response:  # fmt: skip
    """Send a report as PDF/A: verdict, curves, checks; pictures for its holder and staff."""
    caller.need("read")
    master = await _visible(session, master_id, caller)
    report, _ = await _report(session, master, profile, now)
    mine = caller.is_staff or master.party_id == caller.party_id
    pdf = await conformance_verbs.as_pdf(context, session, master, report, pictures=mine)
    return _file(pdf, master, report, "pdf")


@router.put(
    "/masters/{master_id}/conformance/{profile}",
    responses=problems.signed(Unknown, profiles.UnknownProfile, service.MasterNotExamined),
)
async def record_conformance(
    master_id: UUID, profile: str, session: Session, caller: Signed, now: Now
) -> ReportOut:
    """Judge a master by a profile and keep the report; the same outcome again changes nothing."""
    caller.need("list", Role.HOLDER)
    master = await masters.get_master_of(session, master_id, caller.party_id)
    return shown(await service.judge(session, master, profile=profile, now=now), recorded=True)


@router.get("/masters/{master_id}/declared", responses=problems.signed(Unknown))
async def get_declared(master_id: UUID, session: Session, caller: Signed) -> DeclaredOut:
    """Show what is declared of a master."""
    caller.need("read")
    master = await _visible(session, master_id, caller)
    return DeclaredOut(**await queries.declared(session, master.id))


@router.put(
    "/masters/{master_id}/declared",
    responses=problems.signed(Malformed, Unknown, declarations.BadDeclaration),
)
async def put_declared(
    master_id: UUID, body: DeclaredIn, session: Session, caller: Signed, now: Now
) -> DeclaredOut:
    """Declare what only people can tell; what was declared before is replaced."""
    caller.need("list", Role.HOLDER)
    await service.declare(
        session, master_id, party_id=caller.party_id,
        declared=body.model_dump(exclude_none=True), now=now,
    )  # fmt: skip
    return DeclaredOut(**await queries.declared(session, master_id))


@router.get("/masters/{master_id}/measures", responses=problems.signed(Unknown))
async def get_measures(master_id: UUID, session: Session, caller: Signed) -> MeasuresOut:
    """Show what the decode pass measured of a master."""
    caller.need("read")
    master = await _visible(session, master_id, caller)
    found = await queries.find_measures(session, master.id)
    if found is None:
        return MeasuresOut(master_id=master.id, tier=None, sha256=None, content=None)
    return MeasuresOut.model_validate(
        {"master_id": master.id, "tier": found.tier, "sha256": found.sha256,
         "content": found.content}
    )  # fmt: skip


async def _visible(session: AsyncSession, master_id: UUID, caller: Caller) -> Master:
    """Return a master that the caller may read of.

    Raises:
        Unknown: there is none, or it is another party's and not on offer.
    """
    master = await masters.get_master(session, master_id)
    mine = caller.is_staff or master.party_id == caller.party_id
    if not mine and not await catalogue.is_master_published(session, master.id):
        raise Unknown("There is no such master.")
    return master


async def _report(
    session: AsyncSession, master: Master, profile: str | None, now: datetime
) -> tuple[ConformanceReport, bool]:
    """Return the newest report by a profile and True, or how the master would be judged now."""
    wanted = profile or profiles.default(master.probe or {})
    kept = await queries.find_report(session, master.id, wanted)
    if kept is not None:
        return kept, True
    return await service.draft(session, master, profile=wanted, now=now), False


def _file(content: bytes, master: Master, report: ConformanceReport, form: str) -> Response:
    name = f"conformance-{master.id}-{report.profile}.{form}"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "ETag": f'"{report.sha256}"',
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, media_type=f"application/{form}", headers=headers)


def shown(report: ConformanceReport, *, recorded: bool) -> ReportOut:
    """Return the wire shape of a report."""
    return ReportOut.model_validate(
        {
            "master_id": report.master_id, "profile": report.profile, "tier": report.tier,
            "conforms": report.document["conforms"], "uhd_label": report.uhd_label,
            "sha256": report.sha256, "recorded": recorded, "judged_at": report.judged_at,
            "report": report.document,
        }
    )  # fmt: skip
