"""Orders to the ledger as the staff sees them: prepared by one person, decided by another."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts import ids
from contracts.money import EXPONENTS
from contracts.refusal import InvalidContent
from exchange.api import ledger_holds as holds_api
from exchange.api import ledger_orders as api
from exchange.api.deps import Now, Session
from exchange.console.deciding import Decided
from exchange.portal import faults, names, render
from exchange.portal.forms import Form, Sent, shape
from exchange.portal.language import Language, mark
from exchange.portal.visitors import Staff
from settlement.ledger import queries as books
from settlement.orders import queries

router = APIRouter(prefix="/console/ledger/orders")
MOST = 50
OFFERED = 500  # accounts that a field offers while one types; any other is typed in full
LINES = range(1, 7)  # rows of the form; longer journals come through the API
STATUSES = (
    ("frozen", mark("Freeze it")),
    ("open", mark("Open it again")),
    ("closed", mark("Close it for good")),
)


@router.get("")
async def orders_page(request: Request, visitor: Staff, session: Session, now: Now) -> Response:
    """Show the newest orders, up to when the books are closed, and the forms that order more."""
    spoken = render.speaks(request)
    rows = await queries.newest(session, limit=MOST)
    closed = await api.list_closes(session=session, caller=visitor.caller)
    return render.page(
        request,
        "ledger_orders.html",
        orders=[
            {
                **row.model_dump(exclude={"content"}),
                "by": await names.person(session, row.prepared_by),
            }
            for row in rows
        ],
        closes=closed.items,
        accounts=[row["code"] for row in await books.trial_balance(session)][:OFFERED],
        account=request.query_params.get("account", ""),
        journal=request.query_params.get("journal", ""),
        first={
            "account": request.query_params.get("item", ""),
            "explains": request.query_params.get("explains", ""),
        },
        statuses=[(code, spoken.say(said)) for code, said in STATUSES],
        lines=LINES,
        new_id=lambda: ids.new(now),
    )


@router.post("")
async def send_order(
    request: Request, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Order what the form says; another person decides."""
    order_id = form.id("order_id")
    body = shape(api.LedgerOrderIn, what=_what(form), reason=form.text("reason"))
    await api.prepare_ledger_order(
        order_id=order_id, body=body, response=Response(), session=session,
        caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, f"/console/ledger/orders/{order_id}")


@router.post("/quotes")
async def send_quote(request: Request, visitor: Staff, form: Sent, session: Session) -> Response:
    """Keep a rate as it was quoted."""
    body = shape(
        holds_api.QuoteIn,
        quoted_at=form.instant("quoted_at"),
        valid_until=form.instant("valid_until"),
        **{name: form.text(name) for name in ("base", "counter", "rate", "source")},
    )
    await holds_api.keep_quote(
        quote_id=form.id("quote_id"), body=body, response=Response(), session=session,
        caller=visitor.caller,
    )  # fmt: skip
    return render.see(request, "/console/ledger/orders")


@router.get("/{order_id}")
async def order_page(
    request: Request, order_id: UUID, visitor: Staff, session: Session
) -> Response:
    """Show an order with all that its decision is about."""
    found = await api.get_ledger_order(order_id=order_id, session=session, caller=visitor.caller)
    spoken = render.speaks(request)
    lines = _lines(found.what)
    codes = [one["account"] for one in (*lines, found.what) if "account" in one]
    return render.page(
        request,
        "ledger_order.html",
        order=found,
        lines=lines,
        of=await names.owners(session, codes, spoken=spoken),
        done=_status(found.what, spoken),
        prepared_by_name=await names.person(session, found.prepared_by),
        decided_by_name=await names.person(session, found.decided_by),
        prepared_by_me=found.prepared_by == visitor.caller.person_id,
    )


@router.post("/{order_id}/{verdict}")
async def send_verdict(request: Request, order_id: UUID, sent: Decided) -> Response:
    """Approve or refuse exactly the order that the page showed."""
    await sent.decide(api.approve_ledger_order, api.refuse_ledger_order, order_id=order_id)
    return render.see(request, f"/console/ledger/orders/{order_id}")


def _what(form: Form) -> dict[str, Any]:
    """Return what a form orders, by the kind that it names."""
    kind = form.text("kind")
    if kind == "journal":
        given = [_line(form, number) for number in LINES if form.text(f"account-{number}")]
        paper = form.maybe("attachment_sha256")
        return {"kind": kind, "lines": given, "attachment_sha256": paper}
    if kind == "reversal":
        return {"kind": kind, "journal": form.text("journal")}
    if kind == "exchange":
        sides = {side: _side(form, side) for side in ("give", "take")}
        return {"kind": kind, "quote": form.text("quote"), **sides}
    if kind == "mark":
        return {"kind": kind, "account": form.text("account"), "status": form.text("status")}
    return {"kind": kind, "until": form.instant("until")}


def _line(form: Form, number: int) -> dict[str, Any]:
    """Return a line of the form: what stands under debit, less what stands under credit."""
    code = form.text(f"account-{number}")
    minor = 0
    for side, sign in (("debit", 1), ("credit", -1)):
        if form.text(f"{side}-{number}"):
            minor += sign * form.minor(f"{side}-{number}", _currency(code))
    return {"account": code, "amount_minor": minor, "explains": form.maybe(f"explains-{number}")}


def _side(form: Form, side: str) -> dict[str, Any]:
    code = form.text(f"{side}-account")
    return {"account": code, "amount_minor": form.minor(f"{side}-amount", _currency(code))}


def _currency(code: str) -> str:
    """Return the currency that an account's code ends in.

    Raises:
        InvalidContent: it ends in none.
    """
    currency = code.rpartition(":")[2]
    if currency not in EXPONENTS:
        said = {"field": "account", "rule": faults.NO_ACCOUNT}
        raise InvalidContent("A field breaks its rule.", errors=[said])
    return currency


def _lines(what: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the lines that an order moves, each with its currency."""
    given = what.get("lines") or [what[side] for side in ("give", "take") if side in what]
    return [{**each, "currency": _currency(each["account"])} for each in given]


def _status(what: Mapping[str, Any], spoken: Language) -> str:
    said = dict(STATUSES).get(str(what.get("status")))
    return "" if said is None else spoken.say(said)
