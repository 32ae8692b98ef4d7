"""Statements (对账单): what the exchange has booked for the visitor's organisation."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from contracts.calendar import ZONE
from contracts.refusal import NotAllowed
from exchange.api import books
from exchange.api.books import MOST_LINES, SummaryOut
from exchange.api.deps import Now, Session
from exchange.portal import render
from exchange.portal.visitors import SignedIn

router = APIRouter(prefix="/money/statement")
SHOWN_DAYS = 30


@router.get("")
async def statement_page(
    request: Request, visitor: SignedIn, session: Session, now: Now
) -> Response:
    """Show the accounts of the visitor's organisation over a period, 30 days unless asked."""
    party_id = visitor.caller.party_id
    if party_id is None:
        raise NotAllowed("Staff see every account in the ledger.")
    first, last = period(request, now)
    found = await books.get_party_statement(
        party_id=party_id, session=session, caller=visitor.caller, from_=first, until=last
    )
    accounts = [_named(one) for one in found.items]
    return render.page(request, "statement.html", accounts=accounts, first=first, last=last)


@router.get("/{code}")
async def own_account_page(
    request: Request,
    code: str,
    visitor: SignedIn,
    session: Session,
    now: Now,
    after: Annotated[int, Query(ge=0, le=MOST_LINES)] = 0,
) -> Response:
    """Show the lines of an account that is about the visitor's organisation."""
    first, last = period(request, now)
    found = await books.get_account_statement(
        code=code, session=session, caller=visitor.caller, from_=first, until=last, after=after
    )
    return render.page(
        request,
        "account.html",
        account=found,
        of=None,  # it is the visitor's own
        first=first,
        last=last,
        back="/money/statement",
    )


def period(request: Request, now: datetime) -> tuple[date, date]:
    """Return the first and the last day that were asked for; what cannot be read is left out."""
    today = now.astimezone(ZONE).date()
    last = _day(request.query_params.get("until"), today)
    first = _day(request.query_params.get("from"), last - timedelta(days=SHOWN_DAYS))
    return min(first, last), last


def _day(typed: str | None, otherwise: date) -> date:
    try:
        return date.fromisoformat(typed or "")
    except ValueError:
        return otherwise


def _named(account: SummaryOut) -> dict[str, Any]:
    """Return an account with a name for people: what it is, by the words of its code."""
    words = [part for part in account.code.split(":")[:-1] if len(part) < 36]
    return {**account.model_dump(), "name": "_".join(("book", *words))}
