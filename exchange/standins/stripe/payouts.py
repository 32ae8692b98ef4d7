"""Payouts of a balance to a bank account: ordered, on their way, arrived or come back.

A payout is `pending` for an hour, then `in_transit`, and `paid` from the midnight of its arrival
date on, all by the stand-in's own clock; it fails on command (/_payouts/{id}/failure), also after
it was shown as paid, as a bank may still send it back.

Differs from the source: every currency goes to one account of the stand-in's making, and payouts by
schedule are made on command (/_payouts).
"""

from typing import Any

from exchange.standins.stripe import books, events
from exchange.standins.stripe.accounts import currency
from exchange.standins.stripe.call import Call
from exchange.standins.stripe.errors import invalid
from exchange.standins.stripe.store import new_id

SUBMITTED_S, DAY_S, ARRIVES_DAYS = 3_600, 86_400, 2
OPEN = ("pending", "in_transit")
LONGEST_DESCRIPTOR = 22
# Source: docs.stripe.com/currencies, "Special cases": two decimals, paid out in whole units.
WHOLE_UNITS = ("huf", "isk", "twd", "ugx")


def create(call: Call) -> dict[str, Any]:
    """Pay out a part of the available balance."""
    money, amount = currency(call.params["currency"]), call.params["amount"]
    descriptor = call.params.get("statement_descriptor")
    if descriptor is not None and len(descriptor) > LONGEST_DESCRIPTOR:
        raise invalid("At most 22 characters.", param="statement_descriptor")
    if money in WHOLE_UNITS and amount % 100:
        raise invalid("This currency is paid out in whole units.", param="amount")
    return _made(call, money, amount, is_automatic=False)


def sweep(call: Call) -> dict[str, Any]:
    """Pay out all that is available of a currency, as a schedule does (on command)."""
    money = currency(str(call.params.get("currency", "cny")))
    available = _available(call, money)
    if available < 1:
        raise invalid("Nothing is available.", code="balance_insufficient")
    return _made(call, money, available, is_automatic=True)


def cancel(call: Call) -> dict[str, Any]:
    """Take back a payout that was not handed to the bank yet."""
    payout = call.store.get("payout", call.id, account=call.account)
    if payout["status"] != "pending":
        raise invalid(f"A payout that is {payout['status']} cannot be canceled.")
    payout["status"] = "canceled"
    return _back(call, payout, event="payout.canceled")


def fail(call: Call) -> dict[str, Any]:
    """Let the bank send a payout back (on command)."""
    payout = call.store.get("payout", call.id)
    if payout["status"] not in (*OPEN, "paid"):
        raise invalid(f"A payout that is {payout['status']} does not fail.")
    payout |= {
        "status": "failed",
        "failure_code": "account_closed",
        "failure_message": "The bank account has been closed.",
    }
    return _back(call, payout, event="payout.failed")


def advance(call: Call) -> None:
    """Move every payout on as far as the clock has gone."""
    marks = ", ".join(f"'{status}'" for status in OPEN)
    found = call.store.select("payout", f"AND json_extract(body, '$.status') IN ({marks})", ())
    for payout in found:
        if payout["status"] == "pending" and payout["created"] + SUBMITTED_S <= call.now:
            _goes_on(call, payout, "in_transit", event="payout.updated")
        if payout["status"] == "in_transit" and payout["arrival_date"] <= call.now:
            _goes_on(call, payout, "paid", event="payout.paid")


def _goes_on(call: Call, payout: dict[str, Any], status: str, *, event: str) -> None:
    payout["status"] = status
    call.store.change(payout)
    events.announce(call, event, payout)


def _made(call: Call, money: str, amount: int, *, is_automatic: bool) -> dict[str, Any]:
    if amount > _available(call, money):
        raise invalid(
            "You have insufficient funds in your account for this payout.",
            param="amount",
            code="balance_insufficient",
        )
    payout = _shape(call, money, amount, is_automatic=is_automatic)
    payout["balance_transaction"] = _enter(call, payout, "payout", amount=-amount)
    call.store.add("payout", payout, account=call.account)
    events.announce(call, "payout.created", payout)
    return payout


def _back(call: Call, payout: dict[str, Any], *, event: str) -> dict[str, Any]:
    kind = "payout_failure" if payout["status"] == "failed" else "payout_cancel"
    payout["failure_balance_transaction"] = _enter(call, payout, kind, amount=payout["amount"])
    call.store.change(payout)
    events.announce(call, event, payout)
    return payout


def _available(call: Call, money: str) -> int:
    return books.balances(call.store, account=call.account, now=call.now).get(money, (0, 0))[0]


def _enter(call: Call, payout: dict[str, Any], kind: str, *, amount: int) -> str:
    entry = books.enter(
        call, kind, payout, amount=amount, available_on=call.now, account=call.account
    )
    books.post(
        call.store, f"{payout['id']}:{kind}", payout["currency"],
        {books.BANKS: -amount, call.account or books.PLATFORM: amount},
    )  # fmt: skip
    return entry


def _shape(call: Call, money: str, amount: int, *, is_automatic: bool) -> dict[str, Any]:
    given = call.params
    nothing = (
        "application_fee", "application_fee_amount", "failure_balance_transaction", "failure_code",
        "failure_message", "original_payout", "payout_method", "reversed_by",
    )  # fmt: skip
    return {
        "id": new_id("payout"),
        "object": "payout",
        **dict.fromkeys(nothing),
        "amount": amount,
        "arrival_date": (call.now // DAY_S + ARRIVES_DAYS) * DAY_S,
        "automatic": is_automatic,
        "balance_transaction": None,
        "created": call.now,
        "currency": money,
        "description": given.get("description"),
        "destination": "ba_standin",
        "livemode": False,
        "metadata": given.get("metadata", {}),
        "method": given.get("method", "standard"),
        "reconciliation_status": "in_progress" if is_automatic else "not_applicable",
        "source_type": given.get("source_type", "card"),
        "statement_descriptor": given.get("statement_descriptor"),
        "status": "pending",
        "trace_id": {"status": "pending", "value": None},
        "type": "bank_account",
    }
