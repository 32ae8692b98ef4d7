"""Cash balances: bank transfers of customers, and the payment intents that are paid from them.

A transfer goes to the intent whose reference it names, else to one of exactly its amount that is
missing, else to the oldest that waits, and on; too little leaves the intent waiting for the rest,
too much stays in the cash balance. Money that an intent took and does not need goes back there.

Source: docs.stripe.com/payments/customer-balance and its page on reconciliation (automatic mode).
Differs from the source: transfers are made by the test helper or on a page of the stand-in.
"""

from collections.abc import Mapping
from typing import Any

from exchange.standins.stripe import addresses, books, charges, events, reads
from exchange.standins.stripe.accounts import currency
from exchange.standins.stripe.call import Answer, Call
from exchange.standins.stripe.errors import invalid
from exchange.standins.stripe.store import Store, new_id

ASKED, SHOWN = "requires_action", "display_bank_transfer_instructions"
KIND = "customer_cash_balance_transaction"
_DETAILS = (
    "adjusted_for_overdraft", "applied_to_payment", "funded", "refunded_from_payment",
    "transferred_to_balance", "unapplied_from_payment",
)  # fmt: skip


def pay(call: Call, intent: dict[str, Any]) -> Answer:
    """Pay an intent from its customer's cash balance, and ask for what is missing."""
    customer, money = intent["customer"], intent["currency"]
    _check(intent)
    has = balance(call.store, customer).get(money, 0)
    if has < intent["amount"]:
        _check_asked(intent)
    reference = intent["id"].rpartition("_")[2][:12].upper()
    intent |= {
        "status": ASKED,
        "next_action": {
            "type": SHOWN,
            SHOWN: {
                "amount_remaining": intent["amount"],
                "currency": money,
                "financial_addresses": addresses.addresses(customer, money),
                "hosted_instructions_url": f"{call.at}/_transfers/{intent['id']}",
                "reference": reference,
                "type": addresses.KINDS[money][0],
            },
        },
    }
    call.store.change(intent)
    if has:
        intent = _apply(call, intent, min(has, intent["amount"]))
    if intent["status"] == ASKED:
        events.announce(call, "payment_intent.requires_action", intent)
    return Answer(200, intent)


def fund(call: Call) -> dict[str, Any]:
    """Let a bank transfer of a customer arrive, and pay with it what waits for money."""
    customer = call.store.get("customer", call.id)
    money, amount = currency(call.params["currency"]), call.params["amount"]
    _kind(money)
    reference = call.params.get("reference")
    arrived = _move(
        call, customer["id"], money, amount=amount, about=books.BANKS,
        why=("funded", {"bank_transfer": _sent(money, reference)}),
    )  # fmt: skip
    for intent in _waiting(call, customer["id"], money, amount=amount, reference=reference):
        has = balance(call.store, customer["id"])[money]
        if has:
            _apply(call, intent, min(has, remaining(intent)))
    if balance(call.store, customer["id"])[money]:
        events.announce(call, "cash_balance.funds_available", shown(call, customer["id"]))
    return arrived


def release(call: Call, intent: dict[str, Any]) -> None:
    """Give back to the cash balance what an intent took and does not need."""
    if not awaits(intent):
        return
    taken = intent["amount"] - remaining(intent)
    intent["next_action"] = None
    if taken:
        _move(
            call, intent["customer"], intent["currency"], amount=taken, about=intent["id"],
            why=("unapplied_from_payment", {"payment_intent": intent["id"]}),
        )  # fmt: skip


def give_back(call: Call, refund: Mapping[str, Any], customer: str) -> None:
    """Put a refund into the cash balance of the customer who paid by bank transfer."""
    _move(
        call, customer, refund["currency"], amount=refund["amount"], about=books.PLATFORM,
        why=("refunded_from_payment", {"refund": refund["id"]}),
    )  # fmt: skip


def awaits(intent: Mapping[str, Any]) -> bool:
    """Tell whether an intent waits for a bank transfer."""
    return bool(intent["status"] == ASKED and intent["next_action"]["type"] == SHOWN)


def remaining(intent: Mapping[str, Any]) -> int:
    """Return what is missing of an intent that waits, in minor units."""
    return int(intent["next_action"][SHOWN]["amount_remaining"])


def balance(store: Store, customer: str) -> dict[str, int]:
    """Return a customer's cash by currency, in minor units."""
    rows = store.db.execute(
        "SELECT json_extract(body, '$.currency'), sum(json_extract(body, '$.net_amount')) "
        "FROM object WHERE kind = ? AND json_extract(body, '$.customer') = ? GROUP BY 1 ORDER BY 1",
        (KIND, customer),
    )
    return dict(rows.fetchall())


def retrieve(call: Call) -> dict[str, Any]:
    """Show a customer's cash balance."""
    return shown(call, call.store.get("customer", call.id)["id"])


def page(call: Call) -> dict[str, Any]:
    """List the movements of a customer's cash, the newest first."""
    id_ = call.store.get("customer", call.id)["id"]
    return reads.page(
        call, KIND, f"/v1/customers/{id_}/cash_balance_transactions", of=("customer", id_)
    )


