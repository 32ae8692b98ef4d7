"""Where one's organisation is paid (收款账户): declared on a page, withdrawn while it waits."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts import ids
from contracts.money import EXPONENTS
from contracts.parties import queries as parties
from contracts.refusal import NotAllowed
from exchange.api import payees as api
from exchange.api.deps import Now, Session
from exchange.portal import render
from exchange.portal.forms import Sent, shape
from exchange.portal.language import mark
from exchange.portal.visitors import SignedIn, Visitor

router = APIRouter(prefix="/money/bank-accounts")
HERE = "/money/bank-accounts"
SCHEMES = (("cnaps", mark("Chinese account with a bank number (CNAPS)")), ("iban", "IBAN"))


@router.get("")
async def bank_accounts_page(
    request: Request, visitor: SignedIn, session: Session, now: Now
) -> Response:
    """Show where the visitor's organisation is paid, and the form for another account."""
    party_id, spoken = _whose(visitor), render.speaks(request)
    found = await api.list_bank_accounts(party_id, session, visitor.caller)
    party = await parties.get_party(session, party_id)
    return render.page(
        request,
        "bank_accounts.html",
        accounts=[_shown(one, now=now) for one in found.items],
        registered=(party.name_zh, party.name_en),
        account_id=ids.new(now),
        schemes=[(code, spoken.say(said)) for code, said in SCHEMES],
        currencies=[(code, code) for code in EXPONENTS],
    )


@router.post("")
async def send_bank_account(
    request: Request, visitor: SignedIn, form: Sent, session: Session, now: Now
) -> Response:
    """Declare an account; somebody of the exchange verifies it."""
    fields = ("scheme", "number", "holder", "bank_name", "currency")
    body = shape(
        api.BankDetailsIn,
        member_id=form.maybe("member_id"),
        name_reason=form.maybe("name_reason"),
        **{name: form.text(name) for name in fields},
    )
    await api.declare_bank_account(
        party_id=_whose(visitor), account_id=form.id("account_id"), body=body,
        response=Response(), session=session, caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, HERE)


@router.post("/{account_id}/withdrawal")
async def send_withdrawal(
    request: Request, account_id: UUID, visitor: SignedIn, session: Session, now: Now
) -> Response:
    """Take back an account that waits for its verification."""
    await api.withdraw_bank_account(_whose(visitor), account_id, session, visitor.caller, now)
    return render.see(request, HERE)


def _whose(visitor: Visitor) -> UUID:
    if visitor.is_staff:
        raise NotAllowed("Staff verifies these accounts at /console/bank.")
    return visitor.caller.party_id


def _shown(account: api.BankAccountOut, *, now: Now) -> dict[str, Any]:
    """Return an account with the state that people read: a changed one cools off first."""
    cooling = account.state == "verified" and account.usable_from and now < account.usable_from
    return {**account.model_dump(), "said": "cooling" if cooling else account.state}
