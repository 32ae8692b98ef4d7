"""Reading fee schedules: which is in force, and which one a sale named."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Unknown
from settlement.approvals.rules import PREPARED
from settlement.fees import gateway, rules
from settlement.fees.rules import Schedule
from settlement.fees.tables import FeeAnnouncement, FeeProposal, SettlementFee


async def dated(session: AsyncSession) -> list[tuple[date, Schedule]]:
    """Return from which day which schedule is in force: those that ship, then those announced."""
    wanted = select(FeeAnnouncement).order_by(
        col(FeeAnnouncement.valid_from), col(FeeAnnouncement.announced_at), col(FeeAnnouncement.id)
    )
    announced = [(row.valid_from, row.read()) for row in await session.scalars(wanted)]
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
    return row.read()


async def announcements(session: AsyncSession) -> Sequence[FeeAnnouncement]:
    """Return everything announced, the latest day first."""
    wanted = select(FeeAnnouncement).order_by(
        col(FeeAnnouncement.valid_from).desc(), col(FeeAnnouncement.announced_at).desc()
    )
    return (await session.scalars(wanted)).all()


async def get_proposal(session: AsyncSession, announcement_id: UUID) -> FeeProposal:
    """Return a schedule that was prepared, decided or not.

    Raises:
        Unknown: there is none.
    """
    found = await session.get(FeeProposal, announcement_id)
    if found is None:
        raise Unknown("No such announcement was prepared.")
    return found


async def proposals(session: AsyncSession, *, after: UUID, limit: int) -> Sequence[FeeProposal]:
    """Return schedules that were prepared, decided or not, in the order of their ids."""
    wanted = select(FeeProposal).where(col(FeeProposal.id) > after).order_by(col(FeeProposal.id))
    return (await session.scalars(wanted.limit(limit))).all()


async def latest(session: AsyncSession, *, limit: int) -> Sequence[FeeProposal]:
    """Return the schedules that were prepared last, decided or not, the newest first."""
    wanted = select(FeeProposal).order_by(col(FeeProposal.prepared_at).desc()).limit(limit)
    return (await session.scalars(wanted)).all()


async def waiting(session: AsyncSession, *, limit: int) -> Sequence[FeeProposal]:
    """Return the schedules that wait for a decision, the oldest first."""
    wanted = select(FeeProposal).where(col(FeeProposal.state) == PREPARED)
    ordered = wanted.order_by(col(FeeProposal.prepared_at), col(FeeProposal.id))
    return (await session.scalars(ordered.limit(limit))).all()


async def find_of(session: AsyncSession, deal_id: UUID) -> SettlementFee | None:
    """Return what a settlement agreed about fees; None for one from before fees were agreed."""
    return await session.get(SettlementFee, deal_id)
