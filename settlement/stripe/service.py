"""Sending instructions to Stripe and applying what it tells; run by any number of workers.

Each step is a transaction of its own, with the calls between them: what was decided is committed
before the provider hears of it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select, update

from contracts import ids
from contracts.refusal import Refusal
from settlement.cardholds import service as cardholds
from settlement.deposits import carding
from settlement.disputes import service as disputes
from settlement.invoices import service as invoices
from settlement.outbound import rules as outbound_rules
from settlement.outbound import service as outbound
from settlement.outbound.rules import Answer, Lost, Made, Step
from settlement.outbound.service import Claim
from settlement.payouts import onboarding
from settlement.payouts.rules import ACTIVE
from settlement.refunds import service as refunds
from settlement.stripe import effects, rules
from settlement.stripe.gateway import AnswerLost, Gateway
from settlement.stripe.rules import History
from settlement.stripe.tables import InboundEvent
from settlement.sweeps import service as sweeps

_log = logging.getLogger("settlement.stripe")

MOST_AT_ONCE = 50
CALLS_AT_ONCE = 8  # what the provider lets one platform ask for at once, by far


class Transactions(Protocol):
    """What the executor needs of a database: transactions, one after another."""

    def transaction(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Open a session that commits when the block ends."""
        ...


class Look(Protocol):
    """A look at one thing of the provider's, and what follows from it."""

    async def __call__(self, db: Transactions, gateway: Gateway, *, now: datetime) -> None:
        """Ask, then write down; the outcome is lost where the answer is."""
        ...


class Desk(Protocol):
    """Where instructions are taken from and answers written down; each verb commits."""

    async def claim(self, now: datetime) -> Claim | None:
        """Take up the instruction that is due longest."""
        ...

    async def repeat(self, claim: Claim, now: datetime) -> Claim | None:
        """Mark an instruction sent again after an empty look-up; None when it has to wait."""
        ...

    async def conclude(self, claim: Claim, answer: Answer, now: datetime) -> None:
        """Write down an answer and what follows from it."""
        ...


@dataclass(frozen=True, slots=True)
class DatabaseDesk:
    """The desk of the database."""

    db: Transactions

    async def claim(self, now: datetime) -> Claim | None:
        """Take up the instruction that is due longest, passing over those in other hands."""
        async with self.db.transaction() as session:
            return await outbound.claim(session, now=now)

    async def repeat(self, claim: Claim, now: datetime) -> Claim | None:
        """Mark an instruction sent again after an empty look-up."""
        async with self.db.transaction() as session:
            return await outbound.repeat(session, claim, now=now)

    async def conclude(self, claim: Claim, answer: Answer, now: datetime) -> None:
        """Write down an answer and its effect in one transaction."""
        await self.conclude_many([(claim, answer)], now)

    async def claim_many(self, most: int, now: datetime) -> list[Claim]:
        """Take up the instructions that are due longest."""
        async with self.db.transaction() as session:
            return await outbound.claim_many(session, most=most, now=now)

    async def conclude_many(self, answered: Sequence[tuple[Claim, Answer]], now: datetime) -> None:
        """Write down several answers and their effects in one transaction: all or none."""
        async with self.db.transaction() as session:
            ended = await outbound.conclude_many(session, answered, now=now)
            await effects.take(session, ended, now=now)


async def send_due(db: Transactions, gateway: Gateway, *, now: datetime) -> int:
    """Carry out the instructions that are due, at most 50; return how many were taken up.

    They are taken up together, called for a few at a time, and their answers written down
    together. Who dies in between leaves each as a single one is left: sent, and looked for by the
    next before anything is sent again. Where the answers cannot be written down together, each is
    by itself, so that a bad one keeps no other back.
    """
    desk, clock = DatabaseDesk(db), asyncio.get_running_loop().time
    until, few = clock() + outbound_rules.LEASE.total_seconds(), asyncio.Semaphore(CALLS_AT_ONCE)
    claims = await desk.claim_many(MOST_AT_ONCE, now)

    async def one(claim: Claim) -> tuple[Claim, Answer] | None:
        async with few:
            return await _carry_out(desk, gateway, claim, now=now, clock=clock, until=until)

    outcomes = await asyncio.gather(*map(one, claims), return_exceptions=True)
    answered = [outcome for outcome in outcomes if isinstance(outcome, tuple)]
    await _write_down(desk, answered, now=now)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return len(claims)


