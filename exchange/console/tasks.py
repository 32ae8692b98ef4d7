"""One line of the staff's queue: what waits, for whom, since when and until when."""

from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.deals.tables import Deal
from settlement.plans.tables import Settlement
from settlement.timeline import rules as timeline

MOST = 100
OPERATOR, APPROVER = "operator", "approver"


class Prepared(Protocol):
    """A row of something that was prepared."""

    @property
    def prepared_at(self) -> datetime:
        """When."""
        ...

    @property
    def prepared_by(self) -> UUID | None:
        """By whom."""
        ...


def task(  # noqa: PLR0913 - a line of the queue has this many columns
    label: str,
    address: str,
    *,
    role: str,
    whose: str,
    since: datetime,
    amount: tuple[int | None, str] = (None, ""),
    within_days: int | None = None,
    due_on: date | None = None,
    maker: UUID | None = None,
) -> dict[str, Any]:
    """Return a line of the queue.

    Args:
        label: what waits, marked for translation.
        address: the page on which it is done.
        role: who does it.
        whose: whose it is: a contract, an organisation.
        since: since when it waits.
        amount: how much it is about, in minor units, and of which currency.
        within_days: in how many working days the exchange means to do it.
        due_on: by which day it is to be done, where that is said elsewhere.
        maker: who prepared it, and so may not decide on it.
    """
    return {
        "due_on": due_on if within_days is None else timeline.due_on(since, within_days),
        "label": label,
        "address": address,
        "role": role,
        "whose": whose,
        "since": since,
        "amount_minor": amount[0],
        "currency": amount[1],
        "maker": maker,
    }


def to_decide(
    label: str,
    address: str,
    row: Prepared,
    *,
    whose: str,
    amount: tuple[int | None, str] = (None, ""),
) -> dict[str, Any]:
    """Return the line of what one person prepared and another is to decide; see `task`."""
    return task(
        label,
        address,
        role=APPROVER,
        whose=whose,
        since=row.prepared_at,
        amount=amount,
        within_days=timeline.DECIDE_WITHIN_DAYS,
        maker=row.prepared_by,
    )


async def contracts_of(session: AsyncSession, settlements: list[UUID]) -> dict[UUID, Deal]:
    """Return the deal of each settlement: a claim's settlement is under another's deal."""
    wanted = (
        select(col(Settlement.deal_id), Deal)
        .join(Deal, col(Deal.id) == func.coalesce(Settlement.of_deal, Settlement.deal_id))
        .where(col(Settlement.deal_id).in_(settlements))
    )
    return {row[0]: row[1] for row in (await session.execute(wanted)).all()}


async def contract_numbers(session: AsyncSession, deals: list[UUID]) -> dict[UUID, str]:
    """Return the contract number of each deal."""
    wanted = select(col(Deal.id), col(Deal.contract_no)).where(col(Deal.id).in_(deals))
    return {row[0]: row[1] for row in (await session.execute(wanted)).all()}
