"""Reading what was withheld."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Unknown
from settlement.withholding.rules import REVERSED
from settlement.withholding.tables import WithheldReturn, WithheldTax


async def get(session: AsyncSession, withheld_id: UUID, *, party_id: UUID | None) -> WithheldTax:
    """Return a withheld tax to its payee; staff pass None and see every one.

    Raises:
        Unknown: there is none, or it is another's.
    """
    found = await session.get(WithheldTax, withheld_id)
    if found is None or party_id not in (None, found.party_id):
        raise Unknown("There is no such withheld tax.")
    return found


async def page(
    session: AsyncSession, *, party_id: UUID | None, after: UUID, limit: int
) -> Sequence[WithheldTax]:
    """Return withheld taxes in the order of their ids: a payee's own; staff pass None."""
    wanted = select(WithheldTax).where(col(WithheldTax.id) > after)
    if party_id is not None:
        wanted = wanted.where(col(WithheldTax.party_id) == party_id)
    return (await session.scalars(wanted.order_by(col(WithheldTax.id)).limit(limit))).all()


async def of_deals(
    session: AsyncSession, deal_ids: Collection[UUID]
) -> Mapping[UUID, Sequence[WithheldTax]]:
    """Return by settlement what was withheld of it, by payee and tax."""
    wanted = select(WithheldTax).where(col(WithheldTax.deal_id).in_(deal_ids))
    found: dict[UUID, list[WithheldTax]] = {deal_id: [] for deal_id in deal_ids}
    for row in await session.scalars(
        wanted.order_by(col(WithheldTax.party_id), col(WithheldTax.tax))
    ):
        found[row.deal_id].append(row)
    return found


async def by_id(session: AsyncSession, ids: Collection[UUID]) -> Mapping[UUID, WithheldTax]:
    """Return withheld taxes by their ids."""
    wanted = select(WithheldTax).where(col(WithheldTax.id).in_(ids))
    return {row.id: row for row in await session.scalars(wanted)}


async def returned(session: AsyncSession, ids: Collection[UUID]) -> Mapping[UUID, int]:
    """Return by withheld tax all that went back of it, in minor units."""
    wanted = (
        select(col(WithheldReturn.withheld_id), func.sum(col(WithheldReturn.amount_minor)))
        .where(col(WithheldReturn.withheld_id).in_(ids))
        .group_by(col(WithheldReturn.withheld_id))
    )
    return {row[0]: int(row[1]) for row in (await session.execute(wanted)).all()}


async def reversed_before(session: AsyncSession, ids: Collection[UUID]) -> Mapping[UUID, int]:
    """Return by withheld tax what went back before it was remitted, so is never remitted."""
    wanted = (
        select(col(WithheldReturn.withheld_id), func.sum(col(WithheldReturn.amount_minor)))
        .where(col(WithheldReturn.withheld_id).in_(ids), col(WithheldReturn.state) == REVERSED)
        .group_by(col(WithheldReturn.withheld_id))
    )
    return {row[0]: int(row[1]) for row in (await session.execute(wanted)).all()}


async def returns(
    session: AsyncSession, ids: Collection[UUID]
) -> Mapping[UUID, Sequence[WithheldReturn]]:
    """Return by withheld tax what went back of it, the oldest first."""
    wanted = select(WithheldReturn).where(col(WithheldReturn.withheld_id).in_(ids))
    found: dict[UUID, list[WithheldReturn]] = {id: [] for id in ids}
    for row in await session.scalars(wanted.order_by(col(WithheldReturn.id))):
        found[row.withheld_id].append(row)
    return found
