"""What the law asks of a seller's instalments (分期付款), by who owns the seller, on a day."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import calendar
from contracts.deals import instalments
from contracts.deals.instalments import Schedule
from listings.disclosures import queries
from listings.disclosures.rules import STATE_OWNED


async def check(
    session: AsyncSession, seller_id: UUID, schedules: Iterable[Schedule | None], *, now: datetime
) -> None:
    """Check schedules by the rules for whoever owns the seller, as they are today.

    Args:
        session: the open transaction.
        seller_id: who sells; its ownership is what it declared, or what the exchange corrected.
        schedules: of what it sells; None where there is one sum.
        now: the instant.

    Raises:
        InstalmentsNotAllowed: a rule asks for more than they give.
    """
    owned = await queries.ownership(session, seller_id)
    if owned is None or owned.ownership not in STATE_OWNED:
        return
    for schedule in schedules:
        if schedule is not None:
            instalments.check(schedule, regime=instalments.STATE, on=calendar.day_of(now))
