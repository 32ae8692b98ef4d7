"""The executor and the inbox on a real database, with a provider that misbehaves."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import stripe
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import ids
from contracts.money import Money
from exchange.db import Database
from settlement.invoices import queries as invoices
from settlement.invoices import service as invoicing
from settlement.invoices.tables import Payment
from settlement.ledger import queries as books
from settlement.outbound.rules import CREATE_ACCOUNT, CREATE_TRANSFER, Answer, Made, Rejected
from settlement.outbound.tables import Outbound
from settlement.payouts import onboarding
from settlement.payouts import queries as payouts
from settlement.payouts import service as paying
from settlement.payouts.rules import SeenAccount
from settlement.payouts.tables import Payout
from settlement.plans import queries as plans
from settlement.stripe import service
from settlement.stripe.tables import InboundEvent
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import person
from tests.settlement.approvals_factory import decided
from tests.settlement.fake_stripe import FakeStripe
from tests.settlement.settlement_factory import Trade, invoiced, paid, with_accounts

PRICE = Money(120_000_001, "CNY")
SECRET = "whsec_test"
EVENT_TYPES = ("payment_intent.created", "payment_intent.succeeded", "charge.succeeded")


class CrashError(Exception):
    """The process died here."""


@dataclass
class ShakyDatabase:
    """Dies before or after some commits."""

    db: Database
    rng: random.Random
    rate: float

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        async with self.db.transaction() as session:
            yield session
            self._die()
        self._die()

    def _die(self) -> None:
        if self.rng.random() < self.rate:
            raise CrashError


class ShakyStripe(FakeStripe):
    """Its caller sometimes dies right after the call."""

    async def create(self, op: str, params: Mapping[str, Any], *, idem_key: str) -> Answer:
        answer = await super().create(op, params, idem_key=idem_key)
        await asyncio.sleep(0)
        if self._happens(0.1):
            raise CrashError
        return answer


def fake(**change: Any) -> FakeStripe:
    return FakeStripe(NOW, mark=ids.new(NOW).hex, **change)


async def approved(db: Database, capability: str = "active") -> tuple[Trade, UUID]:
    """A paid trade whose payout two people have prepared and approved.

    `capability` is how the account of its last owner stands.
    """
    async with db.transaction() as session:
        trade = await invoiced(session, price=PRICE, now=NOW)
        await paid(session, trade, now=NOW)
        await with_accounts(session, trade, now=NOW)
        last = SeenAccount(f"acct_{trade.owners[-1].id}", capability)
        await onboarding.apply_seen(session, last, now=NOW)
        home = await party(session, now=NOW)
        maker = await person(session, party_id=home.id, role="operator", now=NOW)
        checker = await person(session, party_id=home.id, role="approver", now=NOW)
        payout, _ = await paying.prepare(
            session, ids.new(NOW), deal_id=trade.deal_id, person_id=maker.id, now=NOW
        )
        decision = await decided(session, checker.id, payout.content_sha256, now=NOW)
        await paying.approve(session, payout.id, decision=decision, now=NOW)
        return trade, payout.id


async def asked(db: Database) -> tuple[Trade, UUID]:
    """A trade whose buyer has asked to pay."""
    async with db.transaction() as session:
        trade = await invoiced(session, price=PRICE, now=NOW)
        payment_id = ids.new(NOW)
        await invoicing.request_payment(
            session,
            trade.invoice.id,
            payment_id,
            payer_id=trade.buyer.id,
            method="card",
            now=NOW,
        )
    return trade, payment_id


async def drain(db: Any, gateway: FakeStripe, now: datetime) -> None:
    while await service.send_due(db, gateway, now=now):
        pass


async def payment(db: Database, payment_id: UUID) -> Payment:
    async with db.sessions() as session:
        return await invoices.get_payment_of(session, payment_id, payer_id=None)


async def ready(db: Database, gateway: FakeStripe) -> tuple[Trade, UUID, str]:
    """A trade whose payment waits for the payer at the provider."""
    trade, payment_id = await asked(db)
    await drain(db, gateway, NOW)
    found = await payment(db, payment_id)
    assert found.state == "ready"
    assert found.client_secret == f"{found.provider_id}_secret"
    assert found.provider_id is not None
    return trade, payment_id, found.provider_id


def event(provider_id: str, type: str, *, id: str | None = None) -> str:
    thing = {"object": "payment_intent", "id": provider_id, "amount_received": 1}
    if type.startswith("charge"):
        thing = {"object": "charge", "id": "ch_1", "payment_intent": provider_id}
    return json.dumps(
        {"id": id or f"evt_{ids.new(NOW).hex}", "type": type, "data": {"object": thing}}
    )


async def deliver(db: Database, raw: str) -> bool:
    header = stripe.WebhookSignature.generate_signature_header(raw, SECRET, int(NOW.timestamp()))
    async with db.transaction() as session:
        return await service.receive(session, raw.encode(), header, secret=SECRET, now=NOW)


async def kinds(db: Database, trade: Trade) -> list[str]:
    async with db.sessions() as session:
        return [one["kind"] for one in await books.journals_of_deal(session, trade.deal_id)]


async def test_a_payment_is_made_ready_with_the_invoices_amount(db: Database) -> None:
    gateway = fake()
    _, payment_id, provider_id = await ready(db, gateway)
    params = next(params for _, made, params in gateway.made if made == provider_id)
    assert (params["amount"], params["currency"]) == (120_000_001, "cny")
    assert params["metadata"]["payment"] == str(payment_id)


async def test_a_payees_account_is_opened_once(db: Database) -> None:
    gateway = fake()
    async with db.transaction() as session:
        owner = await party(session, now=NOW)
        await paying.open_account(session, owner.id, country="HK", now=NOW)
    await drain(db, gateway, NOW)
    await drain(db, gateway, NOW + timedelta(days=2))
    made = gateway.of(CREATE_ACCOUNT, "party", owner.id)
    async with db.sessions() as session:
        account = await payouts.get_account(session, owner.id)
    assert [account.provider_id] == made
    assert account.state == "ready"


async def test_a_webhook_is_stored_once_and_pays_the_invoice(db: Database) -> None:
    gateway = fake()
    trade, payment_id, provider_id = await ready(db, gateway)
    gateway.pay(provider_id, PRICE)
    raw = event(provider_id, "payment_intent.succeeded")
    assert [await deliver(db, raw), await deliver(db, raw)] == [True, False]
    await service.apply_due(db, gateway, now=NOW)
    assert (await payment(db, payment_id)).state == "succeeded"
    assert await kinds(db, trade) == ["invoice.issued", "payment.received"]


@pytest.mark.parametrize("seed", range(3))
async def test_repeated_and_reordered_events_have_one_effect(db: Database, seed: int) -> None:
    gateway = fake()
    trade, payment_id, provider_id = await ready(db, gateway)
    raws = [event(provider_id, type) for type in EVENT_TYPES] * 3
    random.Random(seed).shuffle(raws)
    gateway.pay(provider_id, PRICE)
    for raw in raws:
        await deliver(db, raw)
        await asyncio.gather(*(service.apply_due(db, gateway, now=NOW) for _ in range(2)))
    assert (await payment(db, payment_id)).state == "succeeded"
    assert await kinds(db, trade) == ["invoice.issued", "payment.received"]


async def test_an_event_announces_and_does_not_prove(db: Database) -> None:
    """The event says it succeeded; the provider, asked again, says it has not."""
    gateway = fake()
    trade, payment_id, provider_id = await ready(db, gateway)
    await deliver(db, event(provider_id, "payment_intent.succeeded"))
    await service.apply_due(db, gateway, now=NOW)
    assert (await payment(db, payment_id)).state == "ready"
    assert await kinds(db, trade) == ["invoice.issued"]


async def test_an_event_waits_while_the_provider_does_not_answer(db: Database) -> None:
    gateway = fake()
    _, payment_id, provider_id = await ready(db, gateway)
    gateway.pay(provider_id, PRICE)
    await deliver(db, event(provider_id, "payment_intent.succeeded"))
    gateway.rate = 1000.0  # every look-up is lost
    await service.apply_due(db, gateway, now=NOW)
    assert (await payment(db, payment_id)).state == "ready"
    gateway.rate = 0.0
    await service.apply_due(db, gateway, now=NOW + timedelta(seconds=10))
    assert (await payment(db, payment_id)).state == "succeeded"


async def test_an_event_about_something_else_is_put_aside(db: Database) -> None:
    raw = json.dumps(
        {"id": f"evt_{ids.new(NOW).hex}", "type": "x", "data": {"object": {"object": "account"}}}
    )
    await deliver(db, raw)
    await service.apply_due(db, fake(), now=NOW)
    async with db.sessions() as session:
        wanted = select(InboundEvent).where(col(InboundEvent.event_id) == json.loads(raw)["id"])
        stored = (await session.scalars(wanted)).one()
    assert (stored.outcome, stored.raw) == ("about nothing of ours", raw.encode())


async def test_a_payment_is_found_though_no_webhook_ever_comes(db: Database) -> None:
    gateway = fake()
    trade, payment_id, provider_id = await ready(db, gateway)
    gateway.pay(provider_id, PRICE)
    await service.apply_due(db, gateway, now=NOW)
    assert (await payment(db, payment_id)).state == "ready"  # it is not due yet
    await service.apply_due(db, gateway, now=NOW + timedelta(seconds=31))
    assert (await payment(db, payment_id)).state == "succeeded"
    assert await kinds(db, trade) == ["invoice.issued", "payment.received"]


async def test_transfers_are_made_and_the_settlement_is_paid_out(db: Database) -> None:
    gateway = fake()
    trade, payout_id = await approved(db)
    await drain(db, gateway, NOW)
    assert len(gateway.of(CREATE_TRANSFER, "payout", payout_id)) == 2
    async with db.sessions() as session:
        settlement = await plans.get_settlement(session, trade.deal_id)
        payout = await payouts.get_payout(session, payout_id)
    assert (settlement.state, payout.state) == ("paid_out", "paid")


async def test_many_workers_make_each_transfer_once(db: Database) -> None:
    gateway = ShakyStripe(NOW, mark=ids.new(NOW).hex)
    payout_ids = [(await approved(db))[1] for _ in range(4)]
    await asyncio.gather(*(service.send_due(db, gateway, now=NOW) for _ in range(6)))
    for payout_id in payout_ids:
        assert len(gateway.of(CREATE_TRANSFER, "payout", payout_id)) == 2
    calls = [key for op, _, key in gateway.calls if op == CREATE_TRANSFER]
    assert len(calls) == len(set(calls))  # nobody called twice, not even under one key


class Repetitive(FakeStripe):
    """Gives the objects of one payout all the same id."""

    def __init__(self, payout_id: UUID) -> None:
        super().__init__(NOW, mark=ids.new(NOW).hex)
        self.payout_id = payout_id

    async def create(self, op: str, params: Mapping[str, Any], *, idem_key: str) -> Answer:
        answer = await super().create(op, params, idem_key=idem_key)
        if params.get("metadata", {}).get("payout") == str(self.payout_id):
            return Made(f"tr_{self.payout_id.hex}")
        return answer


async def test_an_answer_that_cannot_be_written_down_keeps_no_other_back(db: Database) -> None:
    trades = [await approved(db) for _ in range(3)]
    gateway = Repetitive(trades[1][1])
    with pytest.raises(DBAPIError):
        await service.send_due(db, gateway, now=NOW)
    async with db.sessions() as session:
        states = [(await payouts.get_payout(session, payout)).state for _, payout in trades]
        made = [one.state for one in await payouts.transfers(session, trades[1][1])]
    assert states == ["paid", "approved", "paid"]
    assert sorted(made) == ["made", "sending"]


async def test_a_call_that_breaks_loses_no_answer_of_the_others(db: Database) -> None:
    """Nobody knows whether it took effect: the next worker looks before it sends."""
    first, second = [(await approved(db))[1] for _ in range(2)]

    class Breaking(FakeStripe):
        async def create(self, op: str, params: Mapping[str, Any], *, idem_key: str) -> Answer:
            answer = await super().create(op, params, idem_key=idem_key)
            if params.get("metadata", {}).get("payout") == str(first):
                raise CrashError
            return answer

    gateway = Breaking(NOW, mark=ids.new(NOW).hex)
    with pytest.raises(CrashError):
        await service.send_due(db, gateway, now=NOW)
    async with db.sessions() as session:
        assert (await payouts.get_payout(session, second)).state == "paid"
    later = NOW + timedelta(minutes=5)
    await drain(db, gateway, later)
    async with db.sessions() as session:
        assert (await payouts.get_payout(session, first)).state == "paid"
    assert len(gateway.of(CREATE_TRANSFER, "payout", first)) == 2


async def test_whatever_breaks_each_payee_is_paid_once(db: Database) -> None:
    """Faults of the provider and deaths of the worker at every step, on the real tables."""
    rng = random.Random(20261122)
    gateway = ShakyStripe(NOW, rng, rate=1.0, mark=ids.new(NOW).hex)
    # Instructions are taken up and answered together: few commits, so each is deadlier.
    shaky = ShakyDatabase(db, rng, 0.2)
    trades = [await approved(db) for _ in range(12)]
    died = 0
    for step in range(60):
        if step == 40:
            gateway.rate = shaky.rate = 0.0
        gateway.now += timedelta(seconds=rng.choice([5, 60, 600, 7200, 13 * 3600, 30 * 3600]))
        for _ in range(20):
            try:
                await drain(shaky, gateway, gateway.now)
                break
            except CrashError:
                died += 1
    gateway.finish_late()
    assert died > 20
    for trade, payout_id in trades:
        assert len(gateway.of(CREATE_TRANSFER, "payout", payout_id)) == 2
        async with db.sessions() as session:
            payout = await payouts.get_payout(session, payout_id)
            rows = await payouts.transfers(session, payout_id)
            settled = await plans.get_settlement(session, trade.deal_id)
            faults = await books.check(session)
        assert (payout.state, settled.state) == ("paid", "paid_out")
        assert {row.provider_id for row in rows} == set(
            gateway.of(CREATE_TRANSFER, "payout", payout_id)
        )
        made = [kind for kind in await kinds(db, trade) if kind == "transfer.made"]
        assert len(made) == 2
        assert faults == []


async def test_a_refused_payment_request_lets_the_payer_try_again(db: Database) -> None:
    _, payment_id = await asked(db)
    await drain(db, fake(refusal=Rejected("400", final=True)), NOW)
    assert (await payment(db, payment_id)).state == "failed"


async def test_a_refused_transfer_keeps_its_money_in_transit_and_its_reason(
    db: Database,
) -> None:
    _, payout_id = await approved(db)
    await drain(db, fake(refusal=Rejected("balance_insufficient", final=True)), NOW)
    async with db.sessions() as session:
        wanted = select(Outbound).where(col(Outbound.object_id) == payout_id)
        rows = (await session.scalars(wanted)).all()
        payout = await session.get(Payout, payout_id)
    assert {(row.state, row.fault) for row in rows} == {("intent", "balance_insufficient")}
    assert payout is not None
    assert payout.state == "approved"
    healed = fake()
    await drain(db, healed, NOW + timedelta(hours=7))
    assert len(healed.of(CREATE_TRANSFER, "payout", payout_id)) == 2
