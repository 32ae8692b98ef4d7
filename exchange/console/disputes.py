"""Disputes as the staff sees them: until when evidence is due, and what became of the money."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from exchange.api import disputes as api
from exchange.api.deps import Now, Session
from exchange.console.refunds import named
from exchange.console.tasks import contracts_of
from exchange.portal import names, render
from exchange.portal.language import mark
from exchange.portal.visitors import Staff
from settlement.disputes.rules import OPEN
from settlement.invoices import queries as invoices
from settlement.redletters import queries as red_letters

router = APIRouter(prefix="/console/disputes")
PAGE = 50
# Source: docs.stripe.com/api/disputes/object#dispute_object-reason.
REASONS = {
    "bank_cannot_process": mark("The bank cannot process the charge"),
    "credit_not_processed": mark("A credit that was promised did not come"),
    "customer_initiated": mark("The customer asked for it"),
    "debit_not_authorized": mark("The debit was not authorised"),
    "duplicate": mark("Charged twice"),
    "fraudulent": mark("The card holder says that the charge was not authorised"),
    "general": mark("No reason given"),
    "incorrect_account_details": mark("The account's details are wrong"),
    "insufficient_funds": mark("Not enough money in the account"),
    "noncompliant": mark("Against the card network's rules"),
    "product_not_received": mark("Nothing was delivered"),
    "product_unacceptable": mark("Not as described"),
    "subscription_canceled": mark("Charged after it was ended"),
    "unrecognized": mark("The card holder does not recognise the charge"),
}


@router.get("")
async def disputes_page(
    request: Request, visitor: Staff, session: Session, now: Now, after: UUID | None = None
) -> Response:
    """Show every dispute, with the instant until which the bank takes evidence."""
    found = await api.list_disputes(session=session, caller=visitor.caller, after=after, limit=PAGE)
    deals = await contracts_of(session, [each.deal_id for each in found.items])
    shown = [
        {
            **each.model_dump(),
            "reason": REASONS.get(each.reason, each.reason),
            "deal": deals[each.deal_id],
            "late": each.state in OPEN and each.evidence_due_at and each.evidence_due_at < now,
        }
        for each in found.items
    ]
    return render.page(request, "disputes.html", disputes=shown, next=found.next)


@router.get("/{dispute_id}")
async def dispute_page(
    request: Request, dispute_id: UUID, visitor: Staff, session: Session
) -> Response:
    """Show what a card holder contests, the evidence there is, and who bears it if it is lost."""
    found = await api.get_dispute(dispute_id=dispute_id, session=session, caller=visitor.caller)
    spoken = render.speaks(request)
    borne_minor = sum(one.amount_minor for one in found.given_back)
    deals = await contracts_of(session, [found.deal_id])
    payment = await invoices.get_payment_of(session, found.payment_id, payer_id=None)
    return render.page(
        request,
        "dispute.html",
        dispute=found,
        open=found.state in OPEN,
        reason=REASONS.get(found.reason, found.reason),
        deal=deals[found.deal_id],
        payment=payment,
        red_letter=await red_letters.find_of_dispute(session, dispute_id),
        payer=await names.party(session, payment.payer_id, spoken=spoken),
        unborne_minor=0 if found.charged_at is None else found.drawn_minor - borne_minor,
        given_back=await named(session, found.given_back, spoken),
    )
