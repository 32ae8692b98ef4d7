"""Disputes, and the two laws about events: any order and number, and a replay into nothing."""

import random
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

from contracts import ids
from contracts.money import Money, WrongCurrency
from exchange.db import Database
from settlement.approvals.rules import Decision
from settlement.disputes import queries, rules
from settlement.disputes.tables import Dispute
from settlement.invoices.tables import Invoice
from settlement.ledger import queries as books
from settlement.outbound.rules import Rejected
from settlement.recoveries import queries as recoveries
from settlement.recoveries import rules as taking
from settlement.recoveries.rules import Cause
from settlement.redletters import queries as red_letters
from settlement.redletters import rules as redletter_rules
from settlement.redletters.tables import RedLetter
from settlement.refunds import queries as refunds
from settlement.refunds import service as refunding
from settlement.refunds.rules import Ask, RefundTooLarge
from settlement.refunds.tables import Refund
from settlement.stripe import service
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.fake_stripe import FakeStripe
from tests.settlement.redletters_factory import asked, issued
from tests.settlement.returns_factory import (
    Staff,
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


async def lost_red_letters(db: Database, trade: Trade) -> list[RedLetter]:
    async with db.sessions() as session:
        return list(await red_letters.of_invoice(session, trade.invoice.id))


async def test_a_lost_dispute_takes_its_invoice_back_once(db: Database) -> None:
    trade, _, provider_id, gateway = await bought(db)
    for status in ("needs_response", "lost", "lost", "under_review", "lost"):
        await told(db, gateway, provider_id, status)
    dispute = await the_dispute(db, trade)
    (letter,) = await lost_red_letters(db, trade)
    assert (letter.state, letter.dispute_id) == ("issued", dispute.id)
    assert (letter.amount_minor, letter.tax_minor) == (GROSS, trade.invoice.tax_minor)
    assert str(letter.number).startswith("UHDXR-")
    assert (letter.prepared_by, letter.decided_by) == (None, None)
    async with db.sessions() as session:
        blue = await session.get_one(Invoice, trade.invoice.id)
    assert (blue.reversed_minor, blue.reversed_tax_minor) == (GROSS, blue.tax_minor)
    assert dispute.charged_at is not None


async def test_a_won_dispute_takes_nothing_back(db: Database) -> None:
    trade, _, provider_id, gateway = await bought(db)
    await told(db, gateway, provider_id, "needs_response")
    await told(db, gateway, provider_id, "won")
    assert await lost_red_letters(db, trade) == []


async def test_a_dispute_of_a_part_takes_a_part_back_and_no_more_tax_than_was_charged(
    db: Database,
) -> None:
    trade, payment_id, provider_id, gateway = await bought(db)
    people = await staff(db)
    refund = await refunded(db, await payment(db, payment_id), GROSS // 3, people)
    await settle(db, gateway)
    ask = asked(trade.invoice.id, GROSS // 3, refund_id=refund.id)
    first = await issued(db, ask, people)
    gateway.disputes[provider_id] = [disputed(provider_id, GROSS - GROSS // 3, "lost")]
    await deliver(db, event(provider_id, "charge.dispute.closed"))
    await settle(db, gateway)
    letters = await lost_red_letters(db, trade)
    (second,) = [one for one in letters if one.dispute_id is not None]
    assert second.amount_minor == GROSS - GROSS // 3
    assert first.tax_minor + second.tax_minor == trade.invoice.tax_minor


async def test_nobody_writes_the_red_letter_of_a_dispute_that_is_not_lost(db: Database) -> None:
    trade, _, provider_id, gateway = await bought(db)
    await told(db, gateway, provider_id, "needs_response")
    dispute = await the_dispute(db, trade)
    ask = asked(trade.invoice.id, 1)
    raw = redletter_rules.content(dispute.id, ask, number="X", tax=Money(0, "CNY"))
    row = RedLetter(
        id=dispute.id, number=f"UHDXR-{dispute.id}", invoice_id=trade.invoice.id,
        dispute_id=dispute.id, amount_minor=1, tax_minor=0, currency="CNY", reason_code="allowance",
        reason="x", state="issued", content=raw, content_sha256=sha256(raw).hexdigest(),
        prepared_at=NOW, decided_at=NOW,
    )  # fmt: skip
    with pytest.raises(DBAPIError, match="follows no lost dispute"):
        async with db.transaction() as session:
            session.add(row)


async def lost(db: Database, gateway: FakeStripe, provider_id: str, amount_minor: int) -> None:
    """A dispute of so much came and was lost."""
    gateway.disputes[provider_id] = [disputed(provider_id, amount_minor, "lost")]
    await deliver(db, event(provider_id, "charge.dispute.closed"))
    await settle(db, gateway)


async def test_no_more_is_refunded_than_a_lost_dispute_has_left(db: Database) -> None:
    _, payment_id, provider_id, gateway = await bought(db)
    people, paid = await staff(db), await payment(db, payment_id)
    await refunded(db, paid, 8_970, people)
    await settle(db, gateway)
    await lost(db, gateway, provider_id, 10_000)
    with pytest.raises(RefundTooLarge) as caught:
        await refunded(db, paid, GROSS - 8_970, people)
    assert caught.value.data["most"] == {"amount_minor": GROSS - 18_970, "currency": "CNY"}
    with pytest.raises(WrongCurrency):
        await prepared(db, Ask(payment_id, Money(1, "USD"), "x"), people)
    await refunded(db, paid, GROSS - 18_970, people)
    async with db.sessions() as session:
        assert (await refunds.left(session, paid)).amount_minor == 0


async def prepared(db: Database, ask: Ask, people: Staff) -> Refund:
    async with db.transaction() as session:
        refund, _ = await refunding.prepare(
            session, ids.new(NOW), ask=ask, person_id=people.maker, now=NOW
        )
        return refund


async def test_a_refund_that_waited_while_a_dispute_was_lost_is_not_approved(db: Database) -> None:
    _, payment_id, provider_id, gateway = await bought(db)
    people = await staff(db)
    refund = await prepared(db, Ask(payment_id, Money(GROSS, "CNY"), "withdrawn"), people)
    await lost(db, gateway, provider_id, 10_000)
    decision = await decided_on(db, refund, people)
    with pytest.raises(RefundTooLarge):
        async with db.transaction() as session:
            await refunding.approve(session, refund.id, decision=decision, now=NOW)
    async with db.transaction() as session:
        done = await refunding.refuse(
            session, refund.id, decision=decision, reason="lost by now", now=NOW
        )
    assert done.state == "refused"


async def decided_on(db: Database, refund: Refund, people: Staff) -> Decision:
    async with db.transaction() as session:
        return await decided(session, people.checker, refund.content_sha256, now=NOW)


async def test_what_had_gone_back_before_a_lost_dispute_waits_in_suspense(db: Database) -> None:
    """Nobody who was paid has it any more, and the worker goes on."""
    trade, payment_id, provider_id, gateway = await bought(db)
    people = await staff(db)
    await refunded(db, await payment(db, payment_id), GROSS - 1_000, people)
    await settle(db, gateway)
    await lost(db, gateway, provider_id, GROSS)
    dispute = await the_dispute(db, trade)
    assert dispute.charged_at is not None
    left = await balances(db, trade)
    assert left.pop("suspense:psp") == GROSS - 1_000
    assert left == {
        "expense:psp-fees": 1_500,
        "psp:stripe:clearing": -(GROSS - 1_000) - 1_500,
    }
    (letter,) = await lost_red_letters(db, trade)
    assert letter.amount_minor == 1_000


@given(lost_minor=st.integers(1, 10**9), left_minor=st.integers(-(10**9), 10**9))
def test_a_loss_is_borne_up_to_what_is_left_and_never_below_nothing(
    lost_minor: int, left_minor: int
) -> None:
    borne = rules.borne(Money(lost_minor, "CNY"), left_minor=left_minor).amount_minor
    assert 0 <= borne <= lost_minor
    assert borne == lost_minor or borne == max(0, left_minor)
