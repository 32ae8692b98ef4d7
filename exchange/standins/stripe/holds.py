"""What a card holds without paying it: until it is captured, canceled, or its time is over.

Source: docs.stripe.com/payments/place-a-hold-on-a-payment-method: `requires_capture`, and
`payment_method_details.card.capture_before` of the charge; a hold whose time is over is canceled.
Differs from the source: one length for all cards, and one capture of each hold.
"""

from collections.abc import Mapping
from typing import Any

from exchange.standins.stripe import charges, events
from exchange.standins.stripe.call import Answer, Call
from exchange.standins.stripe.errors import Problem, invalid
from exchange.standins.stripe.store import Store

HELD = "requires_capture"


def begin(call: Call, intent: dict[str, Any], charge: Mapping[str, Any]) -> dict[str, Any]:
    """Hold the amount of an intent on the card that its charge names."""
    intent |= {"status": HELD, "amount_capturable": intent["amount"]}
    until = charge["payment_method_details"]["card"]["capture_before"]
    call.store.db.execute("INSERT INTO hold VALUES (?, ?)", (intent["id"], until))
    call.store.change(intent)
    events.announce(call, "payment_intent.amount_capturable_updated", intent)
    return intent


def capture(call: Call) -> Answer:
    """Take what is held, or a part of it; what is left is let go."""
    intent = call.store.get("payment_intent", call.id)
    if intent["status"] != HELD:
        raise unexpected(intent, "capture")
    amount = call.params.get("amount_to_capture", intent["amount_capturable"])
    if amount > intent["amount_capturable"]:
        raise invalid(
            "The amount to capture is more than is held.",
            param="amount_to_capture",
            code="amount_too_large",
        )
    charge = call.store.get("charge", intent["latest_charge"])
    charges.take(call, charge, amount, is_pending=True)
    call.store.change(charge)
    _forget(call, intent)
    intent |= {"status": "succeeded", "amount_capturable": 0, "amount_received": amount}
    call.store.change(intent)
    events.announce(call, "charge.captured", charge)
    events.announce(call, "payment_intent.succeeded", intent)
    return Answer(200, intent)


def end(call: Call, intent: dict[str, Any], *, reason: str | None) -> dict[str, Any]:
    """Cancel an intent; what its card held, if anything, is let go."""
    if intent["status"] == HELD:
        charge = call.store.get("charge", intent["latest_charge"])
        charge |= {"refunded": True, "amount_refunded": charge["amount"]}
        call.store.change(charge)
        _forget(call, intent)
        is_over = reason == "automatic"
        events.announce(call, "charge.expired" if is_over else "charge.refunded", charge)
    intent |= {
        "status": "canceled",
        "amount_capturable": 0,
        "canceled_at": call.now,
        "cancellation_reason": reason,
        "next_action": None,
    }
    call.store.change(intent)
    events.announce(call, "payment_intent.canceled", intent)
    return intent


def expire_due(call: Call) -> None:
    """Cancel what was held until now and not captured, each as the provider does by itself."""
    for intent_id in due(call.store, call.now):
        end(call, call.store.get("payment_intent", intent_id), reason="automatic")


def due(store: Store, now: int) -> list[str]:
    """Return the intents whose cards hold no longer."""
    rows = store.db.execute(
        "SELECT intent FROM hold WHERE until <= ? ORDER BY until, intent", (now,)
    )
    return [str(row[0]) for row in rows]


def unexpected(intent: Mapping[str, Any], verb: str) -> Problem:
    """Return the error of a step that the state of an intent does not allow."""
    return Problem(
        400,
        message=f"You cannot {verb} this PaymentIntent because it has a status of "
        f"{intent['status']}.",
        code="payment_intent_unexpected_state",
        type="invalid_request_error",
        payment_intent=dict(intent),
    )


def _forget(call: Call, intent: Mapping[str, Any]) -> None:
    call.store.db.execute("DELETE FROM hold WHERE intent = ?", (intent["id"],))
