"""The gateway over the real SDK, whose HTTP transport is replaced at the lowest seam."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import httpx
import pytest

from contracts.money import Money
from settlement.outbound import rules as outbound
from settlement.outbound.rules import Lost, Made, Rejected
from settlement.stripe.gateway import API_VERSION, AnswerLost, StripeGateway, open_gateway
from tests.settlement import stripe_params

NAMES = {"deal": "d", "payout": "p", "payment": "x", "intent_id": "i"}
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    outbound.CREATE_PAYMENT: (
        "payment_intents.create",
        outbound.payment_params(
            amount_minor=120_000_000,
            currency="CNY",
            deal_id=UUID(int=1),
            description="UHDX-2026-000001",
            names=NAMES,
        ),
    ),
    outbound.CREATE_ACCOUNT: (
        "accounts.create",
        outbound.account_params(country="HK", names={"party": "p", "intent_id": "i"}),
    ),
    outbound.CREATE_TRANSFER: (
        "transfers.create",
        outbound.transfer_params(
            amount_minor=1, currency="CNY", account="acct_1", charge="ch_1", names=NAMES
        ),
    ),
    outbound.CREATE_REFUND: (
        "refunds.create",
        outbound.refund_params(payment_intent="pi_1", amount_minor=1, names=NAMES),
    ),
    outbound.REVERSE_TRANSFER: (
        "transfer_reversals.create",
        outbound.reversal_params(transfer="tr_1", amount_minor=1, names=NAMES),
    ),
    outbound.CREATE_PAYOUT: (
        "payouts.create",
        outbound.payout_params(amount_minor=1, currency="CNY", descriptor="S1", names=NAMES),
    ),
    outbound.HOLD_PAYMENT: (
        "payment_intents.create",
        outbound.hold_params(
            amount_minor=1,
            currency="CNY",
            is_captured_at_once=False,
            description="保证金",
            names={"hold": "h", "intent_id": "i"},
        ),
    ),
    outbound.CONFIRM_PAYMENT: (
        "payment_intents.confirm",
        outbound.confirm_params(payment_intent="pi_1", payment_method="pm_card_visa"),
    ),
    outbound.CAPTURE_PAYMENT: (
        "payment_intents.capture",
        outbound.capture_params(payment_intent="pi_1", amount_minor=1),
    ),
    outbound.CANCEL_PAYMENT: (
        "payment_intents.cancel",
        outbound.cancel_params(payment_intent="pi_1"),
    ),
}
Handler = Callable[[httpx.Request], httpx.Response | Awaitable[httpx.Response]]


def gateway(handler: Handler) -> StripeGateway:
    opened = open_gateway(api_key="sk_test_x", api_base="http://127.0.0.1:1/")
    http: Any = opened._http
    http._client_async = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    return opened


def answering(status: int, body: Any, **headers: str) -> Handler:
    return lambda request: httpx.Response(status, json=body, headers=headers, request=request)


def error(status: int, type: str = "invalid_request_error") -> Handler:
    return answering(status, {"error": {"type": type, "message": "no", "code": "some_code"}})


async def create(handler: Handler, op: str = outbound.CREATE_TRANSFER) -> outbound.Answer:
    return await gateway(handler).create(op, REQUESTS[op][1], idem_key="key:1")


@pytest.mark.parametrize("op", outbound.OPS)
def test_every_request_fits_the_types_of_the_pinned_sdk(op: str) -> None:
    operation, params = REQUESTS[op]
    assert stripe_params.OPERATIONS[op] == operation
    assert stripe_params.faults_of(op, params) == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"payment_method_types": ["card"]}, "payment_method_types: unknown parameter"),
        ({"amount": "1"}, "amount: not int"),
        ({"metadata": "x"}, "metadata"),
    ],
)
async def test_a_wrong_request_fails_the_test_that_sends_it(
    wrong: dict[str, Any], told: str
) -> None:
    """Every request of every test is checked on its way out of the SDK (tests/conftest.py)."""
    op, params = outbound.CREATE_PAYMENT, REQUESTS[outbound.CREATE_PAYMENT][1]
    opened = gateway(answering(200, {"id": "pi_1", "object": "payment_intent"}))
    with pytest.raises(stripe_params.WrongRequestError, match=told):
        await opened.create(op, {**params, **wrong}, idem_key="key:1")
    with pytest.raises(stripe_params.WrongRequestError, match=r"\[amount\]: missing"):
        short = {name: value for name, value in params.items() if name != "amount"}
        await opened.create(op, short, idem_key="key:1")


@pytest.mark.parametrize("op", outbound.OPS)
async def test_an_object_that_was_made_is_told_with_its_id(op: str) -> None:
    made = {"id": "x_1", "object": op.split(".")[0], "client_secret": "s"}
    answer = await create(answering(200, made), op)
    if op in outbound.STEPS:
        assert answer == Made(f"pi_1/{op.rpartition('.')[2]}")
        return
    has_secret = op in (outbound.CREATE_PAYMENT, outbound.HOLD_PAYMENT)
    assert answer == Made("x_1", "s" if has_secret else None)


async def test_a_request_carries_key_version_and_form_and_no_telemetry() -> None:
    heard: list[httpx.Request] = []

    def listen(request: httpx.Request) -> httpx.Response:
        heard.append(request)
        return httpx.Response(200, json={"id": "tr_1", "object": "transfer"})

    await create(listen)
    await create(listen)
    headers, form = heard[1].headers, dict(parse_qsl(heard[1].content.decode()))
    assert headers["idempotency-key"] == "key:1"
    assert headers["stripe-version"] == API_VERSION
    assert headers["authorization"] == "Bearer sk_test_x"
    assert "x-stripe-client-telemetry" not in headers
    assert form["source_transaction"] == "ch_1"
    assert form["metadata[intent_id]"] == "i"


@pytest.mark.parametrize(
    ("handler", "final"),
    [
        (error(400), True),
        (error(402, "card_error"), True),
        (error(404), True),
        (error(401), False),
        (error(403), False),
        (error(429), False),
    ],
)
async def test_a_definite_no_is_told_as_one(handler: Handler, final: bool) -> None:
    answer = await create(handler)
    assert isinstance(answer, Rejected)
    assert answer.final is final
    assert str(answer.fault).split()[1].isdigit()


@pytest.mark.parametrize(
    "handler",
    [
        error(500, "api_error"),
        error(502, "api_error"),
        error(409, "api_error"),
        error(400, "idempotency_error"),
        lambda request: httpx.Response(200, content=b"<html>", request=request),
        lambda request: httpx.Response(504, content=b"", request=request),
    ],
)
async def test_an_answer_that_proves_nothing_is_lost(handler: Handler) -> None:
    assert isinstance(await create(handler), Lost)


@pytest.mark.parametrize(
    "failure",
    [httpx.ConnectError, httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError],
)
async def test_a_connection_that_breaks_loses_the_answer(
    failure: type[httpx.TransportError],
) -> None:
    calls = []

    def broken(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        raise failure("broken", request=request)

    assert isinstance(await create(broken), Lost)
    assert len(calls) == 1  # the SDK does not try again behind our back


async def test_a_crash_in_the_middle_of_a_call_is_not_taken_for_an_answer() -> None:
    async def hang(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(3600)
        return httpx.Response(200, request=request)

    call = asyncio.ensure_future(create(hang))
    await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_a_transfer_is_found_on_any_page_of_its_group() -> None:
    def pages(request: httpx.Request) -> httpx.Response:
        later = "starting_after" in request.url.params
        metadata = {"intent_id": "wanted" if later else "other"}
        found = {"id": f"tr_{int(later)}", "object": "transfer", "metadata": metadata}
        page = {"object": "list", "url": request.url.path, "data": [found], "has_more": not later}
        return httpx.Response(200, json=page)

    opened = gateway(pages)
    given = {"transfer_group": "d", "payment_intent": "pi_1", "transfer": "tr_1"}
    for op in sorted(outbound.LOOKED_UP - outbound.STEPS):
        assert await opened.find(op, given, intent_id="wanted") == "tr_1"
        assert await opened.find(op, given, intent_id="none") is None


@pytest.mark.parametrize(
    ("op", "status", "is_found", "is_over"),
    [
        (outbound.CONFIRM_PAYMENT, "requires_payment_method", False, False),
        (outbound.CONFIRM_PAYMENT, "requires_capture", True, False),
        (outbound.CONFIRM_PAYMENT, "canceled", False, True),
        (outbound.CAPTURE_PAYMENT, "requires_capture", False, False),
        (outbound.CAPTURE_PAYMENT, "succeeded", True, False),
        (outbound.CAPTURE_PAYMENT, "canceled", False, True),
        (outbound.CANCEL_PAYMENT, "requires_capture", False, False),
        (outbound.CANCEL_PAYMENT, "canceled", True, False),
        (outbound.CANCEL_PAYMENT, "succeeded", False, True),
    ],
)
async def test_a_step_of_a_payment_is_looked_up_by_how_the_payment_stands(
    op: str, status: str, is_found: bool, is_over: bool
) -> None:
    """A no to a step that took effect is a yes; one where it never can any more ends the doubt."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(
                200, json={"id": "pi_1", "object": "payment_intent", "status": status}
            )
        no = {"type": "invalid_request_error", "message": "no",
              "code": "payment_intent_unexpected_state"}  # fmt: skip
        return httpx.Response(400, json={"error": no})

    opened, params = gateway(answer), REQUESTS[op][1]
    name = f"pi_1/{op.rpartition('.')[2]}"
    assert await opened.find(op, params, intent_id="i") == (name if is_found else None)
    told = await opened.create(op, params, idem_key="key:1")
    if is_found:
        assert told == Made(name)
    else:
        assert isinstance(told, Rejected)
        assert (told.final, told.is_over) == (True, is_over)


