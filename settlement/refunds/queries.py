"""Reading refunds."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import Select, func, or_
from sqlalchemy import select as sql_select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from contracts.money import Money
from contracts.refusal import Unknown
from settlement.disputes import queries as disputes
from settlement.invoices.tables import Payment
from settlement.ledger import queries as books
from settlement.recoveries.rules import REFUND
from settlement.recoveries.tables import Recovery
from settlement.refunds import rules
from settlement.refunds.rules import (
    APPROVED,
    COUNTED,
    FAILED,
    MADE,
    PREPARED,
    REFUSED,
    STANDING,
    SeenRefund,
)
from settlement.refunds.tables import Refund

# What is sent again counts once: by the refund that failed.
FIRST = col(Refund.resends).is_(None)
LIVE = col(Refund.state).in_((PREPARED, APPROVED, MADE))


async def get_refund(session: AsyncSession, refund_id: UUID) -> Refund:
    """Return a refund, for staff.

    Raises:
        Unknown: there is none of that id.
    """
    found = await session.get(Refund, refund_id)
    if found is None:
        raise Unknown("There is no such refund.")
    return found


async def get_told(session: AsyncSession, refund_id: UUID, *, party_id: UUID | None) -> Refund:
    """Return a refund: every one to staff, who pass None, to its payer, and to who gives it back.

    Raises:
        Unknown: there is none, or none that the party may see.
    """
    found = await get_refund(session, refund_id)
    if party_id in (None, found.payer_id):
        return found
    if refund_id not in (await session.scalars(_borne_by(party_id))).all():
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


async def page(
    session: AsyncSession, *, party_id: UUID | None, after: UUID, limit: int
) -> Sequence[Refund]:
    """Return refunds in the order of their ids: those told to a party; staff pass None."""
    wanted = select(Refund).where(col(Refund.id) > after).order_by(col(Refund.id)).limit(limit)
    if party_id is not None:
        borne = col(Refund.id).in_(_borne_by(party_id))
        wanted = wanted.where(or_(col(Refund.payer_id) == party_id, borne))
    return (await session.scalars(wanted)).all()


def _borne_by(party_id: UUID | None) -> Select[UUID]:
    """Return the query of the refunds for which a party gives something back."""
    return sql_select(col(Recovery.cause_id)).where(
        col(Recovery.cause) == REFUND, col(Recovery.payee_id) == party_id
    )


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
        col(Refund.payment_id) == payment_id, col(Refund.state).in_(COUNTED), FIRST
    )
    return int(await session.scalar(wanted) or 0)


async def left(session: AsyncSession, payment: Payment, *, besides: UUID | None = None) -> Money:
    """Return what may still go back of a payment: no refund and no dispute has taken it.

    Args:
        session: a transaction that has locked the payment, where it is to stay true.
        payment: a payment that succeeded.
        besides: a refund that is not counted, because it is the one in question.
    """
    counted = await counted_minor(session, payment.id)
    own = None if besides is None else await session.get(Refund, besides)
    if own is not None and own.state in COUNTED:
        counted -= own.amount_minor
    contested = await disputes.taken_minor(session, payment.id)
    return Money(max(0, payment.amount_minor - counted - contested), payment.currency)


async def booked_minor(session: AsyncSession, payment_id: UUID) -> int:
    """Return what of a payment those who were paid have given back for refunds."""
    wanted = select(func.coalesce(func.sum(col(Refund.amount_minor)), 0)).where(
        col(Refund.payment_id) == payment_id, col(Refund.state).in_(STANDING), FIRST
    )
    return int(await session.scalar(wanted) or 0)


async def find_open(session: AsyncSession, payment_id: UUID) -> Refund | None:
    """Return the refund of a payment that waits for its decision or is on its way, or None."""
    wanted = select(Refund).where(
        col(Refund.payment_id) == payment_id, col(Refund.state).in_((PREPARED, APPROVED))
    )
    return (await session.scalars(wanted)).one_or_none()


async def of_refund(session: AsyncSession, refund_id: UUID) -> Sequence[Refund]:
    """Return the refunds that send a failed one again, the oldest first."""
    wanted = select(Refund).where(col(Refund.resends) == refund_id)
    wanted = wanted.order_by(col(Refund.prepared_at), col(Refund.id))
    return (await session.scalars(wanted)).all()


async def resent_as(session: AsyncSession, refund_ids: Collection[UUID]) -> Mapping[UUID, Refund]:
    """Return by failed refund the one that sends it again: waiting, on its way, or arrived."""
    wanted = select(Refund).where(col(Refund.resends).in_(refund_ids), LIVE)
    return {row.resends: row for row in await session.scalars(wanted) if row.resends is not None}


async def to_resend(
    session: AsyncSession, *, limit: int, deal_id: UUID | None = None
) -> Sequence[Refund]:
    """Return the refunds that failed and nobody sends again, the oldest first; of one deal, or all.

    The payers are still owed them.
    """
    again = aliased(Refund)
    sent = sql_select(col(again.id)).where(
        col(again.resends) == col(Refund.id), col(again.state).not_in((REFUSED, FAILED))
    )
    wanted = select(Refund).where(col(Refund.state) == FAILED, FIRST, ~sent.exists())
    if deal_id is not None:
        wanted = wanted.where(col(Refund.deal_id) == deal_id)
    return (await session.scalars(wanted.order_by(col(Refund.id)).limit(limit))).all()
