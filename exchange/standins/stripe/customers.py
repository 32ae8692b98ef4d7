"""Customers: who pays by bank transfer, and has a cash balance for it."""

from typing import Any

from exchange.standins.stripe import events
from exchange.standins.stripe.call import Call
from exchange.standins.stripe.store import new_id

_NOTHING = (
    "address", "currency", "customer_account", "default_source", "discount", "shipping",
    "test_clock",
)  # fmt: skip
_COPIED = ("business_name", "description", "email", "individual_name", "name", "phone")


def create(call: Call) -> dict[str, Any]:
    """Make a customer whose cash balance is empty."""
    given = call.params
    id_ = new_id("customer")
    customer = {
        "id": id_,
        "object": "customer",
        **dict.fromkeys(_NOTHING),
        **{name: given.get(name) for name in _COPIED},
        "balance": 0,
        "created": call.now,
        "delinquent": False,
        "invoice_credit_balance": {},
        "invoice_prefix": id_[-8:].upper(),
        "invoice_settings": dict.fromkeys(
            ("custom_fields", "default_payment_method", "footer", "rendering_options")
        ),
        "livemode": False,
        "metadata": given.get("metadata", {}),
        "next_invoice_sequence": 1,
        "preferred_locales": given.get("preferred_locales", []),
        "tax_exempt": "none",
    }
    call.store.add("customer", customer)
    events.announce(call, "customer.created", customer)
    return customer
