"""Reversals of transfers: a connected account gives money back, as far as its balance covers it."""

from typing import Any

from exchange.standins.stripe import books, events
from exchange.standins.stripe.call import Call
from exchange.standins.stripe.errors import invalid
from exchange.standins.stripe.store import new_id


def create(call: Call) -> dict[str, Any]:
    """Take back all that is left of a transfer, or a part of it."""
    transfer = call.store.get("transfer", call.id)
    left = transfer["amount"] - transfer["amount_reversed"]
    amount = call.params.get("amount", left)
    if left == 0 or amount > left:
        raise invalid(f"Reversal amount {amount} is more than is left: {left}.", param="amount")
    account, money = transfer["destination"], transfer["currency"]
    if amount > sum(books.balances(call.store, account=account, now=call.now).get(money, (0, 0))):
        raise invalid(
            "The connected account's balance does not cover this.", code="balance_insufficient"
        )
    reversal = {
        "id": new_id("transfer_reversal"),
        "object": "transfer_reversal",
        "amount": amount,
        "balance_transaction": None,
        "created": call.now,
        "currency": money,
        "destination_payment_refund": None,
        "metadata": call.params.get("metadata", {}),
        "source_refund": None,
        "transfer": transfer["id"],
    }
    reversal["balance_transaction"] = books.enter(
        call, "transfer_refund", reversal, amount=amount, available_on=call.now
    )
    taken = {**reversal, "id": transfer["destination_payment"]}
    books.enter(
        call, "payment_refund", taken, amount=-amount, available_on=call.now, account=account
    )
    books.post(call.store, reversal["id"], money, {books.PLATFORM: amount, account: -amount})
    call.store.add("transfer_reversal", reversal)
    _note(call, transfer, reversal)
    return reversal


def page(call: Call) -> dict[str, Any]:
    """List the reversals of a transfer, the newest first."""
    transfer = call.store.get("transfer", call.id)
    limit = call.params.get("limit", 10)
    rows = call.store.select(
        "transfer_reversal",
        "AND json_extract(body, '$.transfer') = ? ORDER BY turn DESC",
        (transfer["id"],),
    )
    return {
        "object": "list",
        "data": rows[:limit],
        "has_more": len(rows) > limit,
        "url": f"/v1/transfers/{transfer['id']}/reversals",
    }


def _note(call: Call, transfer: dict[str, Any], reversal: dict[str, Any]) -> None:
    transfer["amount_reversed"] += reversal["amount"]
    transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
    listed = transfer["reversals"]
    listed |= {"data": [reversal, *listed["data"]], "total_count": listed["total_count"] + 1}
    call.store.change(transfer)
    events.announce(call, "transfer.reversed", transfer)
