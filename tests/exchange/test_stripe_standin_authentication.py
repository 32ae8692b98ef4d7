"""The stand-in's 3-D Secure and declines, judged by the real SDK over HTTP."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import stripe

from tests.exchange.stripe_standin_factory import PAYMENT, books, control, look, paid, refused
from tests.exchange.test_stripe_standin import fields_of
from tests.settlement import standin

ASKING = "pm_card_authenticationRequired"
RETURN = "https://exchange.example/back?deal=1"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with standin.running_standin(tmp_path_factory.mktemp("authentication")) as running:
        yield running


@pytest.fixture
def api(url: str) -> stripe.StripeClient:
    return standin.client(url)


def answered(url: str, intent: Any, *, succeeds: bool) -> None:
    control(url, f"/_payment_intents/{intent.id}/authentication", {"succeeds": succeeds})


async def seen(api: stripe.StripeClient, intent: Any) -> Any:
    return await api.v1.payment_intents.retrieve_async(intent.id)


async def told(api: stripe.StripeClient, intent: Any) -> list[str]:
    events = await api.v1.events.list_async({"limit": 100})
    about = [one for one in events.data[::-1] if one.type.startswith("payment_intent.")]
    return [one.type for one in about if one.data.object["id"] == intent.id]


@pytest.mark.parametrize("card", [ASKING, "pm_card_threeDSecure2Required"])
async def test_a_card_that_asks_moves_no_money_until_its_holder_agrees(
    url: str, api: stripe.StripeClient, card: str
) -> None:
    before = books(url)["journals"]
    intent = await paid(api, card)
    assert set(intent.to_dict()) == fields_of(type(intent))
    assert (intent.status, intent.amount_received, intent.latest_charge) == (
        "requires_action", 0, None,
    )  # fmt: skip
    assert intent.next_action.type == "use_stripe_sdk"
    assert books(url)["journals"] == before
    answered(url, intent, succeeds=True)
    after = await seen(api, intent)
    assert (after.status, after.amount_received, after.next_action) == (
        "succeeded", 1_000_000, None,
    )  # fmt: skip
    charge = await api.v1.charges.retrieve_async(after.latest_charge)
    assert charge.payment_method_details.card.three_d_secure.result == "authenticated"
    assert charge.payment_method == intent.payment_method
    assert charge.id in books(url)["journals"]
    assert await told(api, intent) == [
        "payment_intent.created", "payment_intent.requires_action", "payment_intent.succeeded",
    ]  # fmt: skip


async def test_a_holder_who_fails_leaves_the_payment_open_for_another_card(
    url: str, api: stripe.StripeClient
) -> None:
    before = books(url)["journals"]
    intent = await paid(api, ASKING)
    answered(url, intent, succeeds=False)
    after = await seen(api, intent)
    assert (after.status, after.payment_method, after.next_action) == (
        "requires_payment_method", None, None,
    )  # fmt: skip
    assert after.last_payment_error.code == "payment_intent_authentication_failure"
    assert books(url)["journals"] == before
    assert (await told(api, intent))[-1] == "payment_intent.payment_failed"
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        answered(url, intent, succeeds=True)
    again = await api.v1.payment_intents.confirm_async(
        intent.id, {"payment_method": "pm_card_visa"}
    )
    assert (again.status, again.last_payment_error) == ("succeeded", None)


async def test_a_card_may_be_authenticated_for_a_hold(url: str, api: stripe.StripeClient) -> None:
    intent = await paid(api, ASKING, capture_method="manual")
    assert intent.status == "requires_action"
    answered(url, intent, succeeds=True)
    held = await seen(api, intent)
    assert (held.status, held.amount_capturable) == ("requires_capture", 1_000_000)
    taken = await api.v1.payment_intents.capture_async(intent.id)
    assert (taken.status, taken.amount_received) == ("succeeded", 1_000_000)


async def test_an_agreed_payment_may_still_be_declined(url: str, api: stripe.StripeClient) -> None:
    intent = await paid(api, "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds")
    answered(url, intent, succeeds=True)
    after = await seen(api, intent)
    assert after.status == "requires_payment_method"
    assert (after.last_payment_error.code, after.last_payment_error.decline_code) == (
        "card_declined", "insufficient_funds",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("alone", "reason"),
    [
        ({"off_session": True}, "authentication_required"),
        ({"error_on_requires_action": True}, "authentication_not_handled"),
    ],
)
async def test_nobody_is_asked_where_the_holder_is_away(
    api: stripe.StripeClient, alone: Any, reason: str
) -> None:
    request: Any = {**PAYMENT, "payment_method": ASKING, "confirm": True, **alone}
    error = await refused(api.v1.payment_intents.create_async(request))
    assert isinstance(error, stripe.CardError)
    assert (error.http_status, error.code) == (402, "authentication_required")
    assert error.json_body["error"]["decline_code"] == reason
    declined = error.json_body["error"]["payment_intent"]["id"]
    intent = await api.v1.payment_intents.retrieve_async(declined)
    assert (intent.status, intent.next_action) == ("requires_payment_method", None)
    charge = await api.v1.charges.retrieve_async(intent.latest_charge)
    assert (charge.failure_code, charge.paid) == ("authentication_required", False)
    at_once = await api.v1.payment_intents.create_async(
        {**request, "payment_method": "pm_card_visa"}
    )
    assert at_once.status == "succeeded"


async def test_a_payment_that_is_canceled_while_its_holder_thinks_stays_canceled(
    url: str, api: stripe.StripeClient
) -> None:
    intent = await paid(api, ASKING)
    gone = await api.v1.payment_intents.cancel_async(intent.id)
    assert (gone.status, gone.next_action) == ("canceled", None)
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        answered(url, intent, succeeds=True)
    assert (await seen(api, intent)).status == "canceled"


@pytest.mark.parametrize(("answer", "word"), [("agree", "succeeded"), ("fail", "failed")])
async def test_a_holder_answers_on_a_page_and_comes_back(
    api: stripe.StripeClient, answer: str, word: str
) -> None:
    intent = await api.v1.payment_intents.create_async(PAYMENT)
    intent = await api.v1.payment_intents.confirm_async(
        intent.id, {"payment_method": ASKING, "return_url": RETURN}
    )
    action = intent.next_action.redirect_to_url
    assert (intent.next_action.type, action.return_url) == ("redirect_to_url", RETURN)
    async with httpx.AsyncClient(trust_env=False) as browser:
        asked = await browser.get(action.url)
        assert (asked.status_code, "not Stripe" in asked.text) == (200, True)
        assert "1000000 minor units of CNY" in asked.text
        gone = await browser.post(action.url, data={"answer": answer})
        back = urlsplit(gone.headers["location"])
        assert (gone.status_code, back.netloc) == (303, "exchange.example")
        assert parse_qs(back.query) == {
            "deal": ["1"], "payment_intent": [intent.id], "redirect_status": [word],
            "payment_intent_client_secret": [intent.client_secret],
        }  # fmt: skip
        assert (await browser.post(action.url, data={"answer": "agree"})).status_code == 400
    after = await seen(api, intent)
    assert after.status == ("succeeded" if answer == "agree" else "requires_payment_method")


async def test_a_way_back_is_the_address_of_a_page(api: stripe.StripeClient) -> None:
    intent = await api.v1.payment_intents.create_async(PAYMENT)
    for wrong in ("javascript:alert(1)", "nowhere"):
        error = await refused(
            api.v1.payment_intents.confirm_async(
                intent.id, {"payment_method": ASKING, "return_url": wrong}
            )
        )
        assert (error.http_status, error.code) == (400, "url_invalid")


@pytest.mark.parametrize(
    ("card", "code", "reason"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_visa_chargeDeclinedVelocityLimitExceeded", "card_declined",
         "card_velocity_exceeded"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
    ],
)  # fmt: skip
async def test_every_decline_has_its_codes(
    api: stripe.StripeClient, card: str, code: str, reason: str | None
) -> None:
    error = await refused(paid(api, card))
    assert isinstance(error, stripe.CardError)
    assert (error.http_status, error.code) == (402, code)
    assert error.json_body["error"].get("decline_code") == reason


def test_the_stand_in_says_how_its_holders_answer(url: str) -> None:
    assert any("3-D Secure asks on a page" in one for one in look(url, "/_standin")["differs"])
