"""Payment intents: created, confirmed by server or browser, canceled; held ones see `holds`."""

import secrets
from collections.abc import Mapping
from typing import Any

from exchange.standins.stripe import (
    attempts,
    authentications,
    cards,
    cash,
    events,
    holds,
    methods,
)
from exchange.standins.stripe.accounts import currency
from exchange.standins.stripe.call import Answer, Call
from exchange.standins.stripe.errors import invalid, missing, unauthenticated
from exchange.standins.stripe.store import new_id

OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
_NOTHING = (
    "amount_details", "application", "application_fee_amount", "canceled_at",
    "cancellation_reason", "customer", "customer_account", "excluded_payment_method_types", "hooks",
    "last_payment_error", "latest_charge", "managed_payments", "next_action", "on_behalf_of",
    "payment_details", "payment_method", "payment_method_configuration_details", "payment_record",
    "presentment_details", "processing", "review", "setup_future_usage", "shipping", "source",
    "transfer_data",
)  # fmt: skip
_COPIED = (
    "allowed_payment_method_types", "description", "receipt_email", "statement_descriptor",
    "statement_descriptor_suffix", "transfer_group",
)  # fmt: skip


def create(call: Call) -> Answer:
    """Create a payment intent, and confirm it at once when asked to."""
    given = call.params
    money = currency(given["currency"])
    if given["amount"] > call.options.most_minor:
        raise invalid(
            f"Amount must be no more than {call.options.most_minor}.",
            param="amount",
            code="amount_too_large",
        )
    id_ = new_id("payment_intent")
    automatic = given.get("automatic_payment_methods", {})
    intent = {
        "id": id_,
        "object": "payment_intent",
        **dict.fromkeys(_NOTHING),
        **{name: given.get(name) for name in _COPIED},
        "amount": given["amount"],
        "amount_capturable": 0,
        "amount_received": 0,
        "automatic_payment_methods": {
            "allow_redirects": automatic.get("allow_redirects", "always"),
            "enabled": automatic.get("enabled", True),
        },
        "capture_method": given.get("capture_method", "automatic_async"),
        "client_secret": f"{id_}_secret_{secrets.token_hex(12)}",
        "confirmation_method": given.get("confirmation_method", "automatic"),
        "created": call.now,
        "currency": money,
        "livemode": False,
        "metadata": given.get("metadata", {}),
        "payment_method_options": given.get("payment_method_options", {}),
        "payment_method_types": given.get("allowed_payment_method_types", ["card"]),
        "status": "requires_payment_method",
    }
    if given.get("customer") is not None:
        intent["customer"] = _customer(call)
    method = methods.given(call, intent)
    if method is not None:
        intent |= {"payment_method": method, "status": "requires_confirmation"}
    elif given.get("confirm"):
        raise invalid("A payment method is needed to confirm.", param="payment_method")
    call.store.add("payment_intent", intent)
    events.announce(call, "payment_intent.created", intent)
    return _confirm(call, intent) if given.get("confirm") else Answer(200, intent)


def confirm(call: Call) -> Answer:
    """Confirm with a secret key, or from the browser with the client secret."""
    intent = call.store.get("payment_intent", call.id)
    _browser_may(call, intent)
    if intent["status"] not in OPEN:
        raise holds.unexpected(intent, "confirm")
    intent["payment_method_options"] |= call.params.get("payment_method_options", {})
    method = methods.given(call, intent) or intent["payment_method"]
    if method is None:
        raise invalid("A payment method is needed to confirm.", param="payment_method")
    return _confirm(call, {**intent, "payment_method": method})


def retrieve(call: Call) -> Answer:
    """Show a payment intent; a browser shows its client secret for it."""
    intent = call.store.get("payment_intent", call.id)
    _browser_may(call, intent)
    return Answer(200, intent)


def cancel(call: Call) -> Answer:
    """Cancel an intent that has not succeeded."""
    intent = call.store.get("payment_intent", call.id)
    if intent["status"] not in (*OPEN, holds.HELD):
        raise holds.unexpected(intent, "cancel")
    cash.release(call, intent)
    return Answer(200, holds.end(call, intent, reason=call.params.get("cancellation_reason")))


def _confirm(call: Call, intent: dict[str, Any]) -> Answer:
    authentications.check_return(call)
    cash.release(call, intent)
    if methods.is_cash(call, intent["payment_method"]):
        intent["last_payment_error"] = None
        return cash.pay(call, intent)
    used = cards.card(intent["payment_method"])
    intent |= {
        "last_payment_error": None,
        "next_action": None,
        "payment_method": new_id("payment_method"),
    }
    if not used.asks:
        return attempts.attempt(call, intent, used)
    return authentications.ask(call, intent, used)


def _customer(call: Call) -> str:
    id_: str = call.params["customer"]
    found = call.store.find(id_, account="")
    if found is None or found["object"] != "customer":
        raise missing("customer", id_, param="customer", status=400)
    return id_


def _browser_may(call: Call, intent: Mapping[str, Any]) -> None:
    if not call.is_browser:
        return
    if not secrets.compare_digest(
        call.params.get("client_secret", "").encode(), intent["client_secret"].encode()
    ):
        raise unauthenticated("The client_secret does not match this PaymentIntent.")
