"""Payouts that wait, and batches of them, for tests."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import Money
from settlement.batches import service
from settlement.batches.tables import PayoutBatch
from settlement.payouts import service as paying
from settlement.payouts.tables import Payout
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import person
from tests.settlement.settlement_factory import invoiced, paid, with_accounts


async def approver(session: AsyncSession, *, now: datetime) -> UUID:
    """A person of the staff who may prepare and approve."""
    home = await party(session, now=now)
    return (await person(session, party_id=home.id, role="approver", now=now)).id


async def waiting(
    session: AsyncSession, price: Money, *, maker: UUID | None = None, now: datetime
) -> Payout:
    """A payout of a paid deal that waits for its decision."""
    trade = await invoiced(session, price=price, now=now)
    await paid(session, trade, now=now)
    await with_accounts(session, trade, now=now)
    payout, _ = await paying.prepare(
        session,
        ids.new(now),
        deal_id=trade.deal_id,
        person_id=maker or await approver(session, now=now),
        now=now,
    )
    return payout


async def batched(session: AsyncSession, *payouts: Payout, now: datetime) -> PayoutBatch:
    """A batch of payouts that another person put together."""
    batch, _ = await service.prepare(
        session,
        ids.new(now),
        payout_ids=[payout.id for payout in payouts],
        person_id=await approver(session, now=now),
        now=now,
    )
    return batch


async def of_one(session: AsyncSession, *, now: datetime) -> dict[str, str]:
    """A batch that waits, by the name that paths give it."""
    payout = await waiting(session, Money(10_000, "CNY"), now=now)
    return {"payout_batch_id": str((await batched(session, payout, now=now)).id)}
