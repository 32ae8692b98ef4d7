"""Disputes, and the two laws about events: any order and number, and a replay into nothing."""

import random
from collections.abc import Mapping
from datetime import timedelta

from exchange.db import Database
from settlement.disputes import queries
from settlement.disputes.tables import Dispute
from settlement.ledger import queries as books
from settlement.outbound.rules import Rejected
from settlement.recoveries import queries as recoveries
from settlement.recoveries import rules as taking
from settlement.recoveries.rules import Cause
from settlement.stripe import service
from tests.conftest import NOW
from tests.settlement.fake_stripe import FakeStripe
from tests.settlement.returns_factory import (
    balances,
    disputed,
    paid_out,
    refunded,
    settle,
    staff,
)
from tests.settlement.settlement_factory import Trade
from tests.settlement.test_refunds import bought
from tests.settlement.test_stripe_service import PRICE, deliver, event, fake, payment, ready

GROSS = PRICE.amount_minor


async def told(db: Database, gateway: FakeStripe, provider_id: str, status: str) -> None:
    """The provider's dispute stands at a status, and its event has come and been applied."""
    gateway.disputes[provider_id] = [disputed(provider_id, GROSS, status)]
    await deliver(db, event(provider_id, f"charge.dispute.{status}"))
    await settle(db, gateway)


async def the_dispute(db: Database, trade: Trade) -> Dispute:
    async with db.sessions() as session:
        found = await queries.of_deal(session, trade.deal_id)
    assert len(found) == 1
    return found[0]


async def test_an_inquiry_moves_no_money(db: Database) -> None:
    trade, _, provider_id, gateway = await bought(db)
    before = await balances(db, trade)
    for status in ("warning_needs_response", "warning_under_review", "warning_closed"):
        await told(db, gateway, provider_id, status)
        assert await balances(db, trade) == before
    assert (await the_dispute(db, trade)).state == "inquiry_closed"


async def test_a_dispute_reserves_what_was_drawn_and_a_won_one_brings_it_back(
    db: Database,
) -> None:
    trade, _, provider_id, gateway = await bought(db)
    before = await balances(db, trade)
    await told(db, gateway, provider_id, "needs_response")
    drawn = await balances(db, trade)
    assert drawn["dispute:reserve"] == GROSS
    assert drawn["expense:psp-fees"] == 1_500
    assert drawn["psp:stripe:clearing"] == before["psp:stripe:clearing"] - GROSS - 1_500
    await told(db, gateway, provider_id, "under_review")
    assert await balances(db, trade) == drawn
    await told(db, gateway, provider_id, "won")
    after = await balances(db, trade)
    assert after.pop("expense:psp-fees") == 1_500
    after["psp:stripe:clearing"] += 1_500
    assert after == before
    assert (await the_dispute(db, trade)).state == "won"


async def test_a_lost_dispute_before_the_payout_is_borne_by_what_is_due(db: Database) -> None:
    trade, _, provider_id, gateway = await bought(db)
    await told(db, gateway, provider_id, "needs_response")
    await told(db, gateway, provider_id, "lost")
    left = await balances(db, trade)
    assert left == {"expense:psp-fees": 1_500, "psp:stripe:clearing": -1_500}


async def test_a_lost_dispute_after_the_payout_reverses_the_transfers(db: Database) -> None:
    trade, _, provider_id, gateway = await bought(db)
    await paid_out(db, gateway, trade, await staff(db))
    await told(db, gateway, provider_id, "needs_response")
    assert "recoverable:owner0" not in await balances(db, trade)  # the bank has not decided
    await told(db, gateway, provider_id, "lost")
    dispute = await the_dispute(db, trade)
    async with db.sessions() as session:
        rows = await recoveries.of_cause(session, Cause(taking.DISPUTE, dispute.id))
    assert [row.state for row in rows] == ["taken", "reversed", "reversed"]
    assert await balances(db, trade) == {"expense:psp-fees": 1_500, "psp:stripe:clearing": -1_500}


async def test_a_dispute_lost_while_transfers_are_under_way_waits_for_them(db: Database) -> None:
    trade, _, provider_id, gateway = await bought(db)
    await paid_out(db, fake(refusal=Rejected("429", final=False)), trade, await staff(db))
    gateway.disputes[provider_id] = [disputed(provider_id, GROSS, "lost")]
    await deliver(db, event(provider_id, "charge.dispute.closed"))
    while await service.apply_due(db, gateway, now=NOW):
        pass
    assert (await the_dispute(db, trade)).charged_at is None
    await settle(db, gateway, NOW + timedelta(hours=7))
    await settle(db, gateway, NOW + timedelta(hours=7))
    assert (await the_dispute(db, trade)).charged_at is not None
    assert await balances(db, trade) == {"expense:psp-fees": 1_500, "psp:stripe:clearing": -1_500}


async def test_an_older_look_does_not_undo_a_newer_one(db: Database) -> None:
    trade, _, provider_id, gateway = await bought(db)
    await told(db, gateway, provider_id, "lost")
    after = await balances(db, trade)
    for status in ("needs_response", "warning_needs_response", "under_review"):
        await told(db, gateway, provider_id, status)
    assert await balances(db, trade) == after
    assert (await the_dispute(db, trade)).state == "lost"


EVENTS = (
    "payment_intent.created", "payment_intent.succeeded", "charge.succeeded", "refund.created",
    "charge.refunded", "refund.updated", "charge.dispute.created", "charge.dispute.updated",
    "charge.dispute.funds_withdrawn", "charge.dispute.closed",
)  # fmt: skip


async def lived(db: Database, *, seed: int) -> tuple[Trade, Mapping[str, int]]:
    """One payment, a part of it refunded and the rest disputed and lost; its events in any order.

    What the provider shows moves on between the events, so that an early look sees an early state.
    """
    rng, gateway = random.Random(seed), fake()
    trade, payment_id, provider_id = await ready(db, gateway)
    gateway.pay(provider_id, PRICE)
    gateway.fees[provider_id] = PRICE.share(290)
    raws = [event(provider_id, type) for type in EVENTS for _ in range(rng.randint(1, 3))]
    rng.shuffle(raws)
    await deliver(db, event(provider_id, "payment_intent.succeeded"))
    await settle(db, gateway)
    await refunded(db, await payment(db, payment_id), 20_000_001, await staff(db))
    await settle(db, gateway)
    stages = ["needs_response", "under_review", "lost"]
    turns = sorted(rng.sample(range(len(raws)), len(stages)))
    for turn, raw in enumerate(raws):
        if turn in turns:
            status = stages[turns.index(turn)]
            gateway.disputes[provider_id] = [disputed(provider_id, 100_000_000, status)]
        await deliver(db, raw)
        if rng.random() < 0.7:
            await settle(db, gateway)
    await deliver(db, event(provider_id, "charge.dispute.closed"))
    await settle(db, gateway)
    return trade, await balances(db, trade)


async def test_invariant_28_any_order_and_number_of_events_gives_the_same_balances(
    db: Database,
) -> None:
    seen = [await lived(db, seed=seed) for seed in range(3)]
    assert {tuple(sorted(found.items())) for _, found in seen} == {
        (("expense:psp-fees", 1_500), ("psp:stripe:clearing", -1_500))
    }
    async with db.sessions() as session:
        assert await books.check(session) == []
