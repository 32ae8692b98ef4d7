"""The books as the staff sees them: the trial balance of each currency."""

from collections.abc import Mapping
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from exchange.api import books
from exchange.api import ledger as api
from exchange.api.books import MOST_LINES
from exchange.api.deps import Now, Session
from exchange.portal import books as own_books
from exchange.portal import names, render
from exchange.portal.visitors import Staff

router = APIRouter(prefix="/console/ledger")
PAGE = 200


@router.get("")
async def ledger_page(
    request: Request,
    visitor: Staff,
    session: Session,
    after: Annotated[str | None, Query(pattern=r"^[ -~]{1,200}$")] = None,
) -> Response:
    """Show the trial balance, with the names of those whose money it is."""
    found = await api.get_trial_balance(
        session=session, caller=visitor.caller, after=after, limit=PAGE
    )
    totals = {one.currency: one for one in found.totals}
    codes = [account.code for account in found.items]
    of = await names.owners(session, codes, spoken=render.speaks(request))
    sheets = [
        _sheet(totals[currency], list(accounts), of)
        for currency, accounts in groupby(found.items, key=lambda account: account.currency)
    ]
    return render.page(request, "ledger.html", sheets=sheets, next=found.next)


@router.get("/accounts/{code}")
async def account_page(
    request: Request,
    code: str,
    visitor: Staff,
    session: Session,
    now: Now,
    after: Annotated[int, Query(ge=0, le=MOST_LINES)] = 0,
) -> Response:
    """Show the statement of an account."""
    first, last = own_books.period(request, now)
    found = await books.get_account_statement(
        code=code, session=session, caller=visitor.caller, from_=first, until=last, after=after
    )
    return render.page(
        request,
        "account.html",
        account=found,
        of=(await names.owners(session, [code], spoken=render.speaks(request))).get(code),
        first=first,
        last=last,
        back="/console/ledger",
    )


def _sheet(
    total: api.TotalOut, accounts: list[api.BalanceOut], of: Mapping[str, str]
) -> dict[str, Any]:
    """Return accounts of a currency with debit and credit apart, and the sums of all of them."""
    rows = [
        {
            "code": account.code,
            "of": of.get(account.code),
            "kind": account.kind,
            "debit_minor": max(account.balance_minor, 0),
            "credit_minor": max(-account.balance_minor, 0),
        }
        for account in accounts
    ]
    return {
        **total.model_dump(),
        "accounts": rows,
        "balances": total.debit_minor == total.credit_minor,
    }
