"""Reading refunds."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Unknown
from settlement.ledger import queries as books
from settlement.refunds import rules
from settlement.refunds.rules import APPROVED, COUNTED, FAILED, MADE, PREPARED, SeenRefund
from settlement.refunds.tables import Refund


async def get_refund(session: AsyncSession, refund_id: UUID) -> Refund:
    """Return a refund, for staff.

    Raises:
        Unknown: there is none of that id.
    """
    found = await session.get(Refund, refund_id)
    if found is None:
        raise Unknown("There is no such refund.")
    return found


async def shows(session: AsyncSession, seen: SeenRefund) -> bool:
    """Tell whether a refund stands here as the provider shows it, ordered here or not."""
    wanted = select(Refund).where(col(Refund.provider_id) == seen.provider_id)
    known = (await session.scalars(wanted)).one_or_none()
    if known is not None:
        return known.state == (FAILED if seen.failed else MADE)
    key = rules.foreign_key(seen.provider_id, failed=seen.failed)
    return await books.is_booked(session, key)


async def page(session: AsyncSession, *, after: UUID, limit: int) -> Sequence[Refund]:
    """Return refunds in the order of their ids."""
    wanted = select(Refund).where(col(Refund.id) > after).order_by(col(Refund.id)).limit(limit)
    return (await session.scalars(wanted)).all()


async def of_payer(session: AsyncSession, party_id: UUID, *, limit: int) -> Sequence[Refund]:
    """Return what goes back to a payer, the newest first."""
    wanted = select(Refund).where(col(Refund.payer_id) == party_id)
    return (await session.scalars(wanted.order_by(col(Refund.id).desc()).limit(limit))).all()


async def of_deal(session: AsyncSession, deal_id: UUID) -> Sequence[Refund]:
    """Return the refunds of a deal in their order."""
    wanted = select(Refund).where(col(Refund.deal_id) == deal_id).order_by(col(Refund.id))
    return (await session.scalars(wanted)).all()


async def counted_minor(session: AsyncSession, payment_id: UUID) -> int:
    """Return what of a payment goes or went back."""
    wanted = select(func.coalesce(func.sum(col(Refund.amount_minor)), 0)).where(
        col(Refund.payment_id) == payment_id, col(Refund.state).in_(COUNTED)
    )
    return int(await session.scalar(wanted) or 0)


async def find_open(session: AsyncSession, payment_id: UUID) -> Refund | None:
    """Return the refund of a payment that waits for its decision or is on its way, or None."""
    wanted = select(Refund).where(
        col(Refund.payment_id) == payment_id, col(Refund.state).in_((PREPARED, APPROVED))
    )
    return (await session.scalars(wanted)).one_or_none()