def shown(call: Call, customer: str) -> dict[str, Any]:
    """Return a customer's cash balance as Stripe shows it."""
    return {
        "object": "cash_balance",
        "available": balance(call.store, customer) or None,
        "customer": customer,
        "customer_account": None,
        "livemode": False,
        "settings": {"reconciliation_mode": "automatic", "using_merchant_default": True},
    }


def _check(intent: Mapping[str, Any]) -> None:
    if intent["customer"] is None:
        raise invalid("A customer is needed for customer_balance.", param="customer")
    if intent["capture_method"] == "manual":
        raise invalid("A bank transfer cannot be held.", param="capture_method")
    _kind(intent["currency"])


def _check_asked(intent: Mapping[str, Any]) -> None:
    """Check that the caller said over which transfers the missing money is to come."""
    asked = intent["payment_method_options"].get("customer_balance", {})
    kind = asked.get("bank_transfer", {}).get("type")
    name = "payment_method_options[customer_balance]"
    if "funding_type" not in asked:
        raise invalid(
            "The cash balance does not cover this; say how it is funded.",
            param=f"{name}[funding_type]",
        )
    if kind != _kind(intent["currency"]):
        raise invalid(
            f"{intent['currency']} does not come by {kind}.", param=f"{name}[bank_transfer][type]"
        )


def _kind(money: str) -> str:
    if money not in addresses.KINDS:
        raise invalid(f"There is no bank transfer in {money}.", param="currency")
    return addresses.KINDS[money][0]


def _waiting(
    call: Call, customer: str, money: str, *, amount: int, reference: str | None
) -> list[dict[str, Any]]:
    """Return the intents that wait for a customer's money, whom a transfer is meant for first."""
    found = call.store.select(
        "payment_intent",
        "AND json_extract(body, '$.customer') = ? AND json_extract(body, '$.currency') = ? "
        "AND json_extract(body, '$.status') = ? ORDER BY turn",
        (customer, money, ASKED),
    )
    named = (reference or "").upper()

    def rank(intent: Mapping[str, Any]) -> int:
        if intent["next_action"][SHOWN]["reference"] in named:
            return 0
        return 1 if remaining(intent) == amount else 2

    return sorted((intent for intent in found if awaits(intent)), key=rank)


def _apply(call: Call, intent: dict[str, Any], amount: int) -> dict[str, Any]:
    """Let an intent take money of its customer: a part of what it misses, or the whole."""
    _move(
        call, intent["customer"], intent["currency"], amount=-amount, about=intent["id"],
        why=("applied_to_payment", {"payment_intent": intent["id"]}),
    )  # fmt: skip
    intent["next_action"][SHOWN]["amount_remaining"] -= amount
    if not remaining(intent):
        return _succeed(call, intent)
    call.store.change(intent)
    events.announce(call, "payment_intent.partially_funded", intent)
    return intent


def _succeed(call: Call, intent: dict[str, Any]) -> dict[str, Any]:
    charge = charges.shape(call, intent, {"type": "customer_balance", "customer_balance": {}})
    charges.take(call, charge, intent["amount"], is_pending=True, source=intent["id"])
    call.store.add("charge", charge)
    events.announce(call, "charge.succeeded", charge)
    intent |= {
        "status": "succeeded",
        "amount_received": intent["amount"],
        "latest_charge": charge["id"],
        "next_action": None,
    }
    call.store.change(intent)
    events.announce(call, "payment_intent.succeeded", intent)
    return intent


def _move(
    call: Call, customer: str, money: str, *, amount: int, about: str,
    why: tuple[str, dict[str, Any]],
) -> dict[str, Any]:  # fmt: skip
    """Move money into a cash balance, or out of it; `about` is the other account of the books."""
    moved = {
        "id": new_id("cash_balance_transaction"),
        "object": KIND,
        **dict.fromkeys(_DETAILS),
        "created": call.now,
        "currency": money,
        "customer": customer,
        "customer_account": None,
        "ending_balance": balance(call.store, customer).get(money, 0) + amount,
        "livemode": False,
        "net_amount": amount,
        "type": why[0],
        why[0]: why[1],
    }
    call.store.add(KIND, moved)
    books.post(call.store, str(moved["id"]), money, {about: -amount, customer: amount})
    events.announce(call, f"{KIND}.created", moved)
    return moved


def _sent(money: str, reference: str | None) -> dict[str, Any]:
    kind = _kind(money)
    said: dict[str, dict[str, Any]] = {
        "eu_bank_transfer": {"bic": None, "iban_last4": None, "sender_name": None},
        "gb_bank_transfer": {"account_number_last4": None, "sender_name": None, "sort_code": None},
        "jp_bank_transfer": {"sender_bank": None, "sender_branch": None, "sender_name": None},
        "us_bank_transfer": {"network": "ach", "sender_name": None},
    }
    return {"reference": reference, "type": kind, kind: said[kind]}