async def test_a_declined_card_ends_its_confirmation() -> None:
    told = await create(error(402, "card_error"), outbound.CONFIRM_PAYMENT)
    assert isinstance(told, Rejected)
    assert told.is_over


async def test_a_look_up_without_an_answer_says_so() -> None:
    opened = gateway(error(500, "api_error"))
    with pytest.raises(AnswerLost):
        await opened.find(outbound.CREATE_TRANSFER, {"transfer_group": "d"}, intent_id="i")
    with pytest.raises(AnswerLost):
        await opened.see_payment("pi_1")


async def test_a_payment_the_provider_does_not_know_is_none() -> None:
    assert await gateway(error(404)).see_payment("pi_1") is None


async def test_a_payment_is_seen_as_it_stands() -> None:
    intent = {
        "id": "pi_1",
        "object": "payment_intent",
        "status": "succeeded",
        "amount_received": 100,
        "currency": "cny",
        "latest_charge": {
            "id": "ch_1",
            "object": "charge",
            "balance_transaction": {"id": "txn_1", "fee": 3, "currency": "cny"},
        },
        "metadata": {"payment": str(UUID(int=5))},
    }
    refund = {
        "id": "re_1",
        "object": "refund",
        "amount": 40,
        "currency": "cny",
        "status": "failed",
        "metadata": {"refund": str(UUID(int=6))},
    }

    def shown(request: httpx.Request) -> httpx.Response:
        noun = request.url.path.split("/")[2]
        listed = {"refunds": [refund], "disputes": []}.get(noun)
        if listed is None:
            return httpx.Response(200, json=json.loads(json.dumps(intent)))
        page = {"object": "list", "url": f"/v1/{noun}", "data": listed, "has_more": False}
        return httpx.Response(200, json=page)

    seen = await gateway(shown).see_payment("pi_1")
    assert seen is not None
    assert (seen.payment.charge_id, seen.payment.payment_id) == ("ch_1", UUID(int=5))
    assert seen.payment.fee == Money(3, "CNY")
    assert [(one.provider_id, one.failed, one.refund_id) for one in seen.refunds] == [
        ("re_1", True, UUID(int=6))
    ]
    assert list(seen.disputes) == []


async def test_an_unknown_instruction_is_a_bug() -> None:
    with pytest.raises(ValueError, match="no such instruction"):
        await gateway(error(500)).create("card.steal", {}, idem_key="k")


async def test_a_gateway_closes_its_connections() -> None:
    opened = open_gateway(api_key="sk_test_x", api_base="https://api.stripe.com")
    await opened.close()
    http: Any = opened._http
    assert http._client_async.is_closed
