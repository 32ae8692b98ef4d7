"""Reading letters of guarantee."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Unknown
from settlement.guarantees import rules
from settlement.guarantees.tables import Guarantee


async def of_deposit(
    session: AsyncSession, auction_id: UUID, party_id: UUID
) -> Sequence[Guarantee]:
    """Return every letter that was handed in for a deposit, in order."""
    wanted = select(Guarantee).where(
        col(Guarantee.auction_id) == auction_id, col(Guarantee.party_id) == party_id
    )
    ordered = wanted.order_by(col(Guarantee.offered_at), col(Guarantee.id))
    return (await session.scalars(ordered)).all()


async def find_live(session: AsyncSession, auction_id: UUID, party_id: UUID) -> Guarantee | None:
    """Return the letter that is being looked at, or stands, for a deposit; None without one."""
    wanted = select(Guarantee).where(
        col(Guarantee.auction_id) == auction_id,
        col(Guarantee.party_id) == party_id,
        col(Guarantee.state).in_(rules.LIVE),
    )
    return (await session.scalars(wanted)).one_or_none()


async def get_guarantee(session: AsyncSession, guarantee_id: UUID) -> Guarantee:
    """Return a letter, for staff.

    Raises:
        Unknown: there is none of that id.
    """
    found = await session.get(Guarantee, guarantee_id)
    if found is None:
        raise Unknown("There is no such letter of guarantee.")
    return found


async def waiting(session: AsyncSession, *, limit: int) -> Sequence[Guarantee]:
    """Return letters that wait for acceptance, or for the bank's money, the oldest first."""
    wanted = (
        select(Guarantee)
        .where(col(Guarantee.state).in_((rules.OFFERED, rules.DEMANDED)))
        .order_by(col(Guarantee.offered_at))
        .limit(limit)
    )
    return (await session.scalars(wanted)).all()
