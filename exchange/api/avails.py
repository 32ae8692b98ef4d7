"""Avails: files of offers as MovieLabs writes them, imported and exported."""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

import anyio
from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.avails import files, offers, queries, rules, service
from contracts.avails.findings import Report
from contracts.avails.model import Document
from contracts.avails.refusals import (
    MOST_BYTES,
    AvailsDangerous,
    AvailsTooLarge,
    AvailsUnreadable,
    AvailsVersionLacks,
)
from contracts.avails.rules import AvailsHaveErrors
from contracts.parties import queries as parties
from contracts.refusal import IdReused, Unknown
from contracts.works import queries as works
from contracts.works.tables import Work
from exchange.api import deps, problems
from exchange.api.bodies import BodyTooSlow, read_file
from exchange.api.deps import Ctx, Now, Session, Shape, Signed
from exchange.identity.rules import Caller, Role
from listings.catalogue import queries as catalogue

router = APIRouter(tags=["avails"])

ARRIVES_WITHIN_S = 120.0  # 20 MiB at 175 kB/s
MOST_LISTINGS = 200
OFFERED = ("published", "sold")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XML = "application/xml"
_UNREADABLE = (AvailsTooLarge, AvailsUnreadable, AvailsDangerous, BodyTooSlow)
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file itself, a workbook or XML; which one is told by its first bytes.",
        "content": {
            XLSX: _BYTES,
            XML: _BYTES,
        },
    }
}


class TextsOut(Shape):
    """A text in both languages."""

    zh: str
    en: str


class FindingOut(Shape):
    """Something found in the file: where, how bad, what, and how to repair it."""

    row: int | None
    sheet: str | None
    path: str | None
    column: str | None
    severity: Literal["error", "warning", "info"]
    code: str
    message: TextsOut
    fix: TextsOut


class ReportOut(Shape):
    """Everything found in a file; `findings` holds the first of them when there are very many."""

    errors: int
    warnings: int
    findings: Sequence[FindingOut]


class ChangeOut(Shape):
    """What becomes of one line: its fields that differ, each before and after."""

    alid: str
    key: str
    title: str
    what: Literal["created", "changed", "unchanged", "withdrawn"]
    fields: dict[str, tuple[Any, Any]]


class CountsOut(Shape):
    """How many lines are created, changed, left as they were, and withdrawn."""

    created: int
    changed: int
    unchanged: int
    withdrawn: int


class ImportOut(Shape):
    """An import of avails; `imported_at` is null after a dry run, which writes nothing."""

    id: UUID
    sha256: str
    form: Literal["xlsx", "xml"]
    version: str
    dry_run: bool
    imported_at: AwareDatetime | None
    counts: CountsOut
    report: ReportOut
    changes: Sequence[ChangeOut]


@router.put(
    "/avails/imports/{import_id}",
    status_code=201,
    openapi_extra=_FILE,
    responses={
        200: {"model": ImportOut, "description": "A dry run, or this file was imported before."},
        **problems.signed(*_UNREADABLE, IdReused, AvailsHaveErrors),
    },
)
async def import_avails(
    import_id: UUID,
    request: Request,
    response: Response,
    context: Ctx,
    now: Now,
    dry_run: Annotated[bool, Query(description="Report and compare; write nothing.")] = False,
) -> ImportOut:
    """Import a file of avails (XLSX 1.7 to 1.9, XML 2.4 to 2.7) into one's own offers.

    A file with errors is not applied; a dry run tells everything found, and what would change.
    """
    # No transaction is open while the file arrives and is read, however long that takes.
    async with context.db.transaction() as session:
        caller = await deps.get_caller(await deps.find_caller(request, session, now))
    caller.need("list", Role.HOLDER)
    content = await _content(request)
    sha256 = hashlib.sha256(content).hexdigest()
    read = await anyio.to_thread.run_sync(files.read, content)
    async with context.db.transaction() as session:
        if dry_run:
            response.status_code = 200
            return await _dry(session, import_id, read, caller=caller, sha256=sha256)
        row, new = await service.import_(
            session, import_id, party_id=caller.party_id, read=read, sha256=sha256, now=now
        )
    response.status_code = 201 if new else 200
    return _out(row)


