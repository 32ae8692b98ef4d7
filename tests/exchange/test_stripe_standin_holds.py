"""What the stand-in's cards hold, judged by the real SDK over HTTP: captured, canceled, run out."""

from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from tests.exchange.stripe_standin_factory import books, control, look, paid, refused
from tests.exchange.test_stripe_standin import fields_of
from tests.settlement import standin

WEEK_S = 7 * 86_400


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with standin.running_standin(tmp_path_factory.mktemp("holds")) as running:
        yield running


@pytest.fixture
def api(url: str) -> stripe.StripeClient:
    return standin.client(url)


async def held(api: stripe.StripeClient, **changes: Any) -> Any:
    return await paid(api, capture_method="manual", **changes)


async def charge_of(api: stripe.StripeClient, intent: Any) -> Any:
    return await api.v1.charges.retrieve_async(intent.latest_charge)


async def test_a_card_holds_for_seven_days_and_moves_no_money(
    url: str, api: stripe.StripeClient
) -> None:
    before = books(url)["journals"]
    intent = await held(api)
    assert (intent.status, intent.amount_capturable, intent.amount_received) == (
        "requires_capture", 1_000_000, 0,
    )  # fmt: skip
    charge = await charge_of(api, intent)
    until = charge.payment_method_details.card.capture_before
    assert until == charge.created + WEEK_S
    assert (charge.captured, charge.amount_captured, charge.balance_transaction) == (False, 0, None)
    assert books(url)["journals"] == before
    error = await refused(api.v1.refunds.create_async({"payment_intent": intent.id}))
    assert error.http_status == 400


async def test_what_is_captured_is_taken_once_and_the_rest_is_let_go(
    url: str, api: stripe.StripeClient
) -> None:
    intent = await held(api)
    error = await refused(
        api.v1.payment_intents.capture_async(intent.id, {"amount_to_capture": 1_000_001})
    )
    assert error.code == "amount_too_large"
    taken = await api.v1.payment_intents.capture_async(intent.id, {"amount_to_capture": 400_000})
    assert set(taken.to_dict()) == fields_of(type(taken))
    assert (taken.status, taken.amount_capturable, taken.amount_received) == (
        "succeeded", 0, 400_000,
    )  # fmt: skip
    charge = await charge_of(api, intent)
    fee = 400_000 * 290 // 10_000 + 30
    assert books(url)["journals"][charge.id] == [
        {"account": "cards", "currency": "cny", "amount": -400_000},
        {"account": "fees", "currency": "cny", "amount": fee},
        {"account": "platform", "currency": "cny", "amount": 400_000 - fee},
    ]
    again = await refused(api.v1.payment_intents.capture_async(intent.id))
    assert again.code == "payment_intent_unexpected_state"
    over = await refused(
        api.v1.refunds.create_async({"payment_intent": intent.id, "amount": 400_001})
    )
    assert over.http_status == 400
    await paid(api)  # the balance bears the fee that a refund does not give back
    await api.v1.refunds.create_async({"payment_intent": intent.id})
    assert (await charge_of(api, intent)).refunded


async def test_a_hold_that_is_canceled_cannot_be_captured(
    url: str, api: stripe.StripeClient
) -> None:
    intent = await held(api)
    gone = await api.v1.payment_intents.cancel_async(
        intent.id, {"cancellation_reason": "abandoned"}
    )
    assert (gone.status, gone.amount_capturable) == ("canceled", 0)
    for call in (
        api.v1.payment_intents.capture_async(intent.id),
        api.v1.payment_intents.cancel_async(intent.id),
        api.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"}),
    ):
        assert (await refused(call)).code == "payment_intent_unexpected_state"
    assert (await charge_of(api, intent)).id not in books(url)["journals"]


async def test_a_hold_runs_out_by_the_stand_ins_clock_and_is_told(
    url: str, api: stripe.StripeClient
) -> None:
    intent = await held(api)
    control(url, "/_clock", {"advance_s": WEEK_S - 60})
    seen = await api.v1.payment_intents.retrieve_async(intent.id)
    assert seen.status == "requires_capture"
    control(url, "/_clock", {"advance_s": 61})
    seen = await api.v1.payment_intents.retrieve_async(intent.id)
    assert (seen.status, seen.cancellation_reason) == ("canceled", "automatic")
    told = await api.v1.events.list_async({"type": "payment_intent.canceled", "limit": 10})
    assert [one.data.object["id"] for one in told.data].count(intent.id) == 1
    assert (await charge_of(api, intent)).refunded


async def test_the_stand_in_says_what_it_holds(url: str) -> None:
    said = look(url, "/_standin")
    assert "POST /v1/payment_intents/{id}/capture" in said["operations"]
    assert any("holds for seven days" in one for one in said["differs"])