async def _write_down(
    desk: DatabaseDesk, answered: Sequence[tuple[Claim, Answer]], *, now: datetime
) -> None:
    if not answered:
        return
    try:
        await desk.conclude_many(answered, now)
    except (Refusal, DBAPIError) as error:
        if len(answered) == 1:
            raise
        _log.warning("%s answers are written down one by one: %s", len(answered), error)
        failed: Exception | None = None
        for claim, answer in answered:
            try:
                await desk.conclude(claim, answer, now)
            except (Refusal, DBAPIError) as again:
                failed = again
        if failed is not None:
            raise failed from error


async def send_one(
    desk: Desk, gateway: Gateway, *, now: datetime, clock: Callable[[], float]
) -> bool:
    """Take up one instruction and carry it out; False when none is due.

    A worker that was stopped for longer than its lease does not call any more: another may have
    the instruction by now, and the provider may have forgotten its key.

    Args:
        desk: where instructions are kept.
        gateway: the provider.
        now: the instant.
        clock: seconds that only ever grow, from any beginning.
    """
    until = clock() + outbound_rules.LEASE.total_seconds()
    claim = await desk.claim(now)
    if claim is None:
        return False
    answered = await _carry_out(desk, gateway, claim, now=now, clock=clock, until=until)
    if answered is not None:
        await desk.conclude(*answered, now)
    return True


async def _carry_out(
    desk: Desk,
    gateway: Gateway,
    claim: Claim,
    *,
    now: datetime,
    clock: Callable[[], float],
    until: float,
) -> tuple[Claim, Answer] | None:
    """Return what is to be written down of a claim; None when it has to wait."""
    if claim.step is Step.LOOK:
        answer = await _look(gateway, claim)
        if answer is not None:
            return claim, answer
        repeated = await desk.repeat(claim, now)
        if repeated is None:
            return None
        claim = repeated
    if clock() > until:
        return None
    return claim, await gateway.create(claim.op, claim.params, idem_key=claim.idem_key)


async def receive(
    session: AsyncSession, raw: bytes, signature: str, *, secret: str, now: datetime
) -> bool:
    """Store an event once, byte for byte; True when it is new. It is applied later.

    Raises:
        BadWebhookSignature: it is not Stripe's, or its time is not near `now`.
        BadEvent: it is signed, but no event.
    """
    rules.check_signature(raw, signature, secret=secret, now=now)
    event = rules.read_event(raw)
    stored = (
        insert(InboundEvent)
        .values(
            id=ids.new(now),
            provider=rules.PROVIDER,
            event_id=event.id,
            type=event.type,
            payment_intent=event.payment_intent,
            payout=event.payout,
            account=event.account,
            raw=raw,
            received_at=now,
            tries=0,
            next_at=now,
        )
        .on_conflict_do_nothing(constraint="inbound_event_is_stored_once")
        .returning(col(InboundEvent.id))
    )
    return (await session.execute(stored)).scalar_one_or_none() is not None


async def apply_due(db: Transactions, gateway: Gateway, *, now: datetime) -> int:
    """Apply events that wait, and look at payments without news; return how many were looked at.

    An event only says where to look: the payment is asked for again, so that order, repetition and
    age of events make no difference. Payments whose events never come are found by their age.
    """
    for done in range(MOST_AT_ONCE):
        if not (
            await _apply_event(db, gateway, now=now)
            or await _look_after(db, gateway, now=now)
            or await _charge_lost(db, now=now)
        ):
            return done
    return MOST_AT_ONCE


async def _apply_event(db: Transactions, gateway: Gateway, *, now: datetime) -> bool:
    async with db.transaction() as session:
        event = await _next_event(session, now=now)
        if event is None:
            return False
        event_id, named, payout, payee = (
            event.id, event.payment_intent, event.payout, event.account,
        )  # fmt: skip
    outcome, seen, swept, account = "about nothing of ours", None, None, None
    try:
        seen = None if named is None else await gateway.see_payment(named)
        swept = None if payout is None else await gateway.see_payout(payout)
        account = None if payee is None else await gateway.see_account(payee)
    except AnswerLost:
        return True
    async with db.transaction() as session:
        if seen is not None and await apply_history(session, seen, now=now):
            outcome = "applied"
        if swept is not None and await sweeps.apply_seen(session, swept, now=now):
            outcome = "applied"
        if account is not None and await onboarding.apply_seen(session, account, now=now):
            outcome = "applied"
        await _handled(session, event_id, outcome=outcome, now=now)
    return True


