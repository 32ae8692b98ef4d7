"""Payment methods: a test card by its name, or the cash balance of a customer."""

from collections.abc import Mapping
from typing import Any

from exchange.standins.stripe import cards
from exchange.standins.stripe.call import Call
from exchange.standins.stripe.errors import invalid
from exchange.standins.stripe.store import new_id

CARD, CASH = "card", "customer_balance"


def given(call: Call, intent: Mapping[str, Any]) -> str | None:
    """Return the payment method that a call brings for an intent, made if need be; None without.

    Raises:
        Problem: there is no such method, or the intent does not allow its type.
    """
    params = call.params
    if "payment_method" in params and "payment_method_data" in params:
        raise invalid("Give `payment_method` or `payment_method_data`.", param="payment_method")
    if "payment_method" in params:
        name: str = params["payment_method"]
        kind = CASH if is_cash(call, name) else CARD
        if kind == CARD:
            cards.card(name)
    elif "payment_method_data" in params:
        name, kind = _made(call, intent), CASH
    else:
        return None
    if kind not in intent["payment_method_types"]:
        raise invalid(
            f"The PaymentIntent does not allow the payment method type {kind}.",
            param="payment_method",
            code="payment_intent_incompatible_payment_method",
        )
    return name


def is_cash(call: Call, name: str) -> bool:
    """Tell whether a payment method is the cash balance of a customer."""
    found = call.store.find(name)
    return found is not None and found["object"] == "payment_method"


def _made(call: Call, intent: Mapping[str, Any]) -> str:
    method = {
        "id": new_id("payment_method"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": dict.fromkeys(("address", "email", "name", "phone", "tax_id")),
        "created": call.now,
        "customer": intent["customer"],
        "customer_balance": {},
        "livemode": False,
        "metadata": {},
        "type": CASH,
    }
    call.store.add("payment_method", method)
    return str(method["id"])
