"""The stand-in's payouts to a bank, judged by the real SDK over HTTP and by its own books."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from exchange.standins.stripe.payouts import DAY_S, SUBMITTED_S
from tests.exchange.stripe_standin_factory import books, control, look, paid, refused
from tests.exchange.test_stripe_standin import fields_of
from tests.settlement import standin

AT_ONCE = "pm_card_bypassPending"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with standin.running_standin(tmp_path_factory.mktemp("payouts")) as running:
        control(running, "/_clock", {"advance_s": 0, "still": True})
        yield running


@pytest.fixture
def api(url: str) -> stripe.StripeClient:
    return standin.client(url)


async def ordered(api: stripe.StripeClient, amount: int, **more: Any) -> Any:
    return await api.v1.payouts.create_async({"amount": amount, "currency": "cny", **more})


def available(url: str) -> int:
    return books(url)["accounts"]["platform"]["cny"]


async def events(api: stripe.StripeClient, payout: str) -> list[str]:
    found = await api.v1.events.list_async({"limit": 100})
    return [one.type for one in found.data[::-1] if one.data.object["id"] == payout]


async def test_a_payout_is_pending_then_on_its_way_and_paid_on_the_day_announced(
    url: str, api: stripe.StripeClient
) -> None:
    await paid(api, AT_ONCE)
    before = available(url)
    payout = await ordered(api, 5_000, statement_descriptor="UHDX", metadata={"sweep": "1"})
    assert set(payout.to_dict()) == fields_of(type(payout))
    assert (payout.status, payout.automatic) == ("pending", False)
    assert available(url) == before - 5_000  # it has left the balance at once
    assert datetime.fromtimestamp(payout.arrival_date, UTC).hour == 0
    control(url, "/_clock", {"advance_s": SUBMITTED_S})
    assert (await api.v1.payouts.retrieve_async(payout.id)).status == "in_transit"
    control(url, "/_clock", {"advance_s": 2 * DAY_S})
    seen = await api.v1.payouts.retrieve_async(payout.id)
    assert (seen.status, seen.metadata["sweep"]) == ("paid", "1")
    assert await events(api, payout.id) == ["payout.created", "payout.updated", "payout.paid"]
    listed = await api.v1.payouts.list_async({"status": "paid"})
    assert payout.id in [one.id for one in listed.data]
    moved = await api.v1.balance_transactions.retrieve_async(payout.balance_transaction)
    assert (moved.type, moved.net) == ("payout", -5_000)


async def test_a_payout_that_fails_gives_the_balance_its_money_once_even_after_it_was_paid(
    url: str, api: stripe.StripeClient
) -> None:
    await paid(api, AT_ONCE)
    before = available(url)
    payout = await ordered(api, 700)
    control(url, "/_clock", {"advance_s": 3 * DAY_S})
    control(url, f"/_payouts/{payout.id}/failure", {})
    seen = await api.v1.payouts.retrieve_async(payout.id)
    assert (seen.status, seen.failure_code) == ("failed", "account_closed")
    with pytest.raises(Exception, match="400"):
        control(url, f"/_payouts/{payout.id}/failure", {})
    assert available(url) == before
    assert (await events(api, payout.id))[-1] == "payout.failed"


async def test_only_what_was_not_handed_to_the_bank_is_taken_back(
    url: str, api: stripe.StripeClient
) -> None:
    await paid(api, AT_ONCE)
    before = available(url)
    payout = await ordered(api, 700)
    assert (await api.v1.payouts.cancel_async(payout.id)).status == "canceled"
    assert available(url) == before
    late = await ordered(api, 700)
    control(url, "/_clock", {"advance_s": SUBMITTED_S})
    assert (await refused(api.v1.payouts.cancel_async(late.id))).http_status == 400


async def test_no_more_is_paid_out_than_is_available_and_not_in_broken_units(
    url: str, api: stripe.StripeClient
) -> None:
    await paid(api)  # pending for two days
    control(url, "/_payouts", {"currency": "cny"})  # what was available is gone
    error = await refused(ordered(api, 1))
    assert error.code == "balance_insufficient"
    error = await refused(ordered(api, 1, statement_descriptor="X" * 23))
    assert error.param == "statement_descriptor"
    await paid(api, AT_ONCE, currency="twd")
    error = await refused(api.v1.payouts.create_async({"amount": 150, "currency": "twd"}))
    assert error.param == "amount"


async def test_a_payout_by_schedule_takes_all_that_is_available(
    url: str, api: stripe.StripeClient
) -> None:
    await paid(api, AT_ONCE, currency="hkd")
    held = (await api.v1.balance.retrieve_async()).available
    (hkd,) = [one.amount for one in held if one.currency == "hkd"]
    control(url, "/_payouts", {"currency": "hkd"})
    newest = (await api.v1.payouts.list_async({"limit": 1})).data[0]
    assert (newest.automatic, newest.amount, newest.currency) == (True, hkd, "hkd")
    assert newest.reconciliation_status == "in_progress"


def test_the_standin_says_what_its_payouts_are(url: str) -> None:
    said = " ".join(look(url, "/_standin")["differs"])
    assert "Payouts go to one bank account" in said
    assert "POST /v1/payouts" in look(url, "/_standin")["operations"]
