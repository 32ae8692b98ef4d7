"""Reading tax residences."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Unknown
from settlement.residences import rules
from settlement.residences.rules import APPROVED, PREPARED, Residence
from settlement.residences.tables import TaxResidence


async def get(session: AsyncSession, residence_id: UUID, *, party_id: UUID | None) -> TaxResidence:
    """Return a residence to its party; staff pass None and see every one.

    Raises:
        Unknown: there is none, or it is another's.
    """
    found = await session.get(TaxResidence, residence_id)
    if found is None or party_id not in (None, found.party_id):
        raise Unknown("There is no such tax residence.")
    return found


async def in_force(
    session: AsyncSession, parties: Collection[UUID], *, on: date
) -> Mapping[UUID, Residence]:
    """Return by party where it is resident on a day: at home where nothing is recorded."""
    wanted = select(TaxResidence).where(
        col(TaxResidence.party_id).in_(parties), col(TaxResidence.state) == APPROVED
    )
    known: dict[UUID, list[Residence]] = {party: [] for party in parties}
    for row in await session.scalars(wanted.order_by(col(TaxResidence.decided_at))):
        known[row.party_id].append(row.residence())
    return {party: rules.in_force(several, on=on) for party, several in known.items()}


async def find_open(session: AsyncSession, party_id: UUID) -> TaxResidence | None:
    """Return the residence of a party that waits for its decision, or None."""
    wanted = select(TaxResidence).where(
        col(TaxResidence.party_id) == party_id, col(TaxResidence.state) == PREPARED
    )
    return (await session.scalars(wanted)).one_or_none()


async def page(
    session: AsyncSession, *, party_id: UUID | None, after: UUID, limit: int
) -> Sequence[TaxResidence]:
    """Return residences in the order of their ids: a party's own; staff pass None."""
    wanted = select(TaxResidence).where(col(TaxResidence.id) > after)
    if party_id is not None:
        wanted = wanted.where(col(TaxResidence.party_id) == party_id)
    return (await session.scalars(wanted.order_by(col(TaxResidence.id)).limit(limit))).all()


async def waiting(session: AsyncSession, *, limit: int) -> Sequence[TaxResidence]:
    """Return the residences that wait for a decision, the oldest first."""
    wanted = select(TaxResidence).where(col(TaxResidence.state) == PREPARED)
    ordered = wanted.order_by(col(TaxResidence.prepared_at)).limit(limit)
    return (await session.scalars(ordered)).all()
