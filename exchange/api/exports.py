"""Tables for accountants: CSV as it is read, or a workbook; every cell is text."""

import asyncio
import csv
import io
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date
from typing import IO, Annotated, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.refusal import InvalidContent, NotAllowed, Unknown
from exchange.api import problems
from exchange.api.books import Code, From, Until, account_for, period_of
from exchange.api.deps import Ctx, Signed
from exchange.context import Context
from exchange.identity.rules import STAFF, Caller, CsrfToken, ScopeMissing, SignInNeeded
from settlement.exports import moved, queries, rules
from settlement.exports.rules import Days, Row
from settlement.exports.workbook import TextBook

router = APIRouter(tags=["exports"])

As = Literal["csv", "xlsx"]
CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PIECE_BYTES = 64 * 1024
Reader = Callable[[AsyncSession], AsyncIterator[Row]]


def read_days(
    from_: Annotated[
        date | None, Query(alias="from", description="The first day, in Shanghai.")
    ] = None,
    until: Annotated[date | None, Query(description="The last day, in Shanghai.")] = None,
) -> Days:
    """Return the days that a table is asked for; without them, all there are.

    Raises:
        InvalidContent: the last day comes before the first, or is the last there is.
    """
    if until is not None:
        period_of(until if from_ is None else from_, until)
    return Days(from_, until)


Period = Annotated[Days, Depends(read_days)]
_REFUSALS = problems.responses(SignInNeeded, CsrfToken, ScopeMissing, NotAllowed, InvalidContent)
_FILE = {"content": {"text/csv": {"schema": {"type": "string"}}, XLSX: {}}}
_RESPONSES: problems.Responses = {200: {**_FILE, "description": "The table."}, **_REFUSALS}


@router.get("/exports/settlements", response_class=StreamingResponse, responses=_RESPONSES)
async def export_settlements(
    context: Ctx, caller: Signed, days: Period, form: As = "csv"
) -> StreamingResponse:
    """Return every line of every settlement, for staff; amounts are exact decimals as text."""
    return _answer(context, caller, "settlements", days, form)


@router.get("/exports/payouts", response_class=StreamingResponse, responses=_RESPONSES)
async def export_payouts(
    context: Ctx, caller: Signed, days: Period, form: As = "csv"
) -> StreamingResponse:
    """Return every transfer of every payout, for staff, with who prepared and who decided."""
    return _answer(context, caller, "payouts", days, form)


@router.get("/exports/invoices", response_class=StreamingResponse, responses=_RESPONSES)
async def export_invoices(
    context: Ctx, caller: Signed, days: Period, form: As = "csv"
) -> StreamingResponse:
    """Return every invoice, for staff, by number."""
    return _answer(context, caller, "invoices", days, form)


@router.get("/exports/withheld", response_class=StreamingResponse, responses=_RESPONSES)
async def export_withheld(
    context: Ctx, caller: Signed, days: Period, form: As = "csv"
) -> StreamingResponse:
    """Return every withheld tax (代扣台账), for staff, with its remittance and receipt."""
    return _answer(context, caller, "withheld", days, form)


@router.get("/exports/journals", response_class=StreamingResponse, responses=_RESPONSES)
async def export_journals(
    context: Ctx, caller: Signed, days: Period, form: As = "csv"
) -> StreamingResponse:
    """Return every line of every journal (序时账), for staff, as it was booked."""
    return _answer(context, caller, "journals", days, form)


@router.get("/exports/deposits", response_class=StreamingResponse, responses=_RESPONSES)
async def export_deposits(
    context: Ctx, caller: Signed, days: Period, form: As = "csv"
) -> StreamingResponse:
    """Return every deposit (保证金), for staff, with what became of it."""
    return _answer(context, caller, "deposits", days, form)


@router.get("/exports/refunds", response_class=StreamingResponse, responses=_RESPONSES)
async def export_refunds(
    context: Ctx, caller: Signed, days: Period, form: As = "csv"
) -> StreamingResponse:
    """Return every refund (退款), for staff, with who prepared and who decided."""
    return _answer(context, caller, "refunds", days, form)


@router.get("/exports/disputes", response_class=StreamingResponse, responses=_RESPONSES)
async def export_disputes(
    context: Ctx, caller: Signed, days: Period, form: As = "csv"
) -> StreamingResponse:
    """Return every dispute of a card holder (拒付争议), for staff."""
    return _answer(context, caller, "disputes", days, form)


@router.get("/exports/bank-lines", response_class=StreamingResponse, responses=_RESPONSES)
async def export_bank_lines(
    context: Ctx, caller: Signed, days: Period, form: As = "csv"
) -> StreamingResponse:
    """Return every line of the bank's statements (银行流水), for staff, by its day."""
    return _answer(context, caller, "bank-lines", days, form)


@router.get("/exports/suspense", response_class=StreamingResponse, responses=_RESPONSES)
async def export_suspense(
    context: Ctx, caller: Signed, days: Period, form: As = "csv"
) -> StreamingResponse:
    """Return all money that was or is in suspense at the bank (待核销), for staff."""
    return _answer(context, caller, "suspense", days, form)


@router.get(
    "/exports/accounts/{code}/statement",
    response_class=StreamingResponse,
    responses={**_RESPONSES, **problems.responses(Unknown)},
)
async def export_account_statement(
    code: Code, context: Ctx, caller: Signed, from_: From, until: Until, form: As = "csv"
) -> StreamingResponse:
    """Return the statement of an account (对账单) to staff, or to the party that it is about."""
    caller.need("read")
    period = period_of(from_, until)
    async with context.db.transaction() as session:
        account = await account_for(session, caller, code)

    async def read(session: AsyncSession) -> AsyncIterator[Row]:
        async for row in moved.statement(session, account, period):
            yield row

    return _file(_texts(context, "statement", read), "statement", form)


def _answer(
    context: Context, caller: Caller, table: str, days: Days, form: As
) -> StreamingResponse:
    caller.need("read", *STAFF)

    async def read(session: AsyncSession) -> AsyncIterator[Row]:
        async for row in queries.rows(session, table, days):
            yield row

    return _file(_texts(context, table, read), table, form)


def _file(rows: AsyncIterator[list[str]], name: str, form: As) -> StreamingResponse:
    pieces = _csv(rows) if form == "csv" else _workbook(rows, name)
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.{form}"',
        "Cache-Control": "no-store",
    }
    return StreamingResponse(pieces, media_type=CSV if form == "csv" else XLSX, headers=headers)


async def _csv(rows: AsyncIterator[list[str]]) -> AsyncIterator[bytes]:
    """Yield the table as it is read: RFC 4180, with the mark by which programs know UTF-8."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")
    async for row in rows:
        writer.writerow(row)
        if buffer.tell() > PIECE_BYTES:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


async def _workbook(rows: AsyncIterator[list[str]], name: str) -> AsyncIterator[bytes]:
    """Yield a workbook, which is complete before its first byte; its rows wait on the disk."""
    book = TextBook(name)
    async for row in rows:
        book.add(row)
    with tempfile.TemporaryFile() as file:
        await asyncio.to_thread(book.save, file)
        for piece in _pieces(file):
            yield piece


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(PIECE_BYTES):
        yield piece


async def _texts(context: Context, table: str, read: Reader) -> AsyncIterator[list[str]]:
    """Yield the head and the rows, read in one transaction: the table of one instant."""
    yield list(rules.COLUMNS[table])
    async with context.db.transaction() as session:
        async for row in read(session):
            yield [rules.written(cell) for cell in row]
