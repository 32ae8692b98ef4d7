"""What tests of the Stripe stand-in do over and over: pay, transfer, look into its books."""

from typing import Any

import httpx
import pytest
import stripe

from tests import stripe_walk

PAYMENT = {"amount": 1_000_000, "currency": "cny", "transfer_group": "deal-1"}
TRANSFERS = {"country": "CN", "capabilities": {"transfers": {"requested": True}}}


async def paid(api: stripe.StripeClient, card: str = "pm_card_visa", **changes: Any) -> Any:
    intent = await api.v1.payment_intents.create_async({**PAYMENT, **changes})
    return await api.v1.payment_intents.confirm_async(intent.id, {"payment_method": card})


async def payee(api: stripe.StripeClient) -> str:
    return (await api.v1.accounts.create_async(TRANSFERS)).id


async def a_transfer(api: stripe.StripeClient, group: str) -> Any:
    charge = (await paid(api)).latest_charge
    return {
        "amount": 100, "currency": "cny", "destination": await payee(api),
        "source_transaction": charge, "transfer_group": group,
    }  # fmt: skip


async def made(api: stripe.StripeClient, group: str) -> int:
    return len((await api.v1.transfers.list_async({"transfer_group": group})).data)


async def refused(call: Any) -> stripe.StripeError:
    with stripe_walk.meant_to_be_wrong(), pytest.raises(stripe.StripeError) as caught:
        await call
    return caught.value


def look(url: str, path: str) -> dict[str, Any]:
    shown: dict[str, Any] = httpx.get(url + path, trust_env=False).json()
    return shown


def books(url: str) -> dict[str, Any]:
    shown = look(url, "/_books")
    assert shown["balanced"]
    assert shown["agrees_with_balance_transactions"]
    return shown


def control(url: str, path: str, given: dict[str, Any]) -> None:
    httpx.post(url + path, json=given, trust_env=False).raise_for_status()


def order(url: str, kind: str, **given: Any) -> None:
    control(url, "/_faults", {"kind": kind, **given})


def mischief(url: str, kind: str, **given: Any) -> None:
    control(url, "/_webhooks", {"kind": kind, **given})


def clear_faults(url: str) -> None:
    httpx.delete(f"{url}/_faults", trust_env=False)
