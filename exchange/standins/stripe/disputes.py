"""Disputes, opened and decided on command: a stand-in has no card holders and no banks.

An inquiry (`warning_…`) moves no money. A dispute draws its amount and a fee; a won one brings the
amount back, the fee stays.
"""

from typing import Any

from exchange.standins.stripe import books, events
from exchange.standins.stripe.call import Call
from exchange.standins.stripe.errors import invalid
from exchange.standins.stripe.store import new_id

FEE_MINOR = 1_500
DUE_S = 7 * 86_400
DECISIONS = ("under_review", "won", "lost", "warning_closed", "needs_response")


def open_dispute(call: Call) -> dict[str, Any]:
    """Open a dispute of a charge, or an inquiry."""
    charge = call.store.get("charge", call.params["charge"])
    is_card = charge["payment_method_details"]["type"] == "card"
    if charge["disputed"] or not charge["captured"] or not is_card:
        raise invalid("This charge cannot be disputed.", param="charge")
    is_inquiry = call.params.get("inquiry", False)
    dispute = {
        "id": new_id("dispute"),
        "object": "dispute",
        "amount": call.params.get("amount", charge["amount_captured"] - charge["amount_refunded"]),
        "balance_transactions": [],
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {},
        "evidence_details": {
            "due_by": call.now + DUE_S, "enhanced_eligibility": {}, "has_evidence": False,
            "past_due": False, "submission_count": 0,
        },
        "is_charge_refundable": is_inquiry,
        "intended_submission_method": None,
        "livemode": False,
        "metadata": {},
        "network_reason_code": "10.4",
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {"brand": "visa", "case_type": "chargeback", "network_reason_code": "10.4"},
            "type": "card",
        },
        "reason": call.params.get("reason", "fraudulent"),
        "status": "warning_needs_response" if is_inquiry else "needs_response",
    }  # fmt: skip
    call.store.add("dispute", dispute)
    events.announce(call, "charge.dispute.created", dispute)
    if not is_inquiry:
        _draw(call, dispute, charge)
    return dispute


def decide(call: Call) -> dict[str, Any]:
    """Move a dispute on: reviewed, won, lost; an inquiry closed, or turned into a dispute."""
    dispute = call.store.get("dispute", call.id)
    status = call.params["status"]
    if dispute["status"] in ("won", "lost") or status not in DECISIONS:
        raise invalid(f"A dispute that is {dispute['status']} does not become {status}.")
    was_inquiry = dispute["status"].startswith("warning_")
    dispute["status"] = status
    call.store.change(dispute)
    if was_inquiry and status == "needs_response":
        _draw(call, dispute, call.store.get("charge", dispute["charge"]))
        return dispute
    if status == "won":
        _move(call, dispute, amount=dispute["amount"], fee=0)
        events.announce(call, "charge.dispute.funds_reinstated", dispute)
    closed = status in ("won", "lost", "warning_closed")
    events.announce(call, f"charge.dispute.{'closed' if closed else 'updated'}", dispute)
    return dispute


def _draw(call: Call, dispute: dict[str, Any], charge: dict[str, Any]) -> None:
    call.store.change({**charge, "disputed": True})
    _move(call, dispute, amount=-dispute["amount"], fee=FEE_MINOR)
    events.announce(call, "charge.dispute.funds_withdrawn", dispute)


def _move(call: Call, dispute: dict[str, Any], *, amount: int, fee: int) -> None:
    id_ = books.enter(
        call, "adjustment", {**dispute, "description": f"Chargeback of {dispute['charge']}"},
        amount=amount, fee=fee, available_on=call.now,
    )  # fmt: skip
    entry = call.store.get("balance_transaction", id_)
    entry["reporting_category"] = "dispute" if amount < 0 else "dispute_reversal"
    call.store.change(entry)
    dispute["balance_transactions"] = [*dispute["balance_transactions"], entry]
    books.post(
        call.store, f"{dispute['id']}:{len(dispute['balance_transactions'])}", dispute["currency"],
        {books.CARDS: -amount, books.FEES: fee, books.PLATFORM: amount - fee},
    )  # fmt: skip
    call.store.change(dispute)
