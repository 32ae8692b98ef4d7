"""Reading what is due to tax authorities, remittances and their receipts."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import func
from sqlalchemy import select as rows_of
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from contracts.money import Money
from contracts.refusal import Unknown
from settlement.remittances.rules import APPROVED, HOLDING, PAID, PREPARED, REFUSED, Due, Group
from settlement.remittances.tables import Remittance, RemittanceItem, TaxAuthority
from settlement.withholding.rules import REVERSED
from settlement.withholding.tables import WithheldReturn, WithheldTax


async def authorities(session: AsyncSession) -> Sequence[TaxAuthority]:
    """Return the accounts of tax authorities, by code and currency."""
    wanted = select(TaxAuthority).order_by(col(TaxAuthority.code), col(TaxAuthority.currency))
    return (await session.scalars(wanted.limit(500))).all()


async def find_authority(session: AsyncSession, code: str, currency: str) -> TaxAuthority | None:
    """Return the account of a tax authority in a currency, or None."""
    return await session.get(TaxAuthority, (code, currency))


async def remitted(session: AsyncSession, withheld: Collection[UUID]) -> set[UUID]:
    """Return which withheld taxes are with the authority, or approved to go there."""
    wanted = select(RemittanceItem.withheld_id).where(
        col(RemittanceItem.withheld_id).in_(withheld), col(RemittanceItem.state).in_(HOLDING)
    )
    return set((await session.scalars(wanted)).all())


def open_of(group: Group | None) -> SelectOfScalar[WithheldTax]:
    """Return the statement that reads withheld taxes that no remittance holds."""
    held = select(RemittanceItem.withheld_id).where(col(RemittanceItem.state) != REFUSED)
    wanted = select(WithheldTax).where(col(WithheldTax.id).not_in(held))
    if group is not None:
        wanted = wanted.where(
            col(WithheldTax.authority) == group.authority,
            col(WithheldTax.tax) == group.tax,
            col(WithheldTax.currency) == group.currency,
            col(WithheldTax.period) == group.period,
        )
    return wanted


async def dues(session: AsyncSession, *, limit: int) -> list[Due]:
    """Return what waits to be remitted, group by group, the first due first."""
    back = (
        select(
            col(WithheldReturn.withheld_id).label("id"),
            func.sum(col(WithheldReturn.amount_minor)).label("minor"),
        )
        .where(col(WithheldReturn.state) == REVERSED)
        .group_by(col(WithheldReturn.withheld_id))
        .subquery()
    )
    waiting = open_of(None).subquery()
    left = waiting.c.amount_minor - func.coalesce(back.c.minor, 0)
    named = (waiting.c.authority, waiting.c.tax, waiting.c.currency, waiting.c.period)
    wanted = (
        rows_of(
            *named,
            func.count(),
            func.sum(left),
            func.min(waiting.c.due_on).label("due"),
            func.min(waiting.c.created_at),
        )
        .join_from(waiting, back, back.c.id == waiting.c.id, isouter=True)
        .where(left > 0)
        .group_by(*named)
        .order_by("due", *named)
        .limit(limit)
    )
    return [
        Due(
            Group(row[0], row[1], row[2], row[3]),
            row[4],
            Money(int(row[5]), row[2]),
            row[6],
            row[7],
        )
        for row in (await session.execute(wanted)).all()
    ]


async def find_open(session: AsyncSession, group: Group) -> Remittance | None:
    """Return the remittance of a group that waits for its decision, or None."""
    wanted = select(Remittance).where(
        col(Remittance.authority) == group.authority,
        col(Remittance.tax) == group.tax,
        col(Remittance.currency) == group.currency,
        col(Remittance.period) == group.period,
        col(Remittance.state) == PREPARED,
    )
    return (await session.scalars(wanted)).one_or_none()


async def get_remittance(session: AsyncSession, remittance_id: UUID) -> Remittance:
    """Return a remittance.

    Raises:
        Unknown: there is none.
    """
    found = await session.get(Remittance, remittance_id)
    if found is None:
        raise Unknown("There is no such remittance.")
    return found


async def items(session: AsyncSession, remittance_id: UUID) -> Sequence[RemittanceItem]:
    """Return what is in a remittance, in the order of the withheld taxes' ids."""
    wanted = select(RemittanceItem).where(col(RemittanceItem.remittance_id) == remittance_id)
    return (await session.scalars(wanted.order_by(col(RemittanceItem.withheld_id)))).all()


async def of_withheld(
    session: AsyncSession, withheld: Collection[UUID]
) -> Mapping[UUID, Remittance]:
    """Return by withheld tax the remittance that holds it; those that none holds are left out."""
    wanted = (
        select(RemittanceItem.withheld_id, Remittance)
        .join(Remittance, col(Remittance.id) == col(RemittanceItem.remittance_id))
        .where(col(RemittanceItem.withheld_id).in_(withheld), col(RemittanceItem.state) != REFUSED)
    )
    return {row[0]: row[1] for row in (await session.execute(wanted)).all()}


async def page(session: AsyncSession, *, after: UUID, limit: int) -> Sequence[Remittance]:
    """Return remittances in the order of their ids."""
    wanted = select(Remittance).where(col(Remittance.id) > after)
    return (await session.scalars(wanted.order_by(col(Remittance.id)).limit(limit))).all()


async def to_instruct(session: AsyncSession, currency: str) -> Sequence[Remittance]:
    """Return the approved remittances that a payment file is to instruct, the first due first."""
    wanted = select(Remittance).where(
        col(Remittance.state) == APPROVED, col(Remittance.currency) == currency
    )
    return (
        await session.scalars(wanted.order_by(col(Remittance.due_on), col(Remittance.id)))
    ).all()


async def waiting(session: AsyncSession, *, limit: int) -> Sequence[Remittance]:
    """Return what a person has to do something about: decide, pay, or ask for the receipt."""
    wanted = select(Remittance).where(
        col(Remittance.state).in_((PREPARED, APPROVED))
        | ((col(Remittance.state) == PAID) & col(Remittance.receipt_no).is_(None))
    )
    return (await session.scalars(wanted.order_by(col(Remittance.due_on)).limit(limit))).all()
