"""Every operation: method, path, name, and the function that carries it out."""

from collections.abc import Callable
from dataclasses import dataclass

from exchange.standins.stripe import (
    accounts,
    books,
    cash,
    customers,
    holds,
    links,
    onboarding,
    payments,
    payouts,
    reads,
    recipients,
    refunds,
    reversals,
    thin,
    transfers,
)
from exchange.standins.stripe.call import Answer, Call


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API; `{id}` in the path is the object's."""

    method: str
    path: str
    name: str
    run: Callable[[Call], Answer]


def _one(kind: str) -> Callable[[Call], Answer]:
    return lambda call: Answer(200, reads.retrieve(call, kind))


def _many(kind: str, path: str) -> Callable[[Call], Answer]:
    return lambda call: Answer(200, reads.page(call, kind, path))


def _both(noun: str, kind: str) -> tuple[Operation, Operation]:
    path = f"/v1/{noun}"
    return (
        Operation("GET", path, f"{noun}.list", _many(kind, path)),
        Operation("GET", path + "/{id}", f"{noun}.retrieve", _one(kind)),
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation("POST", "/v1/accounts", "accounts.create", lambda c: Answer(200, accounts.create(c))),
    Operation("GET", "/v1/accounts", "accounts.list", _many("account", "/v1/accounts")),
    Operation("GET", "/v1/accounts/{id}", "accounts.retrieve",
              lambda c: Answer(200, onboarding.retrieve_v1(c))),
    Operation("POST", "/v1/account_links", "account_links.create",
              lambda c: Answer(200, links.create(c))),
    Operation("POST", "/v2/core/accounts", "v2.core.accounts.create",
              lambda c: Answer(200, recipients.create(c))),
    Operation("GET", "/v2/core/accounts/{id}", "v2.core.accounts.retrieve",
              lambda c: Answer(200, recipients.retrieve(c))),
    Operation("POST", "/v2/core/account_links", "v2.core.account_links.create",
              lambda c: Answer(200, links.create_v2(c))),
    Operation("GET", "/v2/core/events", "v2.core.events.list",
              lambda c: Answer(200, thin.page(c))),
    Operation("GET", "/v2/core/events/{id}", "v2.core.events.retrieve",
              lambda c: Answer(200, thin.retrieve(c))),
    Operation("POST", "/v1/payment_intents", "payment_intents.create", payments.create),
    Operation("GET", "/v1/payment_intents", "payment_intents.list",
              _many("payment_intent", "/v1/payment_intents")),
    Operation("GET", "/v1/payment_intents/{id}", "payment_intents.retrieve", payments.retrieve),
    Operation("POST", "/v1/payment_intents/{id}/confirm", "payment_intents.confirm",
              payments.confirm),
    Operation("POST", "/v1/payment_intents/{id}/capture", "payment_intents.capture",
              holds.capture),
    Operation("POST", "/v1/payment_intents/{id}/cancel", "payment_intents.cancel", payments.cancel),
    Operation("POST", "/v1/customers", "customers.create",
              lambda c: Answer(200, customers.create(c))),
    *_both("customers", "customer"),
    Operation("GET", "/v1/customers/{id}/cash_balance", "customer_cash_balances.retrieve",
              lambda c: Answer(200, cash.retrieve(c))),
    Operation("GET", "/v1/customers/{id}/cash_balance_transactions",
              "customer_cash_balance_transactions.list", lambda c: Answer(200, cash.page(c))),
    Operation("POST", "/v1/test_helpers/customers/{id}/fund_cash_balance",
              "test_helpers.customers.fund_cash_balance", lambda c: Answer(200, cash.fund(c))),
    *_both("charges", "charge"),
    Operation("POST", "/v1/transfers", "transfers.create",
              lambda c: Answer(200, transfers.create(c))),
    *_both("transfers", "transfer"),
    Operation("POST", "/v1/transfers/{id}/reversals", "transfer_reversals.create",
              lambda c: Answer(200, reversals.create(c))),
    Operation("GET", "/v1/transfers/{id}/reversals", "transfer_reversals.list",
              lambda c: Answer(200, reversals.page(c))),
    Operation("POST", "/v1/refunds", "refunds.create", lambda c: Answer(200, refunds.create(c))),
    *_both("refunds", "refund"),
    *_both("disputes", "dispute"),
    Operation("POST", "/v1/payouts", "payouts.create", lambda c: Answer(200, payouts.create(c))),
    Operation("POST", "/v1/payouts/{id}/cancel", "payouts.cancel",
              lambda c: Answer(200, payouts.cancel(c))),
    *_both("payouts", "payout"),
    Operation("GET", "/v1/balance", "balance.retrieve",
              lambda c: Answer(200, books.retrieve_balance(c))),
    *_both("balance_transactions", "balance_transaction"),
    *_both("events", "event"),
)  # fmt: skip
