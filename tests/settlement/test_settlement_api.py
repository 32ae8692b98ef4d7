"""Invoices, payments, payouts and the books over HTTP."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
import stripe

from contracts import ids
from contracts.facts.rules import SealedFact
from contracts.money import Money
from contracts.parties.tables import Party
from exchange import clock, reactions
from exchange.context import Context
from settlement.stripe import service
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.contracts.works_factory import work
from tests.exchange.identity_factory import signed_client
from tests.settlement.approvals_factory import proved
from tests.settlement.fake_stripe import FakeStripe
from tests.settlement.settlement_factory import (
    Trade,
    executed_deal,
    invoiced,
    paid,
    said,
    with_accounts,
)

PRICE = Money(120_000_000, "CNY")


@dataclass
class Doors:
    """Clients of people in one trade, opened when they are first needed."""

    context: Context
    stack: AsyncExitStack
    trade: Trade

    async def of(
        self, role: str, organisation: Party | None = None, **more: Any
    ) -> httpx.AsyncClient:
        opened = signed_client(self.context, role=role, of=organisation, **more)
        client, _ = await self.stack.enter_async_context(opened)
        return client

    async def work_off(self) -> None:
        """Let the worker do what is due, at the real time, with a provider that behaves."""
        gateway = FakeStripe(clock.now(), mark=ids.new(NOW).hex)
        while await service.send_due(self.context.db, gateway, now=clock.now()):
            pass


@pytest.fixture
async def doors(context: Context) -> Any:
    async with AsyncExitStack() as stack:
        async with context.db.transaction() as session:
            trade = await invoiced(session, price=PRICE, now=clock.now())
        yield Doors(context, stack, trade)


async def funded(doors: Doors) -> None:
    async with doors.context.db.transaction() as session:
        await paid(session, doors.trade, now=clock.now())
        await with_accounts(session, doors.trade, now=clock.now())


async def prepared(doors: Doors, client: httpx.AsyncClient) -> dict[str, Any]:
    await funded(doors)
    answer = await client.put(
        f"/v1/payouts/{ids.new(NOW)}", json={"deal_id": str(doors.trade.deal_id)}
    )
    assert answer.status_code == 201
    body: dict[str, Any] = answer.json()
    return body


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_an_executed_deal_is_planned_and_invoiced_once(context: Context) -> None:
    now = clock.now()
    async with context.db.transaction() as session:
        owner = await party(session, now=now)
        buyer = await party(session, kind="broadcaster", now=now)
        film = await work(session, party_id=owner.id, now=now)
        deal = await executed_deal(
            session,
            work_id=film.id,
            licensor_id=owner.id,
            licensee_id=buyer.id,
            price=PRICE,
            terms=said(PRICE),
            now=now,
        )
    fact = SealedFact(1, ids.new(now), "deal.executed", deal.id, (), {"deal": str(deal.id)}, now)
    (plan,) = [
        each for each in reactions.woken_by("deal.executed") if each.name == "plan-settlement"
    ]
    for _ in range(2):
        async with context.db.transaction() as session:
            await plan.verb(context, session, fact, now)
    async with signed_client(context, role="broadcaster", of=buyer) as (client, _):
        (invoice,) = (await client.get("/v1/invoices")).json()["items"]
    assert (invoice["deal_id"], invoice["amount_minor"]) == (str(deal.id), 120_000_000)
    assert invoice["number"].startswith("UHDX-")


async def test_a_buyer_reads_its_invoices_and_nobody_elses(doors: Doors) -> None:
    buyer = await doors.of("broadcaster", doors.trade.buyer)
    page = (await buyer.get("/v1/invoices?limit=1")).json()
    assert [one["id"] for one in page["items"]] == [str(doors.trade.invoice.id)]
    rest = (await buyer.get(f"/v1/invoices?after={page['next']}")).json()
    assert rest == {"items": [], "next": None}
    stranger = await doors.of("broadcaster")
    assert (await stranger.get("/v1/invoices")).json()["items"] == []
    refused(await stranger.get(f"/v1/invoices/{doors.trade.invoice.id}"), 404, "unknown")
    auditor = await doors.of("auditor")
    assert (await auditor.get(f"/v1/invoices/{doors.trade.invoice.id}")).status_code == 200


async def test_a_buyer_asks_to_pay_and_gets_the_secret_to_confirm_with(doors: Doors) -> None:
    buyer = await doors.of("broadcaster", doors.trade.buyer)
    payment = ids.new(NOW)
    path = f"/v1/invoices/{doors.trade.invoice.id}/payments/{payment}"
    first = await buyer.put(path, json={"method": "card"})
    again = await buyer.put(path, json={"method": "card"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert (first.json()["state"], first.json()["amount_minor"]) == ("requested", 120_000_000)
    await doors.work_off()
    ready = (await buyer.get(f"/v1/payments/{payment}")).json()
    assert ready["state"] == "ready"
    assert ready["client_secret"].startswith(ready["provider_id"])
    auditor = await doors.of("auditor")
    assert (await auditor.get(f"/v1/payments/{payment}")).json()["client_secret"] is None
    stranger = await doors.of("broadcaster")
    refused(await stranger.get(f"/v1/payments/{payment}"), 404, "unknown")
    other = f"/v1/invoices/{doors.trade.invoice.id}/payments/{ids.new(NOW)}"
    refused(await buyer.put(other, json={"method": "card"}), 409, "payment-open")


async def test_a_paid_invoice_is_not_paid_again(doors: Doors) -> None:
    buyer = await doors.of("broadcaster", doors.trade.buyer)
    path = f"/v1/invoices/{doors.trade.invoice.id}"
    for due_minor in (120_000_000, 0):
        told = (await buyer.get(path)).json()
        assert (told["total_minor"], told["due_minor"]) == (120_000_000, due_minor)
        if due_minor:
            await funded(doors)
    path = f"/v1/invoices/{doors.trade.invoice.id}/payments/{ids.new(NOW)}"
    refused(await buyer.put(path, json={"method": "card"}), 409, "invoice-not-open")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"method": "cash"}, 422, "invalid-content"),
        ({"method": "card", "amount_minor": 1}, 422, "invalid-content"),
        ({}, 422, "invalid-content"),
    ],
)
async def test_a_client_cannot_say_how_much_it_pays(
    doors: Doors, body: Any, status: int, code: str
) -> None:
    buyer = await doors.of("broadcaster", doors.trade.buyer)
    path = f"/v1/invoices/{doors.trade.invoice.id}/payments/{ids.new(NOW)}"
    refused(await buyer.put(path, json=body), status, code)


async def test_paying_needs_the_right_key_role_and_organisation(doors: Doors) -> None:
    path = f"/v1/invoices/{doors.trade.invoice.id}/payments/{ids.new(NOW)}"
    reader = await doors.of("broadcaster", doors.trade.buyer, scopes=["read"])
    refused(await reader.put(path, json={"method": "card"}), 403, "scope-missing")
    holder = await doors.of("holder", doors.trade.owners[0])
    refused(await holder.put(path, json={"method": "card"}), 403, "not-allowed")
    stranger = await doors.of("broadcaster")
    refused(await stranger.put(path, json={"method": "card"}), 404, "unknown")
    nobody = await doors.of("broadcaster")
    nobody.headers.pop("authorization")
    refused(await nobody.put(path, json={"method": "card"}), 401, "sign-in-needed")


async def test_an_owner_opens_its_own_payout_account(doors: Doors) -> None:
    owner = doors.trade.owners[0]
    holder = await doors.of("holder", owner)
    path = f"/v1/parties/{owner.id}/payout-account"
    refused(await holder.get(path), 404, "unknown")
    first = await holder.put(path, json={"country": "HK"})
    again = await holder.put(path, json={"country": "HK"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert (first.json()["state"], first.json()["provider_id"]) == ("requested", None)
    refused(await holder.put(path, json={"country": "CN"}), 409, "id-reused")
    refused(await holder.put(path, json={"country": "hk"}), 422, "invalid-content")
    await doors.work_off()
    assert (await holder.get(path)).json()["state"] == "ready"
    other = f"/v1/parties/{doors.trade.owners[1].id}/payout-account"
    refused(await holder.put(other, json={"country": "HK"}), 404, "unknown")
    refused(await holder.get(other), 404, "unknown")


async def test_each_reads_of_a_settlement_what_concerns_it(doors: Doors) -> None:
    path = f"/v1/settlements/{doors.trade.deal_id}"
    auditor = await doors.of("auditor")
    everything = (await auditor.get(path)).json()
    assert everything["state"] == "awaiting_payment"
    assert sum(line["amount_minor"] for line in everything["lines"]) == 120_000_000
    owner = await doors.of("holder", doors.trade.owners[1])
    told = (await owner.get(path)).json()
    own = told["lines"]
    shown = sum(line["amount_minor"] for line in own)
    assert shown + told["others_minor"] == told["gross_minor"]
    assert everything["others_minor"] == 0
    assert [(line["kind"], line["amount_minor"]) for line in own] == [
        ("commission", 6_000_000),
        ("share", 34_200_000),
    ]
    buyer = await doors.of("broadcaster", doors.trade.buyer)
    seen = (await buyer.get(path)).json()
    assert (seen["gross_minor"], seen["lines"]) == (120_000_000, [])
    stranger = await doors.of("holder")
    refused(await stranger.get(path), 404, "unknown")
    refused(await stranger.get("/v1/settlements"), 403, "not-allowed")


async def test_staff_page_through_settlements_and_payouts(doors: Doors) -> None:
    operator = await doors.of("operator")
    payout = await prepared(doors, operator)
    auditor = await doors.of("auditor")
    before = UUID(int=doors.trade.deal_id.int - 1)
    page = (await auditor.get(f"/v1/settlements?after={before}&limit=1")).json()
    assert page["items"][0]["deal_id"] == page["next"] == str(doors.trade.deal_id)
    before = UUID(int=UUID(payout["id"]).int - 1)
    page = (await auditor.get(f"/v1/payouts?after={before}&limit=1")).json()
    assert (page["items"], page["next"]) == ([payout], payout["id"])


async def test_one_prepares_another_approves_and_the_payout_is_paid(doors: Doors) -> None:
    operator, approver = await doors.of("operator"), await doors.of("approver")
    payout = await prepared(doors, operator)
    path = f"/v1/payouts/{payout['id']}"
    same = await operator.put(path, json={"deal_id": str(doors.trade.deal_id)})
    assert (same.status_code, same.json()) == (200, payout)
    assert {one["state"] for one in payout["transfers"]} == {"pending"}
    seen = {"content_sha256": payout["content_sha256"]}
    by_operator = await proved(operator, **seen)
    refused(await operator.post(f"{path}/approval", json=by_operator), 403, "not-allowed")
    wrong = await proved(approver, content_sha256="0" * 64)
    refused(await approver.post(f"{path}/approval", json=wrong), 409, "content-changed")
    approved = (await approver.post(f"{path}/approval", json={**wrong, **seen})).json()
    assert approved["state"] == "approved"
    assert approved["decided_by"] not in (None, approved["prepared_by"])
    await doors.work_off()
    done = (await approver.get(path)).json()
    assert done["state"] == "paid"
    assert all(one["provider_id"].startswith("tr_") for one in done["transfers"])
    settlement = (await operator.get(f"/v1/settlements/{doors.trade.deal_id}")).json()
    assert settlement["state"] == "paid_out"


async def test_an_approver_may_not_decide_what_it_prepared(doors: Doors) -> None:
    approver, other = await doors.of("approver"), await doors.of("approver")
    payout = await prepared(doors, approver)
    path, seen = f"/v1/payouts/{payout['id']}", {"content_sha256": payout["content_sha256"]}
    own = await proved(approver, **seen)
    refused(await approver.post(f"{path}/approval", json=own), 403, "same-person")
    no = {**seen, "reason": "no"}
    refused(await approver.post(f"{path}/refusal", json=no), 403, "same-person")
    assert (await other.post(f"{path}/refusal", json=no)).json()["reason"] == "no"
    late = await proved(other, **seen)
    refused(await other.post(f"{path}/approval", json=late), 409, "already-decided")


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, None])
async def test_a_refusal_needs_a_reason(doors: Doors, reason: str | None) -> None:
    approver = await doors.of("approver")
    body = {"content_sha256": "0" * 64, "reason": reason}
    refused(
        await approver.post(f"/v1/payouts/{ids.new(NOW)}/refusal", json=body),
        422,
        "invalid-content",
    )


async def test_a_payout_is_not_prepared_without_money_accounts_or_room(doors: Doors) -> None:
    operator = await doors.of("operator")
    body = {"deal_id": str(doors.trade.deal_id)}

    async def prepare(deal: dict[str, str] = body) -> httpx.Response:
        return await operator.put(f"/v1/payouts/{ids.new(NOW)}", json=deal)

    refused(await prepare({"deal_id": str(ids.new(NOW))}), 404, "unknown")
    refused(await prepare(), 409, "settlement-not-funded")
    async with doors.context.db.transaction() as session:
        await paid(session, doors.trade, now=clock.now())
    answer = await prepare()
    refused(answer, 409, "payout-account-missing")
    assert answer.json()["parties"] == sorted(map(str, doors.trade.owner_ids))
    async with doors.context.db.transaction() as session:
        await with_accounts(session, doors.trade, now=clock.now())
    assert (await prepare()).status_code == 201
    refused(await prepare(), 409, "payout-already-prepared")


@pytest.mark.parametrize("role", ["auditor", "holder", "broadcaster"])
async def test_only_operators_and_approvers_touch_payouts(doors: Doors, role: str) -> None:
    client = await doors.of(role)
    answer = await client.put(
        f"/v1/payouts/{ids.new(NOW)}", json={"deal_id": str(doors.trade.deal_id)}
    )
    assert answer.status_code == 403


async def test_the_trial_balance_adds_up_to_zero(doors: Doors) -> None:
    auditor = await doors.of("auditor")
    rows: list[dict[str, Any]] = []
    told: dict[str, Any] = {"next": ""}
    while told["next"] is not None:  # page by page, none twice
        after = {"after": told["next"]} if told["next"] else {}
        answer = await auditor.get("/v1/ledger/trial-balance", params={"limit": 3, **after})
        assert answer.status_code == 200, answer.text
        told = answer.json()
        rows += told["items"]
    assert len({row["code"] for row in rows}) == len(rows)
    sums: dict[str, int] = {}
    for row in rows:
        assert row["name_zh"] and row["name_en"]
        sums[row["currency"]] = sums.get(row["currency"], 0) + row["balance_minor"]
    assert sums["CNY"] == 0
    total = next(one for one in told["totals"] if one["currency"] == "CNY")
    debit = sum(max(row["balance_minor"], 0) for row in rows if row["currency"] == "CNY")
    assert (total["debit_minor"], total["credit_minor"]) == (debit, debit)
    owed = next(row for row in rows if row["code"] == f"receivable:{doors.trade.buyer.id}:CNY")
    assert owed["balance_minor"] == 120_000_000
    refused(await (await doors.of("holder")).get("/v1/ledger/trial-balance"), 403, "not-allowed")


def delivery(context: Context, raw: str, **change: Any) -> dict[str, str]:
    secret = change.get("secret") or context.settings.stripe_webhook_secret.get_secret_value()
    stamp = int(clock.now().timestamp()) + change.get("late_s", 0)
    header = stripe.WebhookSignature.generate_signature_header(raw, secret, stamp)
    return {"Stripe-Signature": header, "Content-Type": "application/json"}


def announcement() -> str:
    return (
        f'{{"id": "evt_{ids.new(NOW).hex}", "type": "payment_intent.succeeded", '
        '"data": {"object": {"object": "payment_intent", "id": "pi_unknown"}}}'
    )


async def test_a_signed_event_is_received_once(context: Context, client: httpx.AsyncClient) -> None:
    raw = announcement()
    headers = delivery(context, raw)
    first = await client.post("/v1/stripe/webhooks", content=raw, headers=headers)
    again = await client.post("/v1/stripe/webhooks", content=raw, headers=headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert (first.json()["new"], again.json()["new"]) == (True, False)


@pytest.mark.parametrize("change", [{"secret": "other"}, {"late_s": -600}, {"late_s": 600}])
async def test_an_event_with_a_bad_signature_is_refused(
    context: Context, client: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    raw = announcement()
    headers = delivery(context, raw, **change)
    answer = await client.post("/v1/stripe/webhooks", content=raw, headers=headers)
    refused(answer, 400, "bad-webhook-signature")


async def test_the_signature_is_over_the_raw_bytes(
    context: Context, client: httpx.AsyncClient
) -> None:
    raw = announcement()
    headers = delivery(context, raw)
    answer = await client.post("/v1/stripe/webhooks", content=raw + " ", headers=headers)
    refused(answer, 400, "bad-webhook-signature")
    refused(await client.post("/v1/stripe/webhooks", content=raw), 400, "bad-webhook-signature")


async def test_a_signed_body_that_is_no_event_is_refused(
    context: Context, client: httpx.AsyncClient
) -> None:
    answer = await client.post("/v1/stripe/webhooks", content="[]", headers=delivery(context, "[]"))
    refused(answer, 400, "bad-webhook-event")


async def test_a_body_longer_than_any_event_is_refused(
    context: Context, client: httpx.AsyncClient
) -> None:
    raw = " " * 1_000_001
    answer = await client.post("/v1/stripe/webhooks", content=raw, headers=delivery(context, raw))
    refused(answer, 413, "event-too-large")
