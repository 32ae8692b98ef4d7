"""Statements of banks (对账单): imported whole or not at all, each once."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

import anyio
from fastapi import APIRouter, Request
from pydantic import AwareDatetime, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.refusal import Unknown
from exchange.api import deps, problems
from exchange.api.bodies import BodyTooSlow, read_file
from exchange.api.deps import Ctx, Limit, Now, Session, Shape, Signed, next_after, page_after
from exchange.identity.rules import STAFF, Caller, Role
from listings.admissions import applying
from settlement.bank import queries, reading, report, reporting, rules
from settlement.bank.tables import BankReport, BankStatement
from settlement.reconciliation import crediting, service

router = APIRouter(tags=["bank"])

ARRIVES_WITHIN_S = 120.0  # 32 MiB at 280 kB/s
_STATEMENT = (
    BodyTooSlow, rules.StatementTooLarge, rules.StatementMalformed, rules.StatementUnbalanced,
    rules.StatementGap, rules.StatementIdReused, rules.OwnAccountUnknown, rules.ReportUnknownFile,
    rules.ReportDiffers, rules.ReportIdReused,
)  # fmt: skip
_ID = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The bank's file as it is: camt.053, camt.054, MT940 or pain.002.",
        "content": {"application/xml": _BYTES, "text/plain": _BYTES},
    }
}


class StatementOut(Shape):
    """A statement (对账单), or a notification, which has no balances."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    "account_id": _ID,
                    "kind": "statement",
                    "statement_id": "253EURNL26VAYB8060476890",
                    "turn": 1,
                    "opening_minor": 1815,
                    "movements_minor": 885,
                    "closing_minor": 2700,
                    "closed_on": "2026-11-21",
                    "entries": 1,
                    "imported_at": "2026-11-22T09:00:00Z",
                }
            ]
        }
    )

    id: UUID
    account_id: UUID
    kind: Literal["statement", "notification"]
    statement_id: str
    turn: int | None
    opening_minor: int | None
    movements_minor: int
    closing_minor: int | None
    closed_on: date | None
    entries: int
    imported_at: AwareDatetime


class ReportOut(Shape):
    """What a bank reported about a payment file (pain.002), and how many payments that is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    "batch_id": _ID,
                    "report_id": "RPT-1",
                    "accepted": 2,
                    "pending": 0,
                    "rejected": 1,
                    "imported_at": "2026-11-22T09:00:00Z",
                }
            ]
        }
    )

    id: UUID
    batch_id: UUID
    report_id: str
    accepted: int
    pending: int
    rejected: int
    imported_at: AwareDatetime


class ReportsOut(Shape):
    """Every report about one payment file, in the order in which they came."""

    items: Sequence[ReportOut]


class ImportedOut(Shape):
    """What a file brought: `new` statements, lines matched by a rule, lines suspended.

    A report about a payment file is in `reports`, and brings no statement.
    """

    sha256: str
    reports: Sequence[ReportOut] = ()
    statements: Sequence[StatementOut]
    new: int
    matched: int
    suspended: int
    warnings: Sequence[str]


class StatementPage(Shape):
    """A page of statements."""

    items: Sequence[StatementOut]
    next: UUID | None


@router.post(
    "/bank/statements",
    openapi_extra=_FILE,
    responses=problems.signed(*_STATEMENT),
)
async def import_statement(request: Request, context: Ctx, now: Now) -> ImportedOut:
    """Import a bank's file, whole or not at all; the same file again changes nothing."""
    # No transaction is open while the file arrives and is read, however long that takes.
    async with context.db.transaction() as session:
        caller = await deps.get_caller(await deps.find_caller(request, session, now))
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    raw = await read_file(
        request,
        most_bytes=rules.MOST_BYTES,
        within_s=ARRIVES_WITHIN_S,
        too_long=rules.StatementTooLarge("The file is too large.", most_bytes=rules.MOST_BYTES),
    )
    async with context.db.transaction() as session:
        return await imported(session, raw, caller=caller, now=now)


@router.get("/bank/statements", responses=problems.signed())
async def list_statements(
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> StatementPage:
    """List the statements imported, for staff."""
    caller.need("read", *STAFF)
    rows = await queries.page_of_statements(session, after=page_after(after), limit=limit)
    return StatementPage(items=[statement_out(row) for row in rows], next=next_after(rows, limit))


@router.get("/bank/payment-files/{batch_id}/reports", responses=problems.signed(Unknown))
async def list_file_reports(batch_id: UUID, session: Session, caller: Signed) -> ReportsOut:
    """Return what the bank reported about a payment file, for staff."""
    caller.need("read", *STAFF)
    batch = await queries.get_batch(session, batch_id)
    rows = await queries.reports(session, batch.id)
    return ReportsOut(items=[_report_out(row) for row in rows])


async def imported(
    session: AsyncSession, raw: bytes, *, caller: Caller, now: datetime
) -> ImportedOut:
    """Read a file beside the loop, and import it; the session's connection opens after that."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    if report.is_report(raw):
        return await _reported(session, raw, caller=caller, now=now)
    statements = await anyio.to_thread.run_sync(reading.read, raw)
    deposits = await crediting.awaited(session, statements)
    await applying.lock(session, {one.auction_id for one in deposits.values()})
    done = await service.import_file(
        session, raw, statements, deposits=deposits, person_id=caller.person_id, now=now
    )
    for auction_id, party_id in done.deposits:
        await applying.admit_paid(session, auction_id, party_id, now=now)
    return ImportedOut(
        sha256=canonical.sha256_hex(raw),
        statements=[statement_out(row) for row in done.kept.statements],
        new=len(done.kept.new),
        matched=done.matched,
        suspended=done.suspended,
        warnings=done.kept.warnings,
    )


async def _reported(
    session: AsyncSession, raw: bytes, *, caller: Caller, now: datetime
) -> ImportedOut:
    said = await anyio.to_thread.run_sync(report.read, raw)
    done = await reporting.import_report(session, raw, said, person_id=caller.person_id, now=now)
    return ImportedOut(
        sha256=canonical.sha256_hex(raw),
        reports=[_report_out(done.row)],
        statements=[],
        new=0,
        matched=0,
        suspended=0,
        warnings=[] if done.is_new else ["This report was imported before; nothing was changed."],
    )


def _report_out(row: BankReport) -> ReportOut:
    return ReportOut.model_validate(row.model_dump(exclude={"file_id"}))


def statement_out(row: BankStatement) -> StatementOut:
    """Return a statement as it is told."""
    said = row.model_dump(exclude={"file_id", "content_sha256"})
    return StatementOut.model_validate(said)
