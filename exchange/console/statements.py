"""Statements of banks, sent by the staff in a form."""

from fastapi import APIRouter, Request, Response
from starlette.datastructures import UploadFile

from contracts.refusal import InvalidContent
from exchange.api import statements as api
from exchange.api.deps import Now, Session
from exchange.portal import render
from exchange.portal.forms import Sent
from exchange.portal.visitors import Staff
from settlement.bank import rules

router = APIRouter(prefix="/console/bank/statements")
LONGEST_FILE_BYTES = rules.MOST_BYTES + 64 * 1024  # the file, and the fields of the form around it
PAGE = 50


@router.get("")
async def statements_page(request: Request, visitor: Staff, session: Session) -> Response:
    """Show the statements imported, and the form that takes another."""
    found = await api.list_statements(
        session=session, caller=visitor.caller, after=None, limit=PAGE
    )
    return render.page(request, "statements.html", statements=found.items, told=None)


@router.post("")
async def send_statement(
    request: Request, visitor: Staff, _form: Sent, session: Session, now: Now
) -> Response:
    """Import a statement, whole or not at all."""
    sent = (await request.form()).get("file")
    if not isinstance(sent, UploadFile) or not sent.filename:
        raise InvalidContent(
            "A field breaks its rule.", errors=[{"field": "file", "rule": "no file was sent"}]
        )
    raw = await sent.read()
    told = await api.imported(session, raw, caller=visitor.caller, now=now)
    found = await api.list_statements(
        session=session, caller=visitor.caller, after=None, limit=PAGE
    )
    return render.page(request, "statements.html", statements=found.items, told=told)
