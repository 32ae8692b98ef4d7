"""Reading payout batches."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Unknown
from settlement.approvals.rules import PREPARED, REFUSED
from settlement.batches.tables import PayoutBatch, PayoutBatchItem
from settlement.payouts.tables import Payout


async def get_batch(session: AsyncSession, batch_id: UUID) -> PayoutBatch:
    """Return a batch.

    Raises:
        Unknown: there is none.
    """
    found = await session.get(PayoutBatch, batch_id)
    if found is None:
        raise Unknown("There is no such batch.")
    return found


async def items(session: AsyncSession, batch_id: UUID) -> Sequence[PayoutBatchItem]:
    """Return the payouts of a batch in the order of their ids."""
    wanted = select(PayoutBatchItem).where(col(PayoutBatchItem.batch_id) == batch_id)
    return (await session.scalars(wanted.order_by(col(PayoutBatchItem.payout_id)))).all()


async def held(session: AsyncSession, payouts: Collection[UUID]) -> dict[UUID, UUID]:
    """Return by payout the batch that holds it; those that no batch holds are left out."""
    wanted = select(PayoutBatchItem.payout_id, PayoutBatchItem.batch_id).where(
        col(PayoutBatchItem.payout_id).in_(payouts), col(PayoutBatchItem.state) != REFUSED
    )
    return {row.payout_id: row.batch_id for row in await session.execute(wanted)}


async def page(session: AsyncSession, *, after: UUID, limit: int) -> Sequence[PayoutBatch]:
    """Return batches in the order of their ids."""
    wanted = select(PayoutBatch).where(col(PayoutBatch.id) > after)
    return (await session.scalars(wanted.order_by(col(PayoutBatch.id)).limit(limit))).all()


async def waiting(session: AsyncSession, *, limit: int) -> Sequence[PayoutBatch]:
    """Return the batches that wait for a decision, the oldest first."""
    wanted = select(PayoutBatch).where(col(PayoutBatch.state) == PREPARED)
    return (await session.scalars(wanted.order_by(col(PayoutBatch.prepared_at)).limit(limit))).all()


async def open_payouts(session: AsyncSession, *, limit: int) -> Sequence[Payout]:
    """Return the payouts that wait for a decision and that no batch holds, the oldest first."""
    taken = select(PayoutBatchItem.payout_id).where(col(PayoutBatchItem.state) != REFUSED)
    wanted = select(Payout).where(col(Payout.state) == PREPARED, col(Payout.id).not_in(taken))
    return (await session.scalars(wanted.order_by(col(Payout.prepared_at)).limit(limit))).all()
