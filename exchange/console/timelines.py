"""The way of one settlement's money, as the staff follows it."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts.deals import queries as deals
from exchange.api import timelines as api
from exchange.api.deps import Session
from exchange.console.disputes import REASONS
from exchange.portal import names, render, timeline
from exchange.portal.language import Language, mark
from exchange.portal.visitors import Staff
from settlement.ledger import names as books
from settlement.outbound import rules as outbound
from settlement.plans import queries as plans

router = APIRouter()
KINDS = {
    "settlement.planned": mark("Settlement planned"),
    "invoice.issued": mark("Invoice issued"),
    "invoice.paid": mark("Invoice paid"),
    "payment.requested": mark("Payment asked for"),
    "payment.succeeded": mark("Payment received"),
    "payment.failed": mark("Payment failed"),
    "payout.prepared": mark("Payout prepared"),
    "payout.approved": mark("Payout approved"),
    "payout.refused": mark("Payout refused"),
    "payout.paid": mark("Paid out"),
    "refund.prepared": mark("Refund prepared"),
    "refund.approved": mark("Refund approved"),
    "refund.refused": mark("Refund refused"),
    "refund.made": mark("Refunded"),
    "refund.failed": mark("Refund came back"),
    "dispute.opened": mark("Disputed by the card holder"),
    "dispute.inquiry_closed": mark("Inquiry closed"),
    "dispute.won": mark("Dispute won"),
    "dispute.lost": mark("Dispute lost"),
    "dispute.charged": mark("Lost dispute charged to those who were paid"),
    "red-letter.prepared": mark("Red letter prepared"),
    "red-letter.issued": mark("Red letter issued"),
    "red-letter.refused": mark("Red letter refused"),
    "instruction.written": mark("Instruction written"),
    "instruction.sent": mark("Instruction sent"),
    "instruction.done": mark("Instruction carried out"),
    "instruction.failed": mark("Instruction failed"),
}
WORDS = {**timeline.LABELS, **KINDS}
# What a step notes by a code: what the provider was asked for, how it was paid, why contested.
NOTES = {
    outbound.CREATE_PAYMENT: mark("A payment"),
    outbound.CREATE_ACCOUNT: mark("A payout account"),
    outbound.CREATE_TRANSFER: mark("A transfer to a payee"),
    outbound.CREATE_REFUND: mark("A refund"),
    outbound.REVERSE_TRANSFER: mark("A transfer taken back"),
    outbound.CREATE_PAYOUT: mark("A sweep to the bank"),
    outbound.HOLD_PAYMENT: mark("A hold on a card"),
    outbound.CONFIRM_PAYMENT: mark("Confirmation of a payment"),
    outbound.CAPTURE_PAYMENT: mark("Capture of a hold"),
    outbound.CANCEL_PAYMENT: mark("Cancellation of a payment"),
    "card": mark("By card"),
    "wire": mark("By bank transfer"),
    **REASONS,
}
NEXT = {
    "pay": mark("The licensee pays the invoice."),
    "prepare": mark("An operator prepares the payout."),
    "decide": mark("An approver decides on the payout."),
    "wait": mark("The transfers are being made."),
    "decide-refund": mark("An approver decides on the refund."),
    "wait-refund": mark("The refund is being made."),
    "resend-refund": mark("The refund failed: an operator prepares that it is sent again."),
    "decide-red-letter": mark("An approver decides on the red letter."),
    "evidence": mark("An operator hands in the evidence for the dispute."),
    "judged": mark("The card holder's bank decides on the dispute."),
}
PAGES = {
    "decide-refund": "/console/refunds/",
    "wait-refund": "/console/refunds/",
    "resend-refund": "/console/refunds/",
    "decide-red-letter": "/console/red-letters/",
    "evidence": "/console/disputes/",
    "judged": "/console/disputes/",
}


@router.get("/{deal_id}/timeline")
async def timeline_page(
    request: Request, deal_id: UUID, visitor: Staff, session: Session
) -> Response:
    """Show every step of a settlement's money, its journals and facts, and what comes next."""
    found = await api.get_settlement_timeline(
        deal_id=deal_id, session=session, caller=visitor.caller
    )
    settlement = await plans.get_settlement(session, deal_id)
    spoken = render.speaks(request)
    entries = [
        {
            **entry.model_dump(),
            "label": _label(entry, spoken),
            "said": _said(entry, spoken),
            "person": await names.person(session, entry.by),
        }
        for entry in found.entries
    ]
    return render.page(
        request,
        "timeline.html",
        entries=entries,
        settlement=found,
        deal=await deals.get_deal(session, settlement.root_id),
        waiting=[
            {"said": NEXT[one.kind], "due_on": one.due_on, "page": _page(one.kind, one.about)}
            for one in found.waiting
        ],
    )


def _label(entry: api.EntryOut, spoken: Language) -> str:
    """Return what happened, in words."""
    found = None if entry.source == "journal" else WORDS.get(entry.kind)
    return spoken.say(found) if found else spoken.pick(*books.journal(entry.kind))


def _said(entry: api.EntryOut, spoken: Language) -> str | None:
    """Return a step's note with its code in words: what was asked, and which try it was."""
    if entry.source != "step" or entry.note is None:
        return None
    code, comma, rest = entry.note.partition(",")
    return f"{spoken.say(NOTES[code])}{comma}{rest}" if code in NOTES else None


def _page(kind: str, about: UUID | None) -> str:
    """Return where the thing that waits is dealt with; empty where it is the settlement itself."""
    return f"{PAGES[kind]}{about}" if kind in PAGES else ""
