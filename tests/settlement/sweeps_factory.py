"""Sweeps for tests: money that is free at the provider, swept by two people."""

import json
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.money import Money
from exchange.db import Database
from settlement.bank.rules import descriptor
from settlement.bank.tables import BankAccount
from settlement.clearing import service as clearing
from settlement.clearing.rules import Entry
from settlement.sweeps import queries, service
from settlement.sweeps.rules import Ask
from settlement.sweeps.tables import Sweep
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.bank_factory import Bank, followed
from tests.settlement.bank_factory import staff as a_person
from tests.settlement.fake_stripe import FakeStripe
from tests.settlement.returns_factory import Staff, paid_out, settle, staff
from tests.settlement.settlement_factory import Trade
from tests.settlement.test_stripe_service import PRICE, deliver, event, fake, ready


async def bought(db: Database) -> tuple[Trade, FakeStripe]:
    """A trade whose buyer has paid by card, and the provider's list that says so."""
    gateway = fake()
    trade, _, provider_id = await ready(db, gateway)
    gateway.pay(provider_id, PRICE)
    await deliver(db, event(provider_id, "payment_intent.succeeded"))
    await settle(db, gateway)
    await listed(db, PRICE.amount_minor, reference=provider_id)
    return trade, gateway


async def earned(db: Database) -> tuple[int, FakeStripe]:
    """A trade that was paid and paid out: its commission is ours, and lies at the provider."""
    trade, gateway = await bought(db)
    await paid_out(db, gateway, trade, await staff(db))
    left = PRICE.amount_minor - sum(
        given["amount"] for op, _, given in gateway.made if op == "transfer.create"
    )
    await listed(db, left - PRICE.amount_minor, reference=f"tr_{ids.new(NOW).hex}")
    return left, gateway


async def listed(db: Database, minor: int, *, reference: str, available_at: datetime = NOW) -> None:
    """A movement of the balance as the provider lists it."""
    moved = Entry(
        f"txn_{ids.new(NOW).hex}", "charge", reference, "CNY", minor, 0, NOW, available_at
    )
    async with db.transaction() as session:
        await clearing.take_over(session, [moved], now=NOW)


async def free(db: Database) -> int:
    async with db.sessions() as session:
        return (await queries.funds(session, "CNY", now=NOW)).free_minor


async def a_bank(db: Database, currency: str = "CNY") -> Bank:
    async with db.transaction() as session:
        return Bank(await followed(session, currency))


async def prepared(
    session: AsyncSession, account: BankAccount, minor: int, maker: UUID, *, now: datetime = NOW
) -> Sweep:
    ask = Ask(account.id, Money(minor, account.currency))
    sweep, _ = await service.prepare(session, ids.new(now), ask=ask, person_id=maker, now=now)
    return sweep


async def swept(
    db: Database, account: BankAccount, minor: int, people: Staff, *, now: datetime = NOW
) -> Sweep:
    """A sweep that two people have prepared and approved."""
    async with db.transaction() as session:
        sweep = await prepared(session, account, minor, people.maker, now=now)
    async with db.transaction() as session:
        decision = await decided(session, people.checker, sweep.content_sha256, now=now)
        return await service.approve(session, sweep.id, decision=decision, now=now)


async def seen(db: Database, sweep_id: UUID) -> Sweep:
    async with db.sessions() as session:
        return await queries.get_sweep(session, sweep_id)


def told(provider_id: str, type: str) -> str:
    """An event about a payout of the provider."""
    thing = {"object": "payout", "id": provider_id, "status": "whatever"}
    return json.dumps({"id": f"evt_{ids.new(NOW).hex}", "type": type, "data": {"object": thing}})


async def of_one(session: AsyncSession, *, now: datetime) -> dict[str, str]:
    """A sweep that waits for its decision, whatever is free, by the name that paths give it."""
    account = await followed(session)
    sweep_id, ask = ids.new(now), Ask(account.id, Money(1, account.currency))
    raw = service._content(sweep_id, ask, account)
    session.add(
        Sweep(
            id=sweep_id,
            account_id=account.id,
            amount_minor=1,
            currency=account.currency,
            descriptor=descriptor(sweep_id),
            state="prepared",
            content=raw,
            content_sha256=canonical.sha256_hex(raw),
            prepared_by=await a_person(session),
            prepared_at=now,
        )
    )
    await session.flush()
    return {"sweep_id": str(sweep_id)}
