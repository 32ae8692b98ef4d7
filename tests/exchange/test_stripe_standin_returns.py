"""The stand-in's refunds, reversals and disputes, judged by the real SDK over HTTP."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import stripe

from tests.exchange.stripe_standin_factory import books, control, paid, payee, refused
from tests.exchange.test_stripe_standin import fields_of
from tests.settlement import standin


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with standin.running_standin(tmp_path_factory.mktemp("returns")) as running:
        yield running


@pytest.fixture
def api(url: str) -> stripe.StripeClient:
    return standin.client(url)


def ordered(url: str, path: str, given: dict[str, Any]) -> Any:
    answer = httpx.post(url + path, json=given, trust_env=False)
    answer.raise_for_status()
    return answer.json()


async def test_refunds_end_with_the_charge_and_keep_its_fee(
    url: str, api: stripe.StripeClient
) -> None:
    before = books(url)["accounts"].get("platform", {}).get("cny", 0)
    intent = await paid(api)
    first = await api.v1.refunds.create_async({"payment_intent": intent.id, "amount": 300_000})
    assert set(first.to_dict()) == fields_of(type(first))
    error = await refused(
        api.v1.refunds.create_async({"payment_intent": intent.id, "amount": 700_001})
    )
    assert error.http_status == 400
    control(url, "/_clock", {"advance_s": 0})
    paid_in = await paid(api, amount=2_000_000)  # the balance bears the fee of the first
    await api.v1.refunds.create_async({"charge": intent.latest_charge})
    error = await refused(api.v1.refunds.create_async({"charge": intent.latest_charge}))
    assert error.code == "charge_already_refunded"
    charge = await api.v1.charges.retrieve_async(intent.latest_charge)
    assert (charge.amount_refunded, charge.refunded) == (1_000_000, True)
    listed = await api.v1.refunds.list_async({"payment_intent": intent.id})
    assert sorted(one.amount for one in listed.data) == [300_000, 700_000]
    fees = 29_030 + 2_000_000 * 290 // 10_000 + 30
    assert books(url)["accounts"]["platform"]["cny"] - before == 2_000_000 - fees
    assert paid_in.status == "succeeded"


async def test_a_refund_that_comes_back_gives_the_charge_its_money_again(
    url: str, api: stripe.StripeClient
) -> None:
    intent = await paid(api)
    refund = await api.v1.refunds.create_async({"payment_intent": intent.id, "amount": 100})
    ordered(url, f"/_refunds/{refund.id}/failure", {})
    seen = await api.v1.refunds.retrieve_async(refund.id)
    assert seen.status == "failed"
    charge = await api.v1.charges.retrieve_async(intent.latest_charge)
    assert charge.amount_refunded == 0
    books(url)


async def test_a_transfer_comes_back_as_far_as_it_went_and_the_account_covers(
    url: str, api: stripe.StripeClient
) -> None:
    charge, account = (await paid(api)).latest_charge, await payee(api)
    transfer = await api.v1.transfers.create_async(
        {"amount": 500, "currency": "cny", "destination": account, "source_transaction": charge}
    )
    first = await api.v1.transfers.reversals.create_async(transfer.id, {"amount": 200})
    assert set(first.to_dict()) == fields_of(type(first))
    error = await refused(api.v1.transfers.reversals.create_async(transfer.id, {"amount": 301}))
    assert error.http_status == 400
    await api.v1.transfers.reversals.create_async(transfer.id)
    seen = await api.v1.transfers.retrieve_async(transfer.id)
    assert (seen.amount_reversed, seen.reversed) == (500, True)
    listed = await api.v1.transfers.reversals.list_async(transfer.id)
    assert [one.amount for one in listed.data] == [300, 200]
    assert books(url)["accounts"][account]["cny"] == 0


@pytest.mark.parametrize(("decision", "back"), [("won", 1_000_000), ("lost", 0)])
async def test_a_dispute_draws_its_amount_and_a_fee_and_a_won_one_brings_the_amount_back(
    url: str, api: stripe.StripeClient, decision: str, back: int
) -> None:
    intent = await paid(api)
    before = books(url)["accounts"]["platform"]["cny"]
    opened = ordered(url, "/_disputes", {"charge": intent.latest_charge})
    dispute = await api.v1.disputes.retrieve_async(opened["id"])
    assert set(dispute.to_dict()) == fields_of(type(dispute))
    assert books(url)["accounts"]["platform"]["cny"] - before == -1_001_500
    error = await refused(api.v1.refunds.create_async({"payment_intent": intent.id}))
    assert error.code == "charge_disputed"
    ordered(url, f"/_disputes/{dispute.id}", {"status": decision})
    assert books(url)["accounts"]["platform"]["cny"] - before == back - 1_001_500
    listed = await api.v1.disputes.list_async({"payment_intent": intent.id})
    assert [one.status for one in listed.data] == [decision]


async def test_an_inquiry_moves_no_money_until_it_becomes_a_dispute(
    url: str, api: stripe.StripeClient
) -> None:
    intent = await paid(api)
    before = books(url)["accounts"]["platform"]["cny"]
    opened = ordered(url, "/_disputes", {"charge": intent.latest_charge, "inquiry": True})
    assert opened["status"] == "warning_needs_response"
    assert books(url)["accounts"]["platform"]["cny"] == before
    ordered(url, f"/_disputes/{opened['id']}", {"status": "needs_response"})
    assert books(url)["accounts"]["platform"]["cny"] - before == -1_001_500
