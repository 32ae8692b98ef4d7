"""Refunds and disputes whose events never come: found in the provider's lists, applied as always.

The lists are read every hour, from a day before the last time; a refund that may still fail and a
dispute that is still open are listed again for as long. What stands here as it is listed is passed
over; of everything else the payment is asked for and applied, as an event about it would be.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from settlement.disputes import queries as disputes
from settlement.refunds import queries as refunds
from settlement.stripe import lists, rules, service
from settlement.stripe.gateway import AnswerLost, Gateway
from settlement.stripe.rules import Listed
from settlement.stripe.service import Transactions


@dataclass(frozen=True, slots=True)
class Span:
    """From when on the lists are to be read; None: from their beginning."""

    refunds_from: datetime | None
    disputes_from: datetime | None


async def watch_due(db: Transactions, gateway: Gateway, *, now: datetime) -> int:
    """Read the lists if they are due; return how many payments were applied anew.

    A worker that dies, or gets no answer, leaves the lists to be read again five minutes later from
    where they were read before.
    """
    async with db.transaction() as session:
        span = await _take_up(session, now=now)
    if span is None:
        return 0
    try:
        listed = await gateway.returns(
            refunds_from=span.refunds_from, disputes_from=span.disputes_from
        )
        async with db.transaction() as session:
            news = [one.payment for one in listed if not await _stands(session, one)]
        payments = list(dict.fromkeys(news))
        for provider_id in payments:
            await _apply(db, gateway, provider_id, now=now)
    except AnswerLost:
        return 0
    async with db.transaction() as session:
        await lists.was_read(session, rules.RETURNS, every=rules.LISTED_EVERY, now=now)
    return len(payments)


async def _take_up(session: AsyncSession, *, now: datetime) -> Span | None:
    """Take the lists up, and put them off in case this worker dies."""
    line = await lists.take_up(session, rules.RETURNS, again=rules.LISTED_AGAIN, now=now)
    if line is None:
        return None
    oldest = await disputes.oldest_open_at(session)
    return Span(*rules.read_from(line.read_until, oldest_open=oldest, now=now))


async def _stands(session: AsyncSession, listed: Listed) -> bool:
    if listed.refund is not None:
        return await refunds.shows(session, listed.refund)
    return listed.dispute is None or await disputes.shows(session, listed.dispute)


async def _apply(db: Transactions, gateway: Gateway, provider_id: str, *, now: datetime) -> None:
    seen = await gateway.see_payment(provider_id)
    if seen is not None:
        async with db.transaction() as session:
            await service.apply_history(session, seen, now=now)
