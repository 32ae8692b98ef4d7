"""Transfers from the platform to connected accounts."""

from typing import Any

from exchange.standins.stripe import books, events, onboarding
from exchange.standins.stripe.accounts import currency
from exchange.standins.stripe.call import Call
from exchange.standins.stripe.errors import invalid, missing
from exchange.standins.stripe.store import new_id


def create(call: Call) -> dict[str, Any]:
    """Move money to an account: from the available balance, or from one charge.

    A transfer from a charge (`source_transaction`) may be made at once; its money becomes
    available with the charge's. All transfers from one charge together are at most its amount.
    """
    money = currency(call.params["currency"])
    _destination(call)
    charge, left = _source(call, money)
    amount = call.params.get("amount", left)
    if amount is None:
        raise invalid("Missing required param: amount.", param="amount", code="parameter_missing")
    if charge is not None and amount > left:
        raise invalid(
            "Transfers using this transaction as a source must not exceed its amount: "
            f"{charge['amount']} {money}, of which {left} is left.",
            param="amount",
        )
    if charge is None and amount > _available(call, money):
        raise invalid("The available balance does not cover this.", code="balance_insufficient")
    transfer = _shape(call, money, amount=amount)
    _enter(call, transfer, available_on=_available_on(call, charge))
    call.store.add("transfer", transfer)
    events.announce(call, "transfer.created", transfer)
    return transfer


def _destination(call: Call) -> None:
    id_ = call.params["destination"]
    account = call.store.find(id_)
    if account is None or account["object"] not in onboarding.KINDS:
        raise missing("destination", id_, param="destination", status=400)
    if not onboarding.may_receive(call, account):
        raise invalid(
            "Your destination account needs to have at least one of the following capabilities "
            "enabled: transfers, crypto_transfers, legacy_payments",
            code="insufficient_capabilities_for_transfer",
        )


def _source(call: Call, money: str) -> tuple[dict[str, Any] | None, Any]:
    """Return the charge that the money comes from, and how much of it has not been moved yet."""
    id_ = call.params.get("source_transaction")
    if id_ is None:
        return None, None
    charge = call.store.find(id_)
    if charge is None or charge["object"] != "charge" or not charge["paid"]:
        raise missing("charge", id_, param="source_transaction", status=400)
    if charge["currency"] != money:
        raise invalid(
            "The currency of source_transaction's balance transaction is another.", param="currency"
        )
    before = call.store.select(
        "transfer", "AND json_extract(body, '$.source_transaction') = ?", (id_,)
    )
    return charge, charge["amount"] - sum(transfer["amount"] for transfer in before)


def _available(call: Call, money: str) -> int:
    return books.balances(call.store, account="", now=call.now).get(money, (0, 0))[0]


def _available_on(call: Call, charge: dict[str, Any] | None) -> int:
    if charge is None:
        return call.now
    entry = call.store.get("balance_transaction", charge["balance_transaction"])
    return int(entry["available_on"])


def _shape(call: Call, money: str, *, amount: int) -> dict[str, Any]:
    given = call.params
    id_ = new_id("transfer")
    charge = call.store.find(given.get("source_transaction", "")) or {}
    return {
        "id": id_,
        "object": "transfer",
        "amount": amount,
        "amount_reversed": 0,
        "balance_transaction": None,
        "created": call.now,
        "currency": money,
        "description": given.get("description"),
        "destination": given["destination"],
        "destination_payment": new_id("payment"),
        "livemode": False,
        "metadata": given.get("metadata", {}),
        "reversals": {
            "object": "list",
            "data": [],
            "has_more": False,
            "total_count": 0,
            "url": f"/v1/transfers/{id_}/reversals",
        },
        "reversed": False,
        "source_transaction": given.get("source_transaction"),
        "source_type": given.get("source_type", "card"),
        "transfer_group": given.get("transfer_group", charge.get("transfer_group")),
    }


def _enter(call: Call, transfer: dict[str, Any], *, available_on: int) -> None:
    amount, account = transfer["amount"], transfer["destination"]
    transfer["balance_transaction"] = books.enter(
        call, "transfer", transfer, amount=-amount, available_on=available_on
    )
    arrived = {**transfer, "id": transfer["destination_payment"]}
    books.enter(call, "payment", arrived, amount=amount, available_on=available_on, account=account)
    books.post(
        call.store, transfer["id"], transfer["currency"], {books.PLATFORM: -amount, account: amount}
    )
