"""One attempt to pay an intent with a card: paid, held, or declined with the decline's codes."""

from typing import Any

from exchange.standins.stripe import cards, events, holds
from exchange.standins.stripe.call import Answer, Call
from exchange.standins.stripe.cards import Card


def attempt(call: Call, intent: dict[str, Any], used: Card) -> Answer:
    """Charge a card for an intent that names its payment method."""
    charge = cards.charge(call, intent, used)
    intent |= {"latest_charge": charge["id"]}
    if used.decline is not None:
        return _declined(call, intent, used)
    if intent["capture_method"] == "manual":
        return Answer(200, holds.begin(call, intent, charge))
    intent |= {"status": "succeeded", "amount_received": intent["amount"]}
    call.store.change(intent)
    events.announce(call, "payment_intent.succeeded", intent)
    return Answer(200, intent)


def fail(call: Call, intent: dict[str, Any], error: dict[str, Any]) -> dict[str, Any]:
    """Let an attempt end without success: the intent waits for another payment method."""
    intent |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "next_action": None,
        "last_payment_error": error,
    }
    call.store.change(intent)
    events.announce(call, "payment_intent.payment_failed", intent)
    return intent


def method(intent: dict[str, Any]) -> dict[str, Any]:
    """Return the payment method of an intent as an error shows it."""
    return {"id": intent["payment_method"], "object": "payment_method", "type": "card"}


def _declined(call: Call, intent: dict[str, Any], used: Card) -> Answer:
    error = {
        "charge": intent["latest_charge"],
        "code": used.decline,
        "decline_code": used.reason,
        "message": cards.message(used),
        "payment_method": method(intent),
        "type": "card_error",
    }
    error = {name: value for name, value in error.items() if value is not None}
    return Answer(402, {"error": {**error, "payment_intent": fail(call, intent, error)}})
