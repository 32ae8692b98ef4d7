"""Tables for accountants: CSV as it is read, or a workbook; every cell is text."""

import asyncio
import csv
import io
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import IO, Literal

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from contracts.refusal import InvalidContent, NotAllowed
from exchange.api import problems
from exchange.api.deps import Ctx, Signed
from exchange.context import Context
from exchange.identity.rules import STAFF, Caller, CsrfToken, ScopeMissing, SignInNeeded
from settlement.exports import queries, rules
from settlement.exports.workbook import TextBook

router = APIRouter(tags=["exports"])

As = Literal["csv", "xlsx"]
CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PIECE_BYTES = 64 * 1024
_REFUSALS = problems.responses(SignInNeeded, CsrfToken, ScopeMissing, NotAllowed, InvalidContent)
_FILE = {"content": {"text/csv": {"schema": {"type": "string"}}, XLSX: {}}}
_RESPONSES: problems.Responses = {200: {**_FILE, "description": "The table."}, **_REFUSALS}


@router.get("/exports/settlements", response_class=StreamingResponse, responses=_RESPONSES)
async def export_settlements(context: Ctx, caller: Signed, form: As = "csv") -> StreamingResponse:
    """Return every line of every settlement, for staff; amounts are exact decimals as text."""
    return _answer(context, caller, "settlements", form)


@router.get("/exports/payouts", response_class=StreamingResponse, responses=_RESPONSES)
async def export_payouts(context: Ctx, caller: Signed, form: As = "csv") -> StreamingResponse:
    """Return every transfer of every payout, for staff, with who prepared and who decided."""
    return _answer(context, caller, "payouts", form)


@router.get("/exports/invoices", response_class=StreamingResponse, responses=_RESPONSES)
async def export_invoices(context: Ctx, caller: Signed, form: As = "csv") -> StreamingResponse:
    """Return every invoice, for staff, by number."""
    return _answer(context, caller, "invoices", form)


@router.get("/exports/journals", response_class=StreamingResponse, responses=_RESPONSES)
async def export_journals(context: Ctx, caller: Signed, form: As = "csv") -> StreamingResponse:
    """Return every line of every journal (序时账), for staff, as it was booked."""
    return _answer(context, caller, "journals", form)


def _answer(context: Context, caller: Caller, table: str, form: As) -> StreamingResponse:
    caller.need("read", *STAFF)
    pieces = _csv(context, table) if form == "csv" else _workbook(context, table)
    headers = {
        "Content-Disposition": f'attachment; filename="{table}.{form}"',
        "Cache-Control": "no-store",
    }
    return StreamingResponse(pieces, media_type=CSV if form == "csv" else XLSX, headers=headers)


async def _csv(context: Context, table: str) -> AsyncIterator[bytes]:
    """Yield the table as it is read: RFC 4180, with the mark by which programs know UTF-8."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")
    async for row in _texts(context, table):
        writer.writerow(row)
        if buffer.tell() > PIECE_BYTES:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


async def _workbook(context: Context, table: str) -> AsyncIterator[bytes]:
    """Yield a workbook, which is complete before its first byte; its rows wait on the disk."""
    book = TextBook(table)
    async for row in _texts(context, table):
        book.add(row)
    with tempfile.TemporaryFile() as file:
        await asyncio.to_thread(book.save, file)
        for piece in _pieces(file):
            yield piece


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(PIECE_BYTES):
        yield piece


async def _texts(context: Context, table: str) -> AsyncIterator[list[str]]:
    """Yield the head and the rows, read in one transaction: the table of one instant."""
    yield list(rules.COLUMNS[table])
    async with context.db.transaction() as session:
        async for row in queries.rows(session, table):
            yield [rules.written(cell) for cell in row]
