"""Refunds as the staff sees them: prepared by one person, approved or refused by another."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from exchange.api import refunds as api
from exchange.api.deps import Now, Session
from exchange.api.recoveries import RecoveryOut
from exchange.console.deciding import Decided
from exchange.console.tasks import contracts_of
from exchange.portal import names, render
from exchange.portal.forms import Sent, shape
from exchange.portal.language import Language
from exchange.portal.visitors import Staff
from settlement.bank import queries as banks
from settlement.invoices import queries as invoices
from settlement.refunds import queries
from settlement.timeline import rules as timeline

router = APIRouter(prefix="/console/refunds")
PAGE = 50


@router.get("")
async def refunds_page(
    request: Request, visitor: Staff, session: Session, after: UUID | None = None
) -> Response:
    """Show every refund, with the day by which it is to be decided."""
    found = await api.list_refunds(session=session, caller=visitor.caller, after=after, limit=PAGE)
    deals = await contracts_of(session, [each.deal_id for each in found.items])
    shown = [
        {**each.model_dump(), "deal": deals[each.deal_id], "due_on": due_on(each)}
        for each in found.items
    ]
    return render.page(request, "refunds.html", refunds=shown, next=found.next)


@router.post("")
async def send_refund(
    request: Request, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Prepare a refund of a payment; another person decides."""
    refund_id, currency = form.id("refund_id"), form.text("currency")
    body = shape(
        api.RefundIn,
        payment_id=form.text("payment_id"),
        amount_minor=form.minor("amount", currency),
        currency=currency,
        reason=form.text("reason"),
        goes_to=form.maybe("goes_to") or "card",
    )
    await api.prepare_refund(
        refund_id=refund_id, body=body, response=Response(), session=session,
        caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, f"/console/refunds/{refund_id}")


@router.get("/{refund_id}")
async def refund_page(
    request: Request, refund_id: UUID, visitor: Staff, session: Session, now: Now
) -> Response:
    """Show a refund with all that its decision is about, and who gives back what."""
    found = await api.get_refund(refund_id=refund_id, session=session, caller=visitor.caller)
    spoken = render.speaks(request)
    deals = await contracts_of(session, [found.deal_id])
    payment = await invoices.get_payment_of(session, found.payment_id, payer_id=None)
    return render.page(
        request,
        "refund.html",
        refund=found,
        deal=deals[found.deal_id],
        due_on=due_on(found),
        out_of=None
        if found.account_id is None
        else await banks.get_account(session, found.account_id),
        payment=payment,
        payer=await names.party(session, payment.payer_id, spoken=spoken),
        given_back=await named(session, found.given_back, spoken),
        prepared_by_name=await names.person(session, found.prepared_by),
        decided_by_name=await names.person(session, found.decided_by),
        prepared_by_me=found.prepared_by == visitor.caller.person_id,
        again=await queries.of_refund(session, found.id),
        to_resend=found.state == "failed" and found.resends is None and found.resent_as is None,
        resend_id=ids.new(now),
        payers=[
            (one.id, f"{one.name} · {one.number}")
            for one in await banks.accounts(session)
            if one.currency == found.currency and not one.instruct_only
        ],
    )


@router.post("/{refund_id}/resends")
async def send_again(
    request: Request, refund_id: UUID, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Prepare that a failed refund is sent again; another person decides."""
    resend_id, account_id = form.id("resend_id"), form.maybe("account_id")
    body = shape(
        api.ResendIn,
        reason=form.text("reason"),
        goes_to=form.text("goes_to"),
        account_id=account_id if form.text("goes_to") != "card" else None,
    )
    await api.resend_refund(
        refund_id=refund_id, resend_id=resend_id, body=body, response=Response(), session=session,
        caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, f"/console/refunds/{resend_id}")


@router.post("/{refund_id}/{verdict}")
async def send_verdict(request: Request, refund_id: UUID, sent: Decided) -> Response:
    """Approve or refuse exactly the refund that the page showed."""
    await sent.decide(api.approve_refund, api.refuse_refund, refund_id=refund_id)
    return render.see(request, f"/console/refunds/{refund_id}")


async def named(
    session: AsyncSession, given_back: list[RecoveryOut] | Any, spoken: Language
) -> list[dict[str, Any]]:
    """Return what payees give back, with their names."""
    return [
        {**one.model_dump(), "name": await names.party(session, one.payee_id, spoken=spoken)}
        for one in given_back
    ]


async def refundable(session: AsyncSession, deal_id: UUID, *, now: Now) -> list[dict[str, Any]]:
    """Return the payments of which something may still go back, each with a new id."""
    found = []
    for payment in await invoices.payments_in(session, deal_id):
        left = (await queries.left(session, payment)).amount_minor
        if left:
            shown = {"left_minor": left, "refund_id": ids.new(now)}
            found.append({**payment.model_dump(), **shown})
    return found


def due_on(refund: api.RefundOut) -> Any:
    """Return the day by which a refund that waits is to be decided; None once it is."""
    if refund.state != "prepared":
        return None
    return timeline.due_on(refund.prepared_at, timeline.DECIDE_WITHIN_DAYS)
