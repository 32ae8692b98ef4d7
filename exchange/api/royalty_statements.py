"""Royalty statements (分成结算单) as papers: one as a PDF, all of a deal as a table."""

import csv
import io
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from contracts.deals.gateway import PressFailed
from contracts.refusal import InvalidContent, Unknown
from exchange.api import problems
from exchange.api.deps import Session, Signed
from exchange.api.exports import CSV
from exchange.api.invoices import PDF, pdf_of
from exchange.identity.rules import ScopeMissing, SignInNeeded
from settlement.exports.rules import written
from settlement.royalties import queries, rules, stating
from settlement.royalties.gateway import STATEMENT

router = APIRouter(tags=["royalties"])

_READ = (SignInNeeded, ScopeMissing, InvalidContent, Unknown, rules.NothingToReport)
_TABLE: problems.Responses = {
    200: {
        "description": "RFC 4180; amounts are exact decimals in major units.",
        "content": {"text/csv": {"schema": {"type": "string"}}},
    }
}


@router.get(
    "/deals/{deal_id}/royalty-statements/{number}/pdf",
    response_class=Response,
    responses={**PDF, **problems.responses(*_READ, PressFailed)},
)
async def print_royalty_statement(
    deal_id: UUID, number: Annotated[int, Path(ge=1, le=100_000)], session: Session, caller: Signed
) -> Response:
    """Print a statement as it was made, for the sides of the deal and whoever gets a share.

    Each payee sees what it gets and what the exchange takes; the licensee sees what it owes.
    """
    caller.need("read")
    reader = caller.for_party
    deal = await queries.deal_for(session, deal_id, reader=reader)
    (one,) = await queries.stated(session, deal, number=number, reader=reader)
    pdf = await STATEMENT.print(stating.page(one), at=one.made_at)
    return pdf_of(pdf, one.name)


@router.get(
    "/deals/{deal_id}/royalty-statements.csv",
    response_class=Response,
    responses={**_TABLE, **problems.responses(*_READ)},
)
async def export_royalty_statements(deal_id: UUID, session: Session, caller: Signed) -> Response:
    """Return every statement of a deal as a table, with what the reader gets of each."""
    caller.need("read")
    reader = caller.for_party
    deal = await queries.deal_for(session, deal_id, reader=reader)
    buffer = io.StringIO("\ufeff")  # the mark by which spreadsheets know UTF-8
    buffer.seek(0, io.SEEK_END)
    writer = csv.writer(buffer)
    writer.writerow(stating.COLUMNS)
    for one in await queries.stated(session, deal, reader=reader):
        writer.writerows([written(cell) for cell in row] for row in stating.rows(one))
    headers = {
        "Content-Disposition": f'attachment; filename="{deal.contract_no}-royalties.csv"',
        "Cache-Control": "no-store",
    }
    return Response(buffer.getvalue().encode(), media_type=CSV, headers=headers)
