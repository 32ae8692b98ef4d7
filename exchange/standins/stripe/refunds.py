"""Refunds of charges; the fee of the charge is not given back, and transfers stay where they are.

Differs from the source: a refund that the balance does not cover is refused, where Stripe may take
the money from a bank account; and a refund succeeds at once. One of a bank transfer goes to the
cash balance of the customer.
"""

from typing import Any

from exchange.standins.stripe import books, cash, events
from exchange.standins.stripe.call import Call
from exchange.standins.stripe.errors import invalid, missing
from exchange.standins.stripe.store import new_id


def create(call: Call) -> dict[str, Any]:
    """Give back all that is left of a charge, or a part of it."""
    charge = _charge(call)
    left = charge["amount_captured"] - charge["amount_refunded"]
    amount = call.params.get("amount", left)
    if left == 0:
        raise invalid("The charge has been refunded.", code="charge_already_refunded")
    if amount > left:
        raise invalid(
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left}).",
            param="amount",
        )
    if charge["disputed"]:
        raise invalid("The charge has been charged back.", code="charge_disputed")
    money = charge["currency"]
    if amount > sum(books.balances(call.store, account="", now=call.now).get(money, (0, 0))):
        raise invalid("The balance does not cover this.", code="balance_insufficient")
    refund = _shape(call, charge, amount=amount)
    refund["balance_transaction"] = _enter(call, refund, amount=-amount, charge=charge)
    call.store.add("refund", refund)
    if _is_cash(charge):
        cash.give_back(call, refund, charge["customer"])
    charge |= {"amount_refunded": charge["amount_refunded"] + amount}
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    call.store.change(charge)
    events.announce(call, "refund.created", refund)
    events.announce(call, "charge.refunded", charge)
    return refund


def fail(call: Call) -> dict[str, Any]:
    """Let a refund come back, as it does when the card's account is closed (on command)."""
    refund = call.store.get("refund", call.id)
    if refund["status"] != "succeeded" or "customer_balance" in refund["destination_details"]:
        raise invalid("Only a refund to a card that succeeded comes back.")
    refund |= {"status": "failed", "failure_reason": "expired_or_canceled_card"}
    charge = call.store.get("charge", refund["charge"])
    refund["failure_balance_transaction"] = _enter(
        call, refund, amount=refund["amount"], charge=charge
    )
    call.store.change(refund)
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    call.store.change(charge)
    events.announce(call, "refund.failed", refund)
    return refund


def _charge(call: Call) -> dict[str, Any]:
    given = call.params
    if ("charge" in given) == ("payment_intent" in given):
        raise invalid("Give either `charge` or `payment_intent`.")
    id_ = given.get("charge")
    if id_ is None:
        intent = call.store.find(given["payment_intent"], account="")
        if intent is None or intent["object"] != "payment_intent":
            raise missing("payment_intent", given["payment_intent"], status=400)
        id_ = intent["latest_charge"]
    charge = call.store.find(id_ or "", account="")
    if charge is None or charge["object"] != "charge" or not charge["captured"]:
        raise invalid("This payment has no successful charge to refund.", param="payment_intent")
    return charge


def _shape(call: Call, charge: dict[str, Any], *, amount: int) -> dict[str, Any]:
    given = call.params
    nothing = (
        "customer", "customer_account", "description", "failure_balance_transaction",
        "failure_reason", "instructions_email", "next_action", "pending_reason",
        "presentment_details",
    )  # fmt: skip
    return {
        "id": new_id("refund"),
        "object": "refund",
        **dict.fromkeys(nothing),
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "destination_details": _destination(charge),
        "metadata": given.get("metadata", {}),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": given.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }


def _is_cash(charge: dict[str, Any]) -> bool:
    return bool(charge["payment_method_details"]["type"] == "customer_balance")


def _destination(charge: dict[str, Any]) -> dict[str, Any]:
    if _is_cash(charge):
        return {"customer_balance": {}, "type": "customer_balance"}
    return {"card": {"type": "refund"}, "type": "card"}


def _enter(call: Call, refund: dict[str, Any], *, amount: int, charge: dict[str, Any]) -> str:
    kind = "refund" if amount < 0 else "refund_failure"
    entry = books.enter(call, kind, refund, amount=amount, available_on=call.now)
    if not _is_cash(charge):
        books.post(
            call.store, f"{refund['id']}:{kind}", refund["currency"],
            {books.CARDS: -amount, books.PLATFORM: amount},
        )  # fmt: skip
    return entry
