"""The stand-in's keys, ordered faults and its return after a kill."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from tests.exchange.stripe_standin_factory import (
    PAYMENT,
    a_transfer,
    books,
    clear_faults,
    control,
    look,
    made,
    order,
    paid,
    payee,
    refused,
)
from tests.settlement import standin


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with standin.running_standin(tmp_path_factory.mktemp("standin")) as running:
        yield running


@pytest.fixture
def api(url: str) -> stripe.StripeClient:
    return standin.client(url)


async def test_the_same_key_gets_the_first_answer(api: stripe.StripeClient) -> None:
    first = await api.v1.payment_intents.create_async(PAYMENT, {"idempotency_key": "key-1"})
    again = await api.v1.payment_intents.create_async(PAYMENT, {"idempotency_key": "key-1"})
    assert first.id == again.id
    headers: Any = again.last_response.headers
    assert headers["idempotent-replayed"] == "true"
    assert headers["original-request"] == first.last_response.headers["request-id"]
    other: Any = {**PAYMENT, "amount": 7}
    error = await refused(api.v1.payment_intents.create_async(other, {"idempotency_key": "key-1"}))
    assert isinstance(error, stripe.IdempotencyError)
    assert error.http_status == 400


async def test_refusals_of_the_effect_are_kept_and_refusals_of_the_form_are_not(
    url: str, api: stripe.StripeClient
) -> None:
    account = await payee(api)
    request: Any = {"amount": 50, "currency": "sgd", "destination": account}
    key: Any = {"idempotency_key": "key-2"}
    bad: Any = {**request, "amount": "much"}
    assert (await refused(api.v1.transfers.create_async(bad, key))).http_status == 400
    error = await refused(api.v1.transfers.create_async(request, key))
    assert error.code == "balance_insufficient"
    await paid(api, "pm_card_bypassPending", currency="sgd")
    error = await refused(api.v1.transfers.create_async(request, key))
    assert error.code == "balance_insufficient"
    assert account not in books(url)["accounts"]


async def test_a_key_is_forgotten_after_a_day(tmp_path: Path) -> None:
    with standin.running_standin(tmp_path) as url:
        api = standin.client(url)
        key: Any = {"idempotency_key": "key-3"}
        first = await api.v1.payment_intents.create_async(PAYMENT, key)
        control(url, "/_clock", {"advance_s": 86_399 - 60})
        again = await api.v1.payment_intents.create_async(PAYMENT, key)
        control(url, "/_clock", {"advance_s": 61})
        other = await api.v1.payment_intents.create_async(PAYMENT, key)
        assert first.id == again.id != other.id


async def test_pending_money_becomes_available_with_time(tmp_path: Path) -> None:
    with standin.running_standin(tmp_path) as url:
        api = standin.client(url)
        await paid(api)
        held = await api.v1.balance.retrieve_async()
        assert (held.available[0].amount, held.pending[0].amount) == (0, 970_970)
        control(url, "/_clock", {"advance_s": 2 * 86_400})
        held = await api.v1.balance.retrieve_async()
        assert (held.available[0].amount, held.pending[0].amount) == (970_970, 0)


@pytest.mark.parametrize(
    ("kind", "error", "executed"),
    [
        ("drop_before", stripe.APIConnectionError, 0),
        ("drop_after", stripe.APIConnectionError, 1),
        ("429", stripe.RateLimitError, 0),
        ("500_stored", stripe.APIError, 0),
    ],
)
async def test_a_fault_is_what_it_says(
    url: str, api: stripe.StripeClient, kind: str, error: type[Exception], executed: int
) -> None:
    request = await a_transfer(api, f"fault-{kind}")
    key: Any = {"idempotency_key": f"key-{kind}"}
    order(url, kind, operation="transfers.create")
    with pytest.raises(error):
        await api.v1.transfers.create_async(request, key)
    assert await made(api, f"fault-{kind}") == executed
    if kind == "500_stored":
        assert (await refused(api.v1.transfers.create_async(request, key))).http_status == 500
        assert await made(api, f"fault-{kind}") == 0
        await api.v1.transfers.create_async(request)
    else:
        await api.v1.transfers.create_async(request, key)
    assert await made(api, f"fault-{kind}") == 1
    books(url)


async def test_a_late_call_takes_effect_after_its_caller_has_given_up(
    url: str, api: stripe.StripeClient
) -> None:
    request = await a_transfer(api, "late")
    key: Any = {"idempotency_key": "key-late"}
    order(url, "late", operation="transfers.create", seconds=0.6)
    await refused(api.v1.transfers.create_async(request, key))
    assert await made(api, "late") == 0
    busy = await refused(api.v1.transfers.create_async(request, key))
    assert busy.error is not None
    assert (busy.http_status, busy.error.code) == (409, "idempotency_key_in_use")
    await asyncio.sleep(1)
    assert await made(api, "late") == 1
    await api.v1.transfers.create_async(request, key)
    assert await made(api, "late") == 1


async def test_a_clock_that_stands_still_lets_late_calls_come_in_at_their_own_instant(
    tmp_path: Path,
) -> None:
    with standin.running_standin(tmp_path) as url:
        api = standin.client(url)
        control(url, "/_clock", {"advance_s": 0, "still": True})
        request = await a_transfer(api, "still")
        key: Any = {"idempotency_key": "key-still"}
        await api.v1.transfers.create_async(request, key)
        order(url, "delayed", operation="transfers.create", seconds=86_399)
        await refused(api.v1.transfers.create_async(request, key))
        control(url, "/_clock", {"advance_s": 3 * 86_400})
        assert await made(api, "still") == 1  # its key was known when it came in
        order(url, "delayed", operation="transfers.create", seconds=60)
        await refused(api.v1.transfers.create_async(request, key))
        assert await made(api, "still") == 1
        control(url, "/_clock", {"advance_s": 60})
        assert await made(api, "still") == 2  # by then it was forgotten
        before = look(url, "/_standin")["now"]
        await asyncio.sleep(1.1)
        assert look(url, "/_standin")["now"] == before


async def test_a_call_that_comes_in_twice_has_one_effect(
    url: str, api: stripe.StripeClient
) -> None:
    request = await a_transfer(api, "twice")
    order(url, "duplicate", operation="transfers.create", seconds=0.1)
    await refused(api.v1.transfers.create_async(request, {"idempotency_key": "key-twice"}))
    await asyncio.sleep(0.4)
    assert await made(api, "twice") == 1


async def test_a_refusal_that_is_kept_is_given_again(url: str, api: stripe.StripeClient) -> None:
    request = await a_transfer(api, "no")
    key: Any = {"idempotency_key": "key-no"}
    order(url, "400_stored", operation="transfers.create")
    for _ in range(2):
        assert (await refused(api.v1.transfers.create_async(request, key))).http_status == 400
    assert await made(api, "no") == 0


async def test_a_slow_call_holds_its_key_until_it_is_answered(
    url: str, api: stripe.StripeClient
) -> None:
    request = await a_transfer(api, "slow")
    key: Any = {"idempotency_key": "key-slow"}
    order(url, "slow", operation="transfers.create", seconds=0.5)
    slow = asyncio.create_task(api.v1.transfers.create_async(request, key))
    await asyncio.sleep(0.2)
    assert (await refused(api.v1.transfers.create_async(request, key))).http_status == 409
    assert (await slow).id == (await api.v1.transfers.create_async(request, key)).id
    assert await made(api, "slow") == 1


async def test_faults_are_counted_and_can_be_taken_back(url: str, api: stripe.StripeClient) -> None:
    order(url, "429", operation="balance.retrieve", count=2)
    for _ in range(2):
        assert isinstance(await refused(api.v1.balance.retrieve_async()), stripe.RateLimitError)
    await api.v1.balance.retrieve_async()
    order(url, "429", operation="*", count=5)
    assert len(look(url, "/_faults")["waiting"]) == 5
    clear_faults(url)
    await api.v1.balance.retrieve_async()
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        order(url, "x")


async def test_a_killed_standin_comes_back_with_its_books_and_keys(tmp_path: Path) -> None:
    port = standin.free_port()
    url, key = f"http://127.0.0.1:{port}", {"idempotency_key": "key-kill"}
    process = standin.start(tmp_path, port=port)
    try:
        api = standin.client(url)
        request = await a_transfer(api, "kill")
        transfer = await api.v1.transfers.create_async(request, key)
        before = books(url)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process = standin.start(tmp_path, port=port)
        assert books(url) == before
        again = await standin.client(url).v1.transfers.create_async(request, key)
        assert again.id == transfer.id
        assert books(url) == before
    finally:
        process.kill()
        process.wait()
