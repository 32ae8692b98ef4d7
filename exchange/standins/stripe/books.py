"""The stand-in's own double-entry books, kept apart from the objects it shows.

Accounts: `cards` (what card holders paid in), `fees` (what the provider earned), `banks` (what was
paid out, less what customers sent), `platform`, one per connected account, per customer (its cash
balance) and per payment intent that waits for the rest of a bank transfer. A credit is positive:
what the provider owes to the account's owner.
"""

from collections.abc import Mapping
from typing import Any

from exchange.standins.stripe.call import Call
from exchange.standins.stripe.store import Store, new_id

CARDS, FEES, BANKS, PLATFORM = "cards", "fees", "banks", "platform"


def post(store: Store, journal: str, currency: str, amounts: Mapping[str, int]) -> None:
    """Enter one journal.

    Raises:
        ValueError: the amounts do not add up to nothing (a bug).
    """
    if sum(amounts.values()):
        raise ValueError(f"journal {journal} does not balance: {amounts}")
    for account, amount in amounts.items():
        store.db.execute(
            "INSERT INTO posting (journal, account, currency, amount) VALUES (?, ?, ?, ?)",
            (journal, account, currency, amount),
        )


def enter(
    call: Call, kind: str, source: Mapping[str, Any], *, amount: int, available_on: int,
    fee: int = 0, account: str = "",
) -> str:  # fmt: skip
    """Add the balance transaction of what moved money; return its id."""
    currency = source["currency"]
    details = {"amount": fee, "application": None, "currency": currency,
               "description": "Processing fee", "type": "stripe_fee"}  # fmt: skip
    entry = {
        "id": new_id("balance_transaction"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": available_on,
        "balance_type": "payments",
        "created": call.now,
        "currency": currency,
        "description": source.get("description"),
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [details] if fee else [],
        "net": amount - fee,
        "reporting_category": "charge" if kind == "payment" else kind,
        "source": source["id"],
        "status": "pending",
        "type": kind,
    }
    call.store.add("balance_transaction", entry, account=account)
    return str(entry["id"])


def balances(store: Store, *, account: str, now: int) -> dict[str, tuple[int, int]]:
    """Return (available, pending) per currency of the platform ("") or a connected account."""
    rows = store.db.execute(
        "SELECT json_extract(body, '$.currency'), "
        "sum(CASE WHEN json_extract(body, '$.available_on') <= ?1 "
        "THEN json_extract(body, '$.net') ELSE 0 END), "
        "sum(CASE WHEN json_extract(body, '$.available_on') > ?1 "
        "THEN json_extract(body, '$.net') ELSE 0 END) "
        "FROM object WHERE kind = 'balance_transaction' AND account = ?2 GROUP BY 1 ORDER BY 1",
        (now, account),
    )
    return {currency: (available, pending) for currency, available, pending in rows}


def retrieve_balance(call: Call) -> dict[str, Any]:
    """Show the balance of the platform or of the account in `Stripe-Account`."""
    held = balances(call.store, account=call.account, now=call.now) or {"usd": (0, 0)}

    def shown(place: int) -> list[dict[str, Any]]:
        return [
            {"amount": sums[place], "currency": currency, "source_types": {"card": sums[place]}}
            for currency, sums in held.items()
        ]

    return {
        "object": "balance",
        "available": shown(0),
        "connect_reserved": [
            {"amount": 0, "currency": currency, "source_types": {"card": 0}} for currency in held
        ],
        "instant_available": [],
        "issuing": None,
        "livemode": False,
        "pending": shown(1),
        "refund_and_dispute_prefunding": None,
    }


def show(store: Store, *, now: int) -> dict[str, Any]:
    """Return the books: sums per account and currency, journals, and whether they agree."""
    rows = store.db.execute("SELECT journal, account, currency, amount FROM posting ORDER BY turn")
    accounts: dict[str, dict[str, int]] = {}
    journals: dict[str, list[dict[str, Any]]] = {}
    totals: dict[str, int] = {}
    for journal, account, currency, amount in rows:
        sums = accounts.setdefault(account, {})
        sums[currency] = sums.get(currency, 0) + amount
        totals[currency] = totals.get(currency, 0) + amount
        entry = {"account": account, "currency": currency, "amount": amount}
        journals.setdefault(journal, []).append(entry)
    shown = {
        name: _shown(store, name, now)
        for name in accounts
        if name == PLATFORM or name.startswith("acct_")
    }
    return {
        "accounts": accounts,
        "totals": totals,
        "balanced": not any(totals.values()),
        "agrees_with_balance_transactions": all(
            sums == accounts[name] for name, sums in shown.items()
        ),
        "agrees_with_cash_balances": all(
            sums == _cash(store, name) for name, sums in accounts.items() if name[:4] == "cus_"
        ),
        "journals": journals,
    }


def _cash(store: Store, customer: str) -> dict[str, int]:
    """Return what the newest movement of each currency says is left."""
    moved = store.select(
        "customer_cash_balance_transaction",
        "AND json_extract(body, '$.customer') = ? ORDER BY turn",
        (customer,),
    )
    return {one["currency"]: one["ending_balance"] for one in moved}


def _shown(store: Store, name: str, now: int) -> dict[str, int]:
    held = balances(store, account="" if name == PLATFORM else name, now=now)
    return {currency: available + pending for currency, (available, pending) in held.items()}
