"""The whole way of the money through the real SDK, against the stand-in in its own process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from contracts import ids
from contracts.money import Money
from exchange import clock
from exchange.app import create_app
from exchange.context import Context
from settlement.invoices import queries as invoices
from settlement.invoices import service as invoicing
from settlement.invoices.tables import Payment
from settlement.ledger import queries as books
from settlement.payouts import queries as payouts
from settlement.payouts import service as paying
from settlement.plans import queries as plans
from settlement.stripe import service
from settlement.stripe.gateway import StripeGateway, open_gateway
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import person
from tests.settlement.approvals_factory import decided
from tests.settlement.settlement_factory import Trade, invoiced
from tests.settlement.standin import API_KEY, PUBLISHABLE_KEY, free_port, running_standin

PRICE = Money(120_000_000, "CNY")


@asynccontextmanager
async def serving(context: Context) -> AsyncIterator[str]:
    """The application on a real port, for webhooks to come in by."""
    config = uvicorn.Config(create_app(context), port=free_port(), log_level="warning")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    for _ in range(500):
        if server.started:
            break
        await asyncio.sleep(0.02)
    yield f"http://127.0.0.1:{config.port}"
    server.should_exit = True
    await task


@asynccontextmanager
async def gateway(base: str) -> AsyncIterator[StripeGateway]:
    opened = open_gateway(api_key=API_KEY, api_base=base, timeout_s=5)
    yield opened
    await opened.close()


async def asked(context: Context) -> tuple[Trade, Payment]:
    now = clock.now()
    async with context.db.transaction() as session:
        trade = await invoiced(session, price=PRICE, now=now)
        payment, _ = await invoicing.request_payment(
            session,
            trade.invoice.id,
            ids.new(now),
            payer_id=trade.buyer.id,
            method="card",
            now=now,
        )
        for owner in trade.owners:
            await paying.open_account(session, owner.id, country="HK", now=now)
    return trade, payment


async def until_ready(context: Context, stripe: StripeGateway, payment: Payment) -> Payment:
    for _ in range(100):
        await service.send_due(context.db, stripe, now=clock.now())
        async with context.db.sessions() as session:
            found = await invoices.get_payment_of(session, payment.id, payer_id=None)
        if found.state != "requested":
            return found
        await asyncio.sleep(0.1)
    raise AssertionError("the payment was never made ready")


async def confirm(base: str, payment: Payment) -> None:
    """Pay as the buyer's browser does: with a publishable key and the secret."""
    async with httpx.AsyncClient(base_url=base, trust_env=False) as browser:
        answer = await browser.post(
            f"/v1/payment_intents/{payment.provider_id}/confirm",
            data={"payment_method": "pm_card_visa", "client_secret": payment.client_secret},
            headers={"Authorization": f"Bearer {PUBLISHABLE_KEY}"},
        )
    assert answer.json()["status"] == "succeeded", answer.text


async def until_paid(context: Context, stripe: StripeGateway, payment: Payment) -> None:
    for _ in range(100):
        await service.apply_due(context.db, stripe, now=clock.now())
        async with context.db.sessions() as session:
            found = await invoices.get_payment_of(session, payment.id, payer_id=None)
        if found.state == "succeeded":
            return
        await asyncio.sleep(0.1)
    raise AssertionError("no webhook paid the invoice")


async def approve(context: Context, trade: Trade) -> Any:
    now = clock.now()
    async with context.db.transaction() as session:
        home = await party(session, now=now)
        maker = await person(session, party_id=home.id, role="operator", now=now)
        checker = await person(session, party_id=home.id, role="approver", now=now)
        payout, _ = await paying.prepare(
            session, ids.new(now), deal_id=trade.deal_id, person_id=maker.id, now=now
        )
        decision = await decided(session, checker.id, payout.content_sha256, now=now)
        return await paying.approve(session, payout.id, decision=decision, now=now)


async def until_paid_out(context: Context, stripe: StripeGateway, trade: Trade) -> None:
    for _ in range(150):
        await service.send_due(context.db, stripe, now=clock.now())
        async with context.db.sessions() as session:
            settlement = await plans.get_settlement(session, trade.deal_id)
        if settlement.state == "paid_out":
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the settlement was never paid out")


async def order(base: str, **fault: Any) -> None:
    async with httpx.AsyncClient(base_url=base, trust_env=False) as desk:
        assert (await desk.post("/_faults", json=fault)).is_success


async def transfers_at(base: str, trade: Trade) -> list[dict[str, Any]]:
    async with httpx.AsyncClient(base_url=base, trust_env=False) as desk:
        answer = await desk.get(
            "/v1/transfers",
            params={"transfer_group": str(trade.deal_id)},
            headers={"Authorization": f"Bearer {API_KEY}"},
        )
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


async def test_a_price_goes_from_the_buyers_card_to_both_owners(
    context: Context, tmp_path: Path
) -> None:
    async with serving(context) as here:
        with running_standin(tmp_path, f"{here}/v1/stripe/webhooks") as base:
            async with gateway(base) as stripe:
                trade, payment = await asked(context)
                await confirm(base, await until_ready(context, stripe, payment))
                await until_paid(context, stripe, payment)
                payout = await approve(context, trade)
                await until_paid_out(context, stripe, trade)
                made = await transfers_at(base, trade)
    async with context.db.sessions() as session:
        rows = await payouts.transfers(session, payout.id)
        faults = await books.check(session)
    assert faults == []
    assert {row.provider_id for row in rows} == {one["id"] for one in made}
    assert sorted(one["amount"] for one in made) == [34_200_000, 79_800_000]
    assert {one["destination"] for one in made} == {row.account for row in rows}


async def test_lost_answers_and_stored_errors_pay_nobody_twice(
    context: Context, tmp_path: Path
) -> None:
    with running_standin(tmp_path) as base:
        async with gateway(base) as stripe:
            trade, payment = await asked(context)
            await confirm(base, await until_ready(context, stripe, payment))
            async with context.db.transaction() as session:
                found = await invoices.get_payment_of(session, payment.id, payer_id=None)
                seen = await stripe.see_payment(str(found.provider_id))
                assert seen is not None
                await invoicing.apply_seen(session, seen.payment, now=clock.now())
            await approve(context, trade)
            for kind in ("drop_after", "429", "drop_before"):
                await order(base, kind=kind, operation="transfers.create")
            await until_paid_out(context, stripe, trade)
            made = await transfers_at(base, trade)
            async with httpx.AsyncClient(base_url=base, trust_env=False) as desk:
                assert (await desk.get("/_faults")).json() == {"waiting": []}  # all were met
    assert sorted(one["amount"] for one in made) == [34_200_000, 79_800_000]
