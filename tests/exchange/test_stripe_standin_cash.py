"""The stand-in's bank transfers and cash balances, judged by the real SDK and by its own books."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import stripe

from exchange.standins.stripe import addresses
from tests.exchange.stripe_standin_factory import books, look, refused
from tests.exchange.test_stripe_standin import fields_of
from tests.settlement import standin

DUE = 100_000
FEE = DUE * 290 // 10_000 + 30
BY_BANK = {
    "payment_method_data": {"type": "customer_balance"},
    "payment_method_options": {
        "customer_balance": {
            "funding_type": "bank_transfer",
            "bank_transfer": {"type": "us_bank_transfer"},
        }
    },
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with standin.running_standin(tmp_path_factory.mktemp("cash")) as running:
        yield running


@pytest.fixture
def api(url: str) -> stripe.StripeClient:
    return standin.client(url)


async def customer(api: stripe.StripeClient) -> str:
    made = await api.v1.customers.create_async({"name": "示范频道", "metadata": {"party": "1"}})
    return str(made.id)


async def asked(api: stripe.StripeClient, payer: str, **changes: Any) -> Any:
    request: Any = {
        "amount": DUE, "currency": "usd", "customer": payer, "confirm": True,
        "allowed_payment_method_types": ["customer_balance"], "transfer_group": "deal-1",
        **BY_BANK, **changes,
    }  # fmt: skip
    return await api.v1.payment_intents.create_async(request)


async def sent(api: stripe.StripeClient, payer: str, amount: int, **more: Any) -> Any:
    given: Any = {"amount": amount, "currency": "usd", **more}
    return await api.v1.test_helpers.customers.fund_cash_balance_async(payer, given)


async def seen(api: stripe.StripeClient, intent: Any) -> Any:
    return await api.v1.payment_intents.retrieve_async(intent.id)


async def cash(api: stripe.StripeClient, payer: str) -> Any:
    shown = await api.v1.customers.cash_balance.retrieve_async(payer)
    assert set(shown.to_dict()) == fields_of(type(shown))
    return shown.available and shown.available.to_dict()


async def moved(api: stripe.StripeClient, payer: str) -> list[tuple[str, int, int]]:
    rows = await api.v1.customers.cash_balance_transactions.list_async(payer, {"limit": 100})
    return [(one.type, one.net_amount, one.ending_balance) for one in rows.data[::-1]]


def shown_books(url: str) -> dict[str, Any]:
    shown = books(url)
    assert shown["agrees_with_cash_balances"]
    return shown


def missing(intent: Any) -> int:
    return int(intent.next_action.display_bank_transfer_instructions.amount_remaining)


async def test_a_transfer_of_exactly_the_amount_pays(url: str, api: stripe.StripeClient) -> None:
    payer = await customer(api)
    intent = await asked(api, payer)
    assert set(intent.to_dict()) == fields_of(type(intent))
    assert (intent.status, intent.next_action.type, missing(intent)) == (
        "requires_action", "display_bank_transfer_instructions", DUE,
    )  # fmt: skip
    said = intent.next_action.display_bank_transfer_instructions
    assert said.financial_addresses[0].aba.bank_name == "STAND-IN BANK"
    arrived = await sent(api, payer, DUE)
    assert set(arrived.to_dict()) == fields_of(type(arrived))
    assert arrived.funded.bank_transfer.type == "us_bank_transfer"
    after = await seen(api, intent)
    assert (after.status, after.amount_received, after.next_action) == ("succeeded", DUE, None)
    charge = await api.v1.charges.retrieve_async(after.latest_charge)
    assert set(charge.to_dict()) == fields_of(type(charge))
    assert (charge.payment_method_details.type, charge.customer) == ("customer_balance", payer)
    assert await moved(api, payer) == [("funded", DUE, DUE), ("applied_to_payment", -DUE, 0)]
    assert await cash(api, payer) == {"usd": 0}
    assert shown_books(url)["journals"][charge.id] == [
        {"account": intent.id, "currency": "usd", "amount": -DUE},
        {"account": "fees", "currency": "usd", "amount": FEE},
        {"account": "platform", "currency": "usd", "amount": DUE - FEE},
    ]
    assert shown_books(url)["accounts"][intent.id] == {"usd": 0}


async def test_too_little_leaves_the_payment_waiting_for_the_rest(
    url: str, api: stripe.StripeClient
) -> None:
    payer = await customer(api)
    intent = await asked(api, payer)
    await sent(api, payer, 30_000)
    part = await seen(api, intent)
    assert (part.status, part.amount_received, missing(part)) == ("requires_action", 0, 70_000)
    assert shown_books(url)["accounts"][intent.id] == {"usd": 30_000}
    await sent(api, payer, 69_999)
    assert missing(await seen(api, intent)) == 1
    await sent(api, payer, 1)
    assert (await seen(api, intent)).status == "succeeded"
    events = await api.v1.events.list_async({"limit": 100})
    payments = [one for one in events.data[::-1] if one.type.startswith("payment_intent.")]
    about = [one.type for one in payments if one.data.object["id"] == intent.id]
    assert about == [
        "payment_intent.created", "payment_intent.requires_action",
        "payment_intent.partially_funded", "payment_intent.partially_funded",
        "payment_intent.succeeded",
    ]  # fmt: skip


async def test_too_much_stays_in_the_cash_balance_and_pays_the_next_one(
    url: str, api: stripe.StripeClient
) -> None:
    payer = await customer(api)
    first = await asked(api, payer)
    await sent(api, payer, DUE + 40_000)
    assert (await seen(api, first)).amount_received == DUE
    assert await cash(api, payer) == {"usd": 40_000}
    assert shown_books(url)["accounts"][payer] == {"usd": 40_000}
    told = await api.v1.events.list_async({"type": "cash_balance.funds_available", "limit": 1})
    assert told.data[0].data.object["available"]["usd"] == 40_000
    second = await asked(api, payer)
    assert (second.status, missing(second)) == ("requires_action", 60_000)
    small = await asked(api, payer, amount=1)
    assert missing(small) == 1  # the second took what was there
    await sent(api, payer, 60_000)
    assert [(await seen(api, one)).status for one in (second, small)] == [
        "succeeded", "requires_action",
    ]  # fmt: skip


async def test_a_cash_balance_that_covers_pays_at_once(api: stripe.StripeClient) -> None:
    payer = await customer(api)
    assert await cash(api, payer) is None
    await sent(api, payer, DUE)
    intent = await asked(api, payer, payment_method_options={})
    assert (intent.status, intent.next_action) == ("succeeded", None)
    assert await cash(api, payer) == {"usd": 0}


async def test_a_transfer_goes_to_whom_it_names_then_to_its_amount_then_to_the_oldest(
    api: stripe.StripeClient,
) -> None:
    payer = await customer(api)
    intents = [await asked(api, payer, amount=amount) for amount in (500, 600, 700)]
    oldest, exact, named = intents
    said = named.next_action.display_bank_transfer_instructions
    await sent(api, payer, 600, reference=f"invoice {said.reference.lower()}")
    assert missing(await seen(api, named)) == 100
    await sent(api, payer, 600)
    assert (await seen(api, exact)).status == "succeeded"
    await sent(api, payer, 550)
    assert (await seen(api, oldest)).status == "succeeded"
    assert missing(await seen(api, named)) == 50


async def test_money_of_others_and_other_currencies_pays_nothing(
    api: stripe.StripeClient,
) -> None:
    payer, other = await customer(api), await customer(api)
    intent = await asked(api, payer)
    await sent(api, other, DUE)
    await sent(api, payer, DUE, currency="eur")
    assert missing(await seen(api, intent)) == DUE
    assert (await cash(api, other), await cash(api, payer)) == ({"usd": DUE}, {"eur": DUE})


async def test_a_canceled_payment_gives_back_what_it_took(
    url: str, api: stripe.StripeClient
) -> None:
    payer = await customer(api)
    intent = await asked(api, payer)
    await sent(api, payer, 30_000)
    gone = await api.v1.payment_intents.cancel_async(intent.id)
    assert (gone.status, gone.next_action) == ("canceled", None)
    assert await cash(api, payer) == {"usd": 30_000}
    assert (await moved(api, payer))[-1] == ("unapplied_from_payment", 30_000, 30_000)
    assert shown_books(url)["accounts"][intent.id] == {"usd": 0}
    await sent(api, payer, DUE)
    assert (await seen(api, intent)).status == "canceled"


async def test_a_payment_that_waits_for_a_transfer_may_be_paid_by_card(
    url: str, api: stripe.StripeClient
) -> None:
    payer = await customer(api)
    intent = await asked(api, payer, allowed_payment_method_types=["card", "customer_balance"])
    await sent(api, payer, 30_000)
    done = await api.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    assert (done.status, done.amount_received) == ("succeeded", DUE)
    assert await cash(api, payer) == {"usd": 30_000}
    assert shown_books(url)["accounts"][intent.id] == {"usd": 0}


async def test_a_refund_goes_to_the_cash_balance_and_no_transfer_is_disputed(
    url: str, api: stripe.StripeClient
) -> None:
    payer = await customer(api)
    intent = await asked(api, payer)
    await sent(api, payer, DUE)
    before = shown_books(url)["accounts"]["platform"]["usd"]
    refund = await api.v1.refunds.create_async({"payment_intent": intent.id, "amount": 400})
    assert set(refund.to_dict()) == fields_of(type(refund))
    assert refund.destination_details.type == "customer_balance"
    assert await cash(api, payer) == {"usd": 400}
    assert (await moved(api, payer))[-1] == ("refunded_from_payment", 400, 400)
    assert shown_books(url)["accounts"]["platform"]["usd"] == before - 400
    charge = (await seen(api, intent)).latest_charge
    async with httpx.AsyncClient(base_url=url, trust_env=False) as plain:
        for path, given in (
            (f"/_refunds/{refund.id}/failure", {}),
            ("/_disputes", {"charge": charge}),
        ):
            assert (await plain.post(path, json=given)).status_code == 400


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"customer": "cus_none"}, "customer"),
        ({"currency": "cny"}, "currency"),
        ({"currency": "eur"}, "payment_method_options[customer_balance][bank_transfer][type]"),
        ({"payment_method_options": {}}, "payment_method_options[customer_balance][funding_type]"),
        ({"capture_method": "manual"}, "capture_method"),
        ({"allowed_payment_method_types": ["card"]}, "payment_method"),
        ({"payment_method": "pm_card_visa"}, "payment_method"),
        ({"payment_method_data": {"type": "alipay"}}, "payment_method_data[type]"),
    ],
)
async def test_what_no_bank_transfer_can_pay_is_refused(
    api: stripe.StripeClient, changes: Any, param: str
) -> None:
    error = await refused(asked(api, await customer(api), **changes))
    assert isinstance(error, stripe.InvalidRequestError)
    assert (error.http_status, error.param) == (400, param)


async def test_a_transfer_needs_its_customer(api: stripe.StripeClient) -> None:
    request: Any = {"amount": DUE, "currency": "usd", "confirm": True, **BY_BANK,
                    "allowed_payment_method_types": ["customer_balance"]}  # fmt: skip
    error = await refused(api.v1.payment_intents.create_async(request))
    assert error.http_status == 400
    error = await refused(sent(api, "cus_none", 5))
    assert (error.http_status, error.code) == (404, "resource_missing")
    error = await refused(sent(api, await customer(api), 5, currency="cny"))
    assert error.http_status == 400


async def test_a_customer_has_the_fields_of_the_sdks_class(api: stripe.StripeClient) -> None:
    payer = await customer(api)
    shown = await api.v1.customers.retrieve_async(payer)
    # Stripe shows these only to who expands them; the stand-in expands them for nobody.
    hidden = {"cash_balance", "sources", "subscriptions", "tax", "tax_ids"}
    assert set(shown.to_dict()) == fields_of(type(shown)) - hidden
    listed = await api.v1.customers.list_async({"limit": 1})
    assert (listed.data[0].id, listed.data[0].name) == (payer, "示范频道")
    await asked(api, payer)
    theirs = await api.v1.payment_intents.list_async({"customer": payer})
    assert [one.customer for one in theirs.data] == [payer]


async def test_a_customer_transfers_on_a_page(api: stripe.StripeClient) -> None:
    intent = await asked(api, await customer(api))
    page = intent.next_action.display_bank_transfer_instructions.hosted_instructions_url
    async with httpx.AsyncClient(trust_env=False) as browser:
        shown = await browser.get(page)
        assert f"{DUE} minor units of USD" in shown.text
        assert (await browser.post(page)).status_code == 303
        assert "succeeded" in (await browser.get(page)).text
    assert (await seen(api, intent)).status == "succeeded"


def test_an_iban_has_its_check_digits() -> None:
    # Source: ISO 13616's example of Germany.
    assert addresses.iban("DE", "370400440532013000") == "DE89370400440532013000"


def test_the_stand_in_says_where_its_transfers_come_from(url: str) -> None:
    said = look(url, "/_standin")
    assert any("Bank transfers arrive by the test helper" in one for one in said["differs"])
    assert "GET /v1/customers/{id}/cash_balance" in said["operations"]
