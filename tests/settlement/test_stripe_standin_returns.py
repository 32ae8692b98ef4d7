"""A refund's whole way through the real SDK, against the stand-in in its own process."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import httpx

from contracts import ids
from contracts.money import Money
from exchange import clock
from exchange.context import Context
from settlement.ledger import queries as books
from settlement.recoveries import queries as recoveries
from settlement.recoveries import rules as taking
from settlement.recoveries.rules import Cause
from settlement.recoveries.tables import Recovery
from settlement.refunds import queries as refunds
from settlement.refunds import resending
from settlement.refunds import service as refunding
from settlement.refunds.rules import TO_CARD, Again, Ask
from settlement.refunds.tables import Refund
from settlement.stripe import service
from settlement.stripe.gateway import StripeGateway
from tests import stripe_walk
from tests.settlement.approvals_factory import decided
from tests.settlement.returns_factory import Staff, balances, staff
from tests.settlement.standin import running_standin
from tests.settlement.test_stripe_standin import (
    approve,
    asked,
    confirm,
    gateway,
    order,
    serving,
    until_paid,
    until_paid_out,
    until_ready,
)


async def ordered(context: Context, payment_id: UUID) -> Refund:
    """A refund that two people have decided."""
    people, now = await staff(context.db), clock.now()
    ask = Ask(payment_id, Money(2_000_000, "CNY"), "rights withdrawn")
    async with context.db.transaction() as session:
        refund, _ = await refunding.prepare(
            session, ids.new(now), ask=ask, person_id=people.maker, now=now
        )
        decision = await decided(session, people.checker, refund.content_sha256, now=now)
        return await refunding.approve(session, refund.id, decision=decision, now=now)


async def ordered_again(context: Context, refund: Refund, people: Staff) -> Refund:
    """The order that sends a failed refund to its card again, decided by two people."""
    now = clock.now()
    again = Again(refund.id, "the bank asks for it anew", TO_CARD)
    async with context.db.transaction() as session:
        made, _ = await resending.resend(
            session, ids.new(now), again=again, person_id=people.maker, now=now
        )
        decision = await decided(session, people.checker, made.content_sha256, now=now)
        return await refunding.approve(session, made.id, decision=decision, now=now)


async def until_state(
    context: Context, stripe: StripeGateway, refund_id: UUID, state: str
) -> Refund:
    """Work until a refund stands at a state."""
    for _ in range(150):
        await service.send_due(context.db, stripe, now=clock.now())
        await service.apply_due(context.db, stripe, now=clock.now())
        async with context.db.sessions() as session:
            refund = await refunds.get_refund(session, refund_id)
        if refund.state == state:
            return refund
        await asyncio.sleep(0.1)
    raise AssertionError(f"the refund is {refund.state}")


async def test_a_refund_that_failed_later_is_sent_again_once_though_its_answer_is_lost(
    context: Context, tmp_path: Path
) -> None:
    async with serving(context) as here:
        with running_standin(tmp_path, f"{here}/v1/stripe/webhooks") as base:
            async with (
                gateway(base) as stripe,
                httpx.AsyncClient(base_url=base, trust_env=False) as desk,
            ):
                trade, payment = await asked(context)
                asked_for = await until_ready(context, stripe, payment)
                await confirm(base, asked_for)
                await until_paid(context, stripe, payment)
                refund = await ordered(context, payment.id)
                made = await until_state(context, stripe, refund.id, "made")
                failure = await desk.post(f"/_refunds/{made.provider_id}/failure", json={})
                assert failure.status_code == 200
                await until_state(context, stripe, refund.id, "failed")
                owed = await balances(context.db, trade)
                await order(base, kind="drop_after", operation="refunds.create")
                again = await ordered_again(context, refund, await staff(context.db))
                arrived = await until_state(context, stripe, again.id, "made")
                listed = (await desk.get("/_books")).json()
                seen = await stripe.see_payment(str(asked_for.provider_id))
    assert owed["refund:buyer:owed"] == -2_000_000
    assert arrived.provider_id != made.provider_id
    assert listed["balanced"]
    assert listed["accounts"]["cards"]["cny"] == -118_000_000  # once, not twice
    assert seen is not None
    assert {one.refund_id: one.failed for one in seen.refunds} == {refund.id: True, again.id: False}
    left = await balances(context.db, trade)
    assert not [code for code in left if code.startswith("refund:")]
    async with context.db.sessions() as session:
        assert await books.check(session) == []


async def until_back(
    context: Context, stripe: StripeGateway, refund_id: UUID
) -> Sequence[Recovery]:
    """Work until the buyer has the money and the payees have given it back."""
    for _ in range(150):
        await service.send_due(context.db, stripe, now=clock.now())
        await service.apply_due(context.db, stripe, now=clock.now())
        async with context.db.sessions() as session:
            state = (await refunds.get_refund(session, refund_id)).state
            rows = await recoveries.of_cause(session, Cause(taking.REFUND, refund_id))
        if state == "made" and {row.state for row in rows} == {"taken", "reversed"}:
            return rows
        await asyncio.sleep(0.1)
    raise AssertionError("the refund never went back")


async def test_a_refund_goes_back_once_though_its_answers_are_lost(
    context: Context, tmp_path: Path
) -> None:
    async with serving(context) as here:
        with running_standin(tmp_path, f"{here}/v1/stripe/webhooks") as base:
            async with gateway(base) as stripe:
                trade, payment = await asked(context)
                await confirm(base, await until_ready(context, stripe, payment))
                await until_paid(context, stripe, payment)
                await approve(context, trade)
                await until_paid_out(context, stripe, trade)
                for operation in ("refunds.create", "transfer_reversals.create"):
                    await order(base, kind="drop_after", operation=operation)
                refund = await ordered(context, payment.id)
                rows = await until_back(context, stripe, refund.id)
            async with httpx.AsyncClient(base_url=base, trust_env=False) as desk:
                shown = (await desk.get("/_books")).json()
    assert [row.state for row in rows] == ["taken", "reversed", "reversed"]
    assert shown["balanced"]
    assert shown["accounts"]["cards"]["cny"] == -118_000_000  # once, not twice
    owners = [sums["cny"] for name, sums in shown["accounts"].items() if name.startswith("acct_")]
    assert sum(owners) == 114_000_000 - 1_900_000
    left = await balances(context.db, trade)
    assert not [code for code in left if code.startswith(("recoverable:", "refund:"))]
    async with context.db.sessions() as session:
        assert await books.check(session) == []
    assert {"refunds.create", "transfer_reversals.create", "disputes.list"} <= set(stripe_walk.seen)
