"""The page of the fees: what is in force and announced, and what a price would cost. Public."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import EXPONENTS, MOST_MINOR, AmountOutOfRange
from contracts.refusal import Refusal
from exchange.api import fees as api
from exchange.api.deps import Now, Session
from exchange.portal import render
from exchange.portal.forms import Form
from exchange.portal.visitors import MaybeVisitor
from settlement.fees import gateway, rules

router = APIRouter()
CURRENCY = "CNY"
Words = Annotated[str, Query(max_length=40, pattern=r"^[^\x00]*$")]


@router.get("/fees")
async def fees_page(  # noqa: PLR0913 - each argument is one field of the form
    request: Request,
    _visitor: MaybeVisitor,
    session: Session,
    now: Now,
    *,
    price: Words = "",
    listed: Words = "",
    sale: Words = rules.BID,
    currency: Words = CURRENCY,
    schedule: Annotated[str, Query(max_length=64, pattern=r"^[^\x00]*$")] = "",
) -> Response:
    """Show the schedule in force, or another by its hash, and reckon a price with it."""
    currency = currency if currency in EXPONENTS else CURRENCY
    sale = sale if sale in rules.SALES else rules.BID
    wanted = {"price": price, "listed": listed, "sale": sale, "currency": currency}
    found = await api.get_fees(session=session, now=now, currency=currency)
    shown, sha256 = found.schedule, found.sha256
    if schedule and schedule != sha256:
        shown, sha256 = await api.get_fee_schedule(schedule, session), schedule
        currency = wanted["currency"] = shown.currency or currency
    bases = {(row.legal_basis, row.source, row.verified): row for row in shown.rows}
    places = {said: number for number, said in enumerate(bases, 1)}
    values: dict[str, Any] = {"quote": None, "refusal": None}
    if price:
        values |= await _quoted(session, wanted, sha256=sha256, now=now)
    return render.page(
        request,
        "fees.html",
        fees=found,
        schedule=shown,
        sha256=sha256,
        bases=list(bases.values()),
        numbers=[places[row.legal_basis, row.source, row.verified] for row in shown.rows],
        wanted=wanted,
        currencies=[(one, one) for one in ([shown.currency] if shown.currency else EXPONENTS)],
        others=[one for one in gateway.shipped().values() if one.sha256 != found.sha256],
        status=200 if values["refusal"] is None else 422,
        **values,
    )


async def _quoted(
    session: AsyncSession, wanted: dict[str, str], *, sha256: str, now: Now
) -> dict[str, Any]:
    """Return the quote, or why there is none."""
    form = Form({name: [value] for name, value in wanted.items()})
    try:
        listed = _least(form.minor("listed", wanted["currency"])) if wanted["listed"] else None
        quote = await api.quote_fees(
            session=session,
            now=now,
            price_minor=_least(form.minor("price", wanted["currency"])),
            listed_minor=listed,
            sale=wanted["sale"],  # type: ignore[arg-type]  # one of the two, checked before
            currency=wanted["currency"],
            schedule=sha256,
        )
    except Refusal as refusal:
        return {"refusal": refusal}
    return {"quote": quote}


def _least(minor: int) -> int:
    """Return an amount that is something.

    Raises:
        AmountOutOfRange: it is nothing, or less.
    """
    if not 1 <= minor <= MOST_MINOR:
        raise AmountOutOfRange("The sum is out of range.", least_minor=1, most_minor=MOST_MINOR)
    return minor
