"""Reading fee schedules: which is in force, and which one a sale named."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import canonical
from contracts.refusal import Unknown
from settlement.fees import gateway, reading, rules
from settlement.fees.rules import Schedule
from settlement.fees.tables import FeeAnnouncement, SettlementFee


async def dated(session: AsyncSession) -> list[tuple[date, Schedule]]:
    """Return from which day which schedule is in force: those that ship, then those announced."""
    wanted = select(FeeAnnouncement).order_by(
        col(FeeAnnouncement.valid_from), col(FeeAnnouncement.announced_at), col(FeeAnnouncement.id)
    )
    announced = [(row.valid_from, _read(row)) for row in await session.scalars(wanted)]
    return [*gateway.days(), *announced]


async def in_force(session: AsyncSession, *, currency: str, at: datetime) -> tuple[date, Schedule]:
    """Return the schedule in force at an instant, by the civil day of the seat, and since when."""
    return rules.in_force(await dated(session), on=rules.day_of(at), currency=currency)


async def named(session: AsyncSession, sha256: str) -> Schedule:
    """Return the schedule of a hash, in force or not.

    Raises:
        Unknown: there is none.
    """
    for schedule in gateway.shipped().values():
        if schedule.sha256 == sha256:
            return schedule
    wanted = select(FeeAnnouncement).where(col(FeeAnnouncement.sha256) == sha256).limit(1)
    row = (await session.scalars(wanted)).first()
    if row is None:
        raise Unknown("There is no such fee schedule.", sha256=sha256)
    return _read(row)


async def announcements(session: AsyncSession) -> Sequence[FeeAnnouncement]:
    """Return everything announced, the latest day first."""
    wanted = select(FeeAnnouncement).order_by(
        col(FeeAnnouncement.valid_from).desc(), col(FeeAnnouncement.announced_at).desc()
    )
    return (await session.scalars(wanted)).all()


async def find_of(session: AsyncSession, deal_id: UUID) -> SettlementFee | None:
    """Return what a settlement agreed about fees; None for one from before fees were agreed."""
    return await session.get(SettlementFee, deal_id)


def _read(row: FeeAnnouncement) -> Schedule:
    wire = canonical.loads(row.content)
    del wire["typ"]
    return reading.read_wire(wire)
