"""The stand-in judged by the real SDK and its types, over HTTP, as its own process."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import stripe

from exchange.standins.stripe.specs import REQUIRED, SPECS
from tests.exchange.stripe_standin_factory import PAYMENT, books, look, paid, payee, refused
from tests.settlement import standin, stripe_params


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with standin.running_standin(tmp_path_factory.mktemp("standin")) as running:
        yield running


@pytest.fixture
def api(url: str) -> stripe.StripeClient:
    return standin.client(url)


def test_it_says_that_it_is_not_stripe(url: str) -> None:
    answer = look(url, "/_standin")
    assert answer["standin"] is True
    assert "not Stripe" in answer["what"]
    assert answer["api_version"] == "2026-10-28.endive"
    assert "POST /v1/transfers" in answer["operations"]


@pytest.mark.parametrize("operation", sorted(SPECS))
def test_it_knows_exactly_the_parameters_of_the_pinned_version(operation: str) -> None:
    shape = stripe_params.params_type(operation)
    assert stripe_params.names(shape) == set(SPECS[operation])
    assert stripe_params.required(shape) == REQUIRED.get(operation, frozenset())


def fields_of(shape: type) -> set[str]:
    return set(shape.__annotations__) - {"OBJECT_NAME", "deleted", "inner_class_types"}


async def test_its_objects_have_the_fields_of_the_sdks_classes(api: stripe.StripeClient) -> None:
    intent = await paid(api)
    charge = await api.v1.charges.retrieve_async(intent.latest_charge)
    account = await payee(api)
    transfer = await api.v1.transfers.create_async(
        {"amount": 5, "currency": "cny", "destination": account, "source_transaction": charge.id}
    )
    entry = await api.v1.balance_transactions.retrieve_async(transfer.balance_transaction)
    events = await api.v1.events.list_async({"limit": 1})
    shown = [
        intent, charge, transfer, entry, events.data[0],
        await api.v1.accounts.retrieve_async(account), await api.v1.balance.retrieve_async(),
    ]  # fmt: skip
    for thing in shown:
        assert set(thing.to_dict()) == fields_of(type(thing)), type(thing).__name__
    assert {type(thing) for thing in shown} == {
        stripe.PaymentIntent, stripe.Charge, stripe.Transfer, stripe.BalanceTransaction,
        stripe.Event, stripe.Account, stripe.Balance,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"payment_method_types": ["card"]}, "parameter_unknown", "payment_method_types"),
        ({"automatic_payment_methods": {"on": True}}, "parameter_unknown",
         "automatic_payment_methods[on]"),
        ({"application_fee_amount": 5}, "standin_unsupported", "application_fee_amount"),
        ({"amount": 1.5}, "parameter_invalid_integer", "amount"),
        ({"amount": 0}, "parameter_invalid_integer", "amount"),
        ({"amount": -5}, "parameter_invalid_integer", "amount"),
        ({"amount": 10**13}, "amount_too_large", "amount"),
        ({"currency": "zzz"}, None, "currency"),
        ({"currency": ""}, "parameter_invalid_empty", "currency"),
        ({"capture_method": "later"}, None, "capture_method"),
        ({"metadata": {"k" * 41: "v"}}, None, f"metadata[{'k' * 41}]"),
        ({"expand": ["nothing"]}, None, "expand"),
        ({"payment_method": "pm_unknown"}, "resource_missing", "payment_method"),
        ({"confirm": True}, None, "payment_method"),
    ],
)  # fmt: skip
async def test_parameters_that_do_not_fit_are_refused_by_name(
    api: stripe.StripeClient, changes: dict[str, Any], code: str | None, param: str
) -> None:
    error = await refused(api.v1.payment_intents.create_async({**PAYMENT, **changes}))
    assert isinstance(error, stripe.InvalidRequestError)
    assert (error.http_status, error.code, error.param) == (400, code, param)


async def test_a_missing_parameter_and_a_missing_object_are_told_apart(
    api: stripe.StripeClient,
) -> None:
    params: Any = {"amount": 5}
    error = await refused(api.v1.payment_intents.create_async(params))
    assert (error.http_status, error.code) == (400, "parameter_missing")
    error = await refused(api.v1.payment_intents.retrieve_async("pi_none"))
    assert (error.http_status, error.code) == (404, "resource_missing")
    error = await refused(api.v1.products.list_async())
    assert error.http_status == 404


async def test_live_keys_other_versions_and_nobody_are_turned_away(url: str) -> None:
    error = await refused(standin.client(url, api_key="sk_live_x").v1.balance.retrieve_async())
    assert isinstance(error, stripe.AuthenticationError)
    async with httpx.AsyncClient(base_url=url, trust_env=False) as plain:
        assert (await plain.get("/v1/balance")).status_code == 401
        old = {"Authorization": f"Bearer {standin.API_KEY}", "Stripe-Version": "2020-08-27"}
        assert (await plain.get("/v1/balance", headers=old)).status_code == 400


async def test_a_paid_card_stands_in_the_books_with_its_fee(
    url: str, api: stripe.StripeClient
) -> None:
    before = books(url)["accounts"].get("platform", {}).get("cny", 0)
    intent = await paid(api)
    assert (intent.status, intent.amount_received) == ("succeeded", 1_000_000)
    charge = await api.v1.charges.retrieve_async(
        intent.latest_charge, {"expand": ["balance_transaction"]}
    )
    entry = charge.balance_transaction
    assert (entry.amount, entry.fee, entry.net, entry.status) == (
        1_000_000, 29_030, 970_970, "pending",
    )  # fmt: skip
    shown = books(url)
    assert shown["accounts"]["platform"]["cny"] - before == 970_970
    assert {line["account"]: line["amount"] for line in shown["journals"][charge.id]} == {
        "cards": -1_000_000, "fees": 29_030, "platform": 970_970,
    }  # fmt: skip
    error = await refused(
        api.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    )
    assert error.code == "payment_intent_unexpected_state"
    error = await refused(api.v1.payment_intents.cancel_async(intent.id))
    assert error.code == "payment_intent_unexpected_state"


async def test_a_declined_card_moves_no_money_and_the_intent_stays_open(
    url: str, api: stripe.StripeClient
) -> None:
    intent = await api.v1.payment_intents.create_async(PAYMENT)
    error = await refused(
        api.v1.payment_intents.confirm_async(
            intent.id, {"payment_method": "pm_card_chargeDeclined"}
        )
    )
    assert isinstance(error, stripe.CardError)
    assert (error.http_status, error.code) == (402, "card_declined")
    after = await api.v1.payment_intents.retrieve_async(intent.id)
    assert after.status == "requires_payment_method"
    assert after.last_payment_error.decline_code == "generic_decline"
    charge = await api.v1.charges.retrieve_async(after.latest_charge)
    assert (charge.status, charge.paid) == ("failed", False)
    assert charge.id not in books(url)["journals"]
    again = await api.v1.payment_intents.confirm_async(
        intent.id, {"payment_method": "pm_card_visa"}
    )
    assert again.status == "succeeded"


async def test_a_canceled_intent_takes_no_money(api: stripe.StripeClient) -> None:
    intent = await api.v1.payment_intents.create_async(PAYMENT)
    done = await api.v1.payment_intents.cancel_async(
        intent.id, {"cancellation_reason": "duplicate"}
    )
    assert (done.status, done.cancellation_reason) == ("canceled", "duplicate")
    error = await refused(
        api.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    )
    assert error.code == "payment_intent_unexpected_state"


async def test_a_browser_confirms_with_the_client_secret_alone(
    url: str, api: stripe.StripeClient
) -> None:
    intent = await api.v1.payment_intents.create_async(PAYMENT)
    key = {"Authorization": f"Bearer {standin.PUBLISHABLE_KEY}"}
    async with httpx.AsyncClient(base_url=url, trust_env=False, headers=key) as browser:
        confirm = f"/v1/payment_intents/{intent.id}/confirm"
        given = {"payment_method": "pm_card_visa", "client_secret": f"{intent.id}_secret_guess"}
        assert (await browser.post(confirm, data=given)).status_code == 401
        assert (await browser.post("/v1/transfers", data=given)).status_code == 401
        answer = await browser.post(confirm, data={**given, "client_secret": intent.client_secret})
        assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert (await browser.options(confirm)).status_code == 200


async def test_a_transfer_needs_money_that_is_available(url: str, api: stripe.StripeClient) -> None:
    account = await payee(api)
    request: Any = {"amount": 900, "currency": "hkd", "destination": account}
    await paid(api, currency="hkd", amount=1_000)
    error = await refused(api.v1.transfers.create_async(request))
    assert error.code == "balance_insufficient"
    await paid(api, "pm_card_bypassPending", currency="hkd", amount=1_000)
    transfer = await api.v1.transfers.create_async(request)
    assert transfer.amount == 900
    assert books(url)["accounts"][account] == {"hkd": 900}
    own = await api.v1.balance.retrieve_async({}, {"stripe_account": account})
    assert [(held.amount, held.currency) for held in own.available] == [(900, "hkd")]


async def test_transfers_from_a_charge_are_at_most_its_amount(
    url: str, api: stripe.StripeClient
) -> None:
    charge = (await paid(api)).latest_charge
    first, second = await payee(api), await payee(api)
    request: Any = {"currency": "cny", "source_transaction": charge}
    await api.v1.transfers.create_async({**request, "amount": 700_000, "destination": first})
    error = await refused(
        api.v1.transfers.create_async({**request, "amount": 300_001, "destination": second})
    )
    assert (error.http_status, error.param) == (400, "amount")
    rest = await api.v1.transfers.create_async({**request, "destination": second})
    assert (rest.amount, rest.transfer_group) == (300_000, "deal-1")
    accounts = books(url)["accounts"]
    assert (accounts[first]["cny"], accounts[second]["cny"]) == (700_000, 300_000)


async def test_transfers_are_refused_to_whom_they_cannot_go(api: stripe.StripeClient) -> None:
    charge = (await paid(api)).latest_charge
    bare = (await api.v1.accounts.create_async({"country": "HK"})).id
    request: Any = {"amount": 5, "currency": "cny", "source_transaction": charge}
    wrong = [
        ({"destination": bare}, "insufficient_capabilities_for_transfer"),
        ({"destination": "acct_none"}, "resource_missing"),
        ({"destination": await payee(api), "source_transaction": "pi_1"}, "resource_missing"),
        ({"destination": await payee(api), "currency": "usd"}, None),
    ]
    for changes, code in wrong:
        error = await refused(api.v1.transfers.create_async({**request, **changes}))
        assert (error.http_status, error.code) == (400, code)


async def test_transfers_are_found_by_their_group(api: stripe.StripeClient) -> None:
    charge, account = (await paid(api)).latest_charge, await payee(api)
    made = [
        (
            await api.v1.transfers.create_async(
                {
                    "amount": 5, "currency": "cny", "destination": account,
                    "source_transaction": charge, "transfer_group": "look-up",
                    "metadata": {"intent_id": str(number)},
                }
            )
        ).id
        for number in range(5)
    ]  # fmt: skip
    first = await api.v1.transfers.list_async({"transfer_group": "look-up", "limit": 2})
    assert ([t.id for t in first.data], first.has_more) == (made[:2:-1], True)
    rest = await api.v1.transfers.list_async(
        {"transfer_group": "look-up", "limit": 10, "starting_after": made[3]}
    )
    assert ([t.id for t in rest.data], rest.has_more) == (made[2::-1], False)
    assert rest.data[0].metadata["intent_id"] == "2"
    every = [t.id async for t in first.auto_paging_iter()]
    assert every == made[::-1]
    newer = await api.v1.transfers.list_async(
        {"transfer_group": "look-up", "ending_before": made[1]}
    )
    assert [t.id for t in newer.data] == made[:1:-1]
    later = await api.v1.transfers.list_async({"created": {"gt": int(time.time()) + 10**9}})
    assert later.data == []