@router.get("/avails/imports/{import_id}", responses=problems.signed(Unknown))
async def get_avails_import(import_id: UUID, session: Session, caller: Signed) -> ImportOut:
    """Return an import of one's own organisation with its report and what it changed."""
    caller.need("read")
    return _out(await queries.get_import_of(session, import_id, caller.party_id))


@router.get(
    "/works/{work_id}/avails.xlsx",
    response_class=Response,
    responses={
        200: {"description": "The workbook.", "content": {XLSX: _BYTES}},
        **problems.signed(Unknown, AvailsVersionLacks),
    },
)
async def export_avails_workbook(
    work_id: UUID,
    session: Session,
    caller: Signed,
    version: Literal["1.7", "1.7.2", "1.7.3", "1.8", "1.9"] = "1.9",
) -> Response:
    """Return what one offers of a work (listings published or sold) as a workbook of avails."""
    document = await _offered(session, work_id, caller)
    content = await anyio.to_thread.run_sync(_workbook, document, version)
    return _file(content, f"avails-{work_id}.xlsx", XLSX)


@router.get(
    "/works/{work_id}/avails.xml",
    response_class=Response,
    responses={
        200: {"description": "The AvailList.", "content": {XML: _BYTES}},
        **problems.signed(Unknown),
    },
)
async def export_avails_xml(
    work_id: UUID,
    session: Session,
    caller: Signed,
    version: Literal["2.4", "2.5", "2.6", "2.6.1", "2.7"] = "2.7",
) -> Response:
    """Return what one offers of a work (listings published or sold) as an AvailList in XML."""
    document = await _offered(session, work_id, caller)
    content = await anyio.to_thread.run_sync(_xml, document, version)
    return _file(content, f"avails-{work_id}.xml", XML)


async def _dry(
    session: AsyncSession, import_id: UUID, read: files.Read, *, caller: Caller, sha256: str
) -> ImportOut:
    """Return what an import would report and change; nothing is written."""
    plan = await service.plan(session, read, party_id=caller.party_id)
    return ImportOut(
        id=import_id,
        sha256=sha256,
        form=read.document.form,
        version=read.document.version,
        dry_run=True,
        imported_at=None,
        counts=CountsOut(**rules.counts(plan.changes)),
        report=_report(plan.report),
        changes=[ChangeOut.model_validate(change) for change in plan.told()],
    )


async def _offered(session: AsyncSession, work_id: UUID, caller: Caller) -> Document:
    """Return what its registrant offers of a work: the rights of its listings, one by one."""
    caller.need("read")
    work = await _own(session, work_id, caller)
    listings = await catalogue.newest_of_work(
        session, work.id, party_id=work.party_id, limit=MOST_LISTINGS
    )
    some = [
        (f"{listing.id}-{number}", wire)
        for listing in reversed(listings)
        if listing.state in OFFERED
        for number, wire in enumerate(listing.rights, start=1)
    ]
    if not some:
        raise Unknown("Nothing of this work is on offer.", work=str(work.id))
    party = await parties.get_party(session, work.party_id)
    described = await queries.described(session, work)
    return Document((offers.avail_of(described, some, licensor=party.name_en),))


async def _own(session: AsyncSession, work_id: UUID, caller: Caller) -> Work:
    if caller.is_staff:
        return await works.get_work(session, work_id)
    return await works.get_work_of(session, work_id, caller.party_id)


def _workbook(document: Document, version: str) -> bytes:
    return files.to_workbook(document, version=version)


def _xml(document: Document, version: str) -> bytes:
    return files.to_xml(document, version=version)


def _file(content: bytes, name: str, media_type: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)


async def _content(request: Request) -> bytes:
    most = MOST_BYTES
    too_long = AvailsTooLarge("The file is too large.", most_bytes=most)
    return await read_file(request, most_bytes=most, within_s=ARRIVES_WITHIN_S, too_long=too_long)


def _out(row: Any) -> ImportOut:
    return ImportOut.model_validate(
        {
            "id": row.id,
            "sha256": row.sha256,
            "form": row.form,
            "version": row.version,
            "dry_run": False,
            "imported_at": row.imported_at,
            "counts": row.counts,
            "report": row.report,
            "changes": row.changes,
        }
    )


def _report(report: Report) -> ReportOut:
    return ReportOut.model_validate(report.as_dict())
