"""Reading facts by id and by the object they are about."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.facts.tables import Fact
from contracts.refusal import Unknown


async def find_fact(session: AsyncSession, fact_id: UUID) -> Fact | None:
    """Return the fact, or None."""
    return await session.get(Fact, fact_id)


async def get_fact(session: AsyncSession, fact_id: UUID) -> Fact:
    """Return the fact.

    Raises:
        Unknown: there is none with this id.
    """
    fact = await find_fact(session, fact_id)
    if fact is None:
        raise Unknown("There is no such fact.", fact=str(fact_id))
    return fact


async def find_first_of(session: AsyncSession, subject: UUID, kind: str) -> Fact | None:
    """Return the earliest fact of this kind about the object, sealed or not."""
    found = await session.execute(
        select(Fact)
        .where(col(Fact.subject) == subject, col(Fact.kind) == kind)
        .order_by(col(Fact.recorded_at), col(Fact.id))
        .limit(1)
    )
    return found.scalar_one_or_none()


async def all_of(session: AsyncSession, subject: UUID, kind: str) -> list[Fact]:
    """Return every fact of this kind about the object, the earliest first, sealed or not."""
    wanted = select(Fact).where(col(Fact.subject) == subject, col(Fact.kind) == kind)
    return list(await session.scalars(wanted.order_by(col(Fact.recorded_at), col(Fact.id))))
