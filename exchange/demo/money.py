"""Step 8 of the trade: invoice, card payment, split, payout by two people, books."""

from typing import Any

import httpx

from exchange.demo import cast as people
from exchange.demo.api import Api, Refused
from exchange.demo.stage import Stage, amount


async def settle(stage: Stage) -> None:
    """Pay the invoice, split the price, pay out to both owners."""
    with stage.step("settlement", "8 Settlement 结算: paid, split, paid out"):
        for slot in ("producer", "coowner"):
            await _payout_account(stage, slot)
        invoice = await _pay(stage)
        payout = await _pay_out(stage)
    stage.say(f"invoice {invoice['number']}: {_amount(invoice)} paid by card")
    for transfer in payout["transfers"]:
        payee = _name(stage, transfer["party_id"])
        stage.say(f"transfer {transfer['provider_id']}: {_amount(transfer)} to {payee}")
    books = await _books(stage)
    total = sum(one["balance_minor"] for one in books)
    stage.say(f"{len(books)} accounts; the sum of all balances is {total}")


async def _payout_account(stage: Stage, slot: str) -> None:
    api, party = stage.cast.clients[slot], stage.cast.party(slot)
    path = f"/v1/parties/{party}/payout-account"
    await api.call("PUT", path, json={"country": "HK"})
    await api.until(path, lambda found: found["state"] == "ready")


async def _pay(stage: Stage) -> dict[str, Any]:
    """Ask for a card payment and confirm it at the provider, as a payer's browser would."""
    api, state = stage.cast.clients[str(stage.state.get("winner"))], stage.state
    page = await api.until("/v1/invoices", lambda found: _of_deal(stage, found) is not None)
    invoice = _of_deal(stage, page)
    assert invoice is not None  # noqa: S101 - the line above waited for it.
    payment = state.id("payment/1")
    if invoice["state"] != "paid":
        path = f"/v1/invoices/{invoice['id']}/payments/{payment}"
        await api.call("PUT", path, json={"method": "card"})
        ready = await api.until(f"/v1/payments/{payment}", lambda one: one["state"] != "requested")
        if ready["state"] == "ready":
            await _confirm_card(stage, ready)
    await api.until(f"/v1/payments/{payment}", lambda one: one["state"] == "succeeded")
    paid: dict[str, Any] = await api.until(
        f"/v1/invoices/{invoice['id']}", lambda one: one["state"] == "paid"
    )
    return paid


async def _confirm_card(stage: Stage, payment: dict[str, Any]) -> None:
    """Confirm with the client secret and a test card, at the provider, not at the exchange."""
    async with Api(stage.settings.stripe_api_base, key="pk_test_demo") as provider:
        answer = await provider.send(
            "POST",
            f"/v1/payment_intents/{payment['provider_id']}/confirm",
            data={"payment_method": "pm_card_visa", "client_secret": payment["client_secret"]},
        )
        already = answer.status_code == 400 and "succeeded" in answer.text
        if not answer.is_success and not already:
            raise httpx.HTTPStatusError(answer.text, request=answer.request, response=answer)


async def _pay_out(stage: Stage) -> dict[str, Any]:
    """One member of staff prepares, another approves; the first may not approve."""
    deal = stage.state.get("deal")
    name = f"/v1/payouts/{stage.state.id('payout/1')}"
    async with (
        await people.signed_in(stage.cast, "operator") as operator,
        await people.signed_in(stage.cast, "approver") as approver,
    ):
        await operator.until(
            f"/v1/settlements/{deal}", lambda one: one["state"] != "awaiting_payment"
        )
        prepared = await operator.call("PUT", name, json={"deal_id": deal})
        decision = {"content_sha256": prepared["content_sha256"]}
        if prepared["state"] == "prepared":
            await _not_by_oneself(stage, operator, name, decision)
            await _approve(stage, "approver", approver, name, decision)
        paid: dict[str, Any] = await approver.until(name, lambda one: one["state"] == "paid")
        return paid


async def _approve(stage: Stage, slot: str, api: Api, name: str, decision: dict[str, Any]) -> None:
    """Approve as a person who gives the password once more."""
    password = stage.cast.password(slot)
    proof = await api.call("POST", "/v1/proofs", json={"password": password})
    await api.call("POST", f"{name}/approval", json={**decision, "proof": proof["proof"]})


async def _not_by_oneself(stage: Stage, operator: Api, name: str, decision: dict[str, Any]) -> None:
    try:
        await _approve(stage, "operator", operator, name, decision)
    except Refused as no:
        if no.code in ("same-person", "not-allowed"):
            return
        raise
    raise RuntimeError("a payout was approved by the one who prepared it")


async def _books(stage: Stage) -> list[dict[str, Any]]:
    async with await people.signed_in(stage.cast, "operator") as operator:
        answer = await operator.call("GET", "/v1/ledger/trial-balance")
    return list(answer["items"])


def _of_deal(stage: Stage, page: dict[str, Any]) -> dict[str, Any] | None:
    wanted = str(stage.state.get("deal"))
    return next((one for one in page["items"] if one["deal_id"] == wanted), None)


def _amount(thing: dict[str, Any]) -> str:
    return amount(thing["amount_minor"], thing["currency"])


def _name(stage: Stage, party: str) -> str:
    members = {str(stage.cast.party(one.slot)): one.name_zh for one in people.MEMBERS}
    return members.get(party, party)