async def _look_after(db: Transactions, gateway: Gateway, *, now: datetime) -> bool:
    """Look at what had no news for long; False when there is nothing."""
    async with db.transaction() as session:
        look = await _unheard(session, now=now)
    if look is None:
        return False
    with suppress(AnswerLost):
        await look(db, gateway, now=now)
    return True


async def _unheard(session: AsyncSession, *, now: datetime) -> Look | None:
    """Take up a payment, a deposit on a card, a sweep or a payee's account that is due."""
    payment = await invoices.unheard(session, now=now) or await cardholds.unheard(session, now=now)
    if payment is not None:
        return partial(_look_at_payment, payment)
    sweep = await sweeps.unheard(session, now=now)
    if sweep is not None:
        return partial(_look_at_sweep, sweep)
    account = await onboarding.due(session, now=now)
    return None if account is None else partial(_look_at_account, account)


async def _look_at_payment(
    provider_id: str, db: Transactions, gateway: Gateway, *, now: datetime
) -> None:
    seen = await gateway.see_payment(provider_id)
    if seen is not None:
        async with db.transaction() as session:
            await apply_history(session, seen, now=now)


async def _look_at_sweep(
    provider_id: str, db: Transactions, gateway: Gateway, *, now: datetime
) -> None:
    seen = await gateway.see_payout(provider_id)
    if seen is not None:
        async with db.transaction() as session:
            await sweeps.apply_seen(session, seen, now=now)


async def _look_at_account(
    due: onboarding.Due, db: Transactions, gateway: Gateway, *, now: datetime
) -> None:
    """Look at a payee's account, and make the link that its owner asked for."""
    seen = await gateway.see_account(due.provider_id)
    if seen is None:
        return
    async with db.transaction() as session:
        await onboarding.apply_seen(session, seen, now=now)
    if due.return_url is None or seen.capability == ACTIVE:
        return
    link = await gateway.link_account(due.provider_id, return_url=due.return_url)
    async with db.transaction() as session:
        await onboarding.linked(session, due.party_id, link)


async def _charge_lost(db: Transactions, *, now: datetime) -> bool:
    """Let payees bear a lost dispute that had to wait for their transfers."""
    async with db.transaction() as session:
        return await disputes.charge_due(session, now=now)


async def apply_history(session: AsyncSession, seen: History, *, now: datetime) -> bool:
    """Take over all that the provider shows of a payment; False when it is none of ours."""
    payment = await invoices.apply_seen(session, seen.payment, now=now)
    if payment is None:
        return seen.hold is not None and await carding.apply_seen(session, seen.hold, now=now)
    for refund in sorted(seen.refunds, key=lambda one: one.provider_id):
        await refunds.apply_seen(session, seen.payment.provider_id, refund, now=now)
    for dispute in sorted(seen.disputes, key=lambda one: one.opened_at):
        await disputes.apply_seen(session, payment.id, dispute, now=now)
    return True


async def _next_event(session: AsyncSession, *, now: datetime) -> InboundEvent | None:
    """Take up the event that waits longest, and put it off in case this worker dies."""
    wanted = (
        select(InboundEvent)
        .where(col(InboundEvent.handled_at).is_(None), col(InboundEvent.next_at) <= now)
        .order_by(col(InboundEvent.next_at))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    event = await session.scalar(wanted.execution_options(populate_existing=True))
    if event is not None:
        event.next_at = now + timedelta(seconds=rules.retry_s(event.tries))
        event.tries += 1
        await session.flush()
    return event


async def _handled(session: AsyncSession, event_id: UUID, *, outcome: str, now: datetime) -> None:
    waits = (col(InboundEvent.id) == event_id) & col(InboundEvent.handled_at).is_(None)
    handled = update(InboundEvent).where(waits).values(handled_at=now, outcome=outcome)
    await session.execute(handled, execution_options={"synchronize_session": False})


async def _look(gateway: Gateway, claim: Claim) -> Answer | None:
    """Ask whether the instruction took effect; None when the provider knows nothing of it."""
    try:
        found = await gateway.find(claim.op, claim.params, intent_id=str(claim.id))
    except AnswerLost as lost:
        return Lost(str(lost))
    return None if found is None else Made(found)
