"""Reading settlements."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Unknown
from settlement.plans.rules import AWAITING_PAYMENT, FUNDED, INSTALMENT, SHARE
from settlement.plans.tables import Settlement, SettlementLine


async def find_settlement(session: AsyncSession, deal_id: UUID) -> Settlement | None:
    """Return a deal's settlement, or None."""
    return await session.get(Settlement, deal_id)


async def get_settlement(session: AsyncSession, deal_id: UUID) -> Settlement:
    """Return a deal's settlement.

    Raises:
        Unknown: the deal has none.
    """
    found = await session.get(Settlement, deal_id)
    if found is None:
        raise Unknown("There is no such settlement.")
    return found


async def claims(session: AsyncSession, deal_id: UUID) -> Sequence[Settlement]:
    """Return the claims under a deal, the oldest first; its price is not one of them."""
    wanted = select(Settlement).where(col(Settlement.of_deal) == deal_id)
    ordered = wanted.order_by(col(Settlement.planned_at), col(Settlement.deal_id))
    return (await session.scalars(ordered)).all()


async def parts_of(session: AsyncSession, deal_id: UUID) -> Sequence[Settlement]:
    """Return the settlements that make a deal's price together, in order; mostly it is one.

    They are read anew: whoever pays the last one sees what the others have become.
    """
    return (await parts_of_deals(session, [deal_id]))[deal_id]


async def parts_of_deals(
    session: AsyncSession, deal_ids: Collection[UUID]
) -> Mapping[UUID, Sequence[Settlement]]:
    """Return the settlements of several deals' prices by deal, as `parts_of` does."""
    wanted = select(Settlement).where(
        col(Settlement.deal_id).in_(deal_ids)
        | (col(Settlement.of_deal).in_(deal_ids) & (col(Settlement.kind) == INSTALMENT))
    )
    ordered = wanted.order_by(col(Settlement.part).nulls_first())
    found: dict[UUID, list[Settlement]] = {deal_id: [] for deal_id in deal_ids}
    for row in await session.scalars(ordered.execution_options(populate_existing=True)):
        found[row.root_id].append(row)
    return found


async def deals_of(session: AsyncSession, ids: Collection[UUID]) -> Mapping[UUID, UUID | None]:
    """Return by settlement the deal that a claim is under; None where it is of a deal's price."""
    wanted = select(Settlement.deal_id, Settlement.of_deal).where(col(Settlement.deal_id).in_(ids))
    return {row.deal_id: row.of_deal for row in await session.execute(wanted)}


async def lines(session: AsyncSession, deal_id: UUID) -> Sequence[SettlementLine]:
    """Return the lines of a settlement in their order, commission first."""
    wanted = select(SettlementLine).where(col(SettlementLine.deal_id) == deal_id)
    return (await session.scalars(wanted.order_by(col(SettlementLine.line)))).all()


async def lines_of(
    session: AsyncSession, deal_ids: Collection[UUID]
) -> Mapping[UUID, Sequence[SettlementLine]]:
    """Return the lines of several settlements by deal, each in their order."""
    wanted = select(SettlementLine).where(col(SettlementLine.deal_id).in_(deal_ids))
    found: dict[UUID, list[SettlementLine]] = {deal_id: [] for deal_id in deal_ids}
    for line in await session.scalars(wanted.order_by(col(SettlementLine.line))):
        found[line.deal_id].append(line)
    return found


async def payees(session: AsyncSession, deal_id: UUID) -> Sequence[SettlementLine]:
    """Return the lines that are paid out to owners; a share of nothing is left out."""
    return (await payees_of(session, [deal_id]))[deal_id]


async def payees_of(
    session: AsyncSession, deal_ids: Collection[UUID]
) -> Mapping[UUID, Sequence[SettlementLine]]:
    """Return the lines that are paid out to owners of several settlements, by deal."""
    return {
        deal_id: [line for line in several if line.kind == SHARE and line.amount_minor]
        for deal_id, several in (await lines_of(session, deal_ids)).items()
    }


async def to_be_paid(session: AsyncSession, party_id: UUID, *, limit: int) -> Sequence[UUID]:
    """Return the settlements of which a party gets a share and that are not paid out, newest
    first."""
    wanted = (
        select(SettlementLine.deal_id)
        .join(Settlement, col(Settlement.deal_id) == col(SettlementLine.deal_id))
        .where(
            col(SettlementLine.payee_id) == party_id,
            col(SettlementLine.kind) == SHARE,
            col(SettlementLine.amount_minor) > 0,
            col(Settlement.state).in_((AWAITING_PAYMENT, FUNDED)),
            col(Settlement.defaulted_at).is_(None),
        )
        .order_by(col(Settlement.planned_at).desc(), col(Settlement.deal_id))
        .limit(limit)
    )
    return (await session.scalars(wanted)).all()


async def page(session: AsyncSession, *, after: UUID, limit: int) -> Sequence[Settlement]:
    """Return settlements in the order of their deals' ids."""
    wanted = select(Settlement).where(col(Settlement.deal_id) > after)
    return (await session.scalars(wanted.order_by(col(Settlement.deal_id)).limit(limit))).all()
