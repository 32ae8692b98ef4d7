"""Charges: what an attempt to pay leaves behind, and the money that it takes into the books."""

from collections.abc import Mapping
from typing import Any

from exchange.standins.stripe import books
from exchange.standins.stripe.call import Call
from exchange.standins.stripe.store import new_id

_NOTHING = (
    "application", "application_fee", "application_fee_amount", "authorization_code",
    "balance_transaction", "customer", "failure_balance_transaction", "failure_code",
    "failure_message", "level3", "on_behalf_of", "presentment_details", "receipt_number",
    "receipt_url", "refunds", "review", "shipping", "source", "source_transfer", "transfer",
    "transfer_data",
)  # fmt: skip
_COPIED = (
    "currency", "customer", "description", "metadata", "payment_method", "receipt_email",
    "statement_descriptor", "statement_descriptor_suffix", "transfer_group",
)  # fmt: skip


def shape(call: Call, intent: Mapping[str, Any], details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the charge of an intent that is paid; `details` are those of its payment method."""
    return {
        "id": new_id("charge"),
        "object": "charge",
        **dict.fromkeys(_NOTHING),
        **{name: intent[name] for name in _COPIED},
        "amount": intent["amount"],
        "amount_captured": intent["amount"],
        "amount_refunded": 0,
        "billing_details": dict.fromkeys(("address", "email", "name", "phone", "tax_id")),
        "calculated_statement_descriptor": "STAND-IN",
        "captured": True,
        "created": call.now,
        "disputed": False,
        "fraud_details": {},
        "livemode": False,
        "outcome": None,
        "paid": True,
        "payment_intent": intent["id"],
        "payment_method_details": details,
        "radar_options": {},
        "refunded": False,
        "status": "succeeded",
    }


def take(
    call: Call, thing: dict[str, Any], amount: int, *, is_pending: bool, source: str = books.CARDS
) -> None:
    """Take money of a charge into the books: all of it, or what is captured of a hold.

    Args:
        call: the call that takes it.
        thing: the charge; it is changed, not stored.
        amount: in minor units.
        is_pending: whether the money is available only after some days.
        source: the account of the books that it comes from.
    """
    fee = amount * call.options.fee_bp // 10_000 + call.options.fee_fixed_minor
    fee = min(fee, amount)
    wait_s = call.options.pending_s if is_pending else 0
    thing |= {"captured": True, "amount_captured": amount}
    thing["balance_transaction"] = books.enter(
        call, "charge", thing, amount=amount, fee=fee, available_on=call.now + wait_s
    )
    books.post(
        call.store, thing["id"], thing["currency"],
        {source: -amount, books.FEES: fee, books.PLATFORM: amount - fee},
    )  # fmt: skip
