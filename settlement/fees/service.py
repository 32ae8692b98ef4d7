"""Announcing fee schedules: only for days to come, so that nobody is surprised."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.facts import service as facts
from contracts.refusal import IdReused, Kind, Refusal
from settlement.fees import reading, rules
from settlement.fees.tables import FeeAnnouncement


class FeesNotAhead(Refusal):
    """A schedule is announced for a day that has begun."""

    kind, code = Kind.INVALID, "fees-not-ahead"
    hint = "Name a later day: what is on sale keeps the fees that it was published with."


async def announce(
    session: AsyncSession,
    announcement_id: UUID,
    *,
    wire: Mapping[str, Any],
    valid_from: date,
    person_id: UUID,
    now: datetime,
) -> tuple[FeeAnnouncement, bool]:
    """Announce a schedule for everything that is published from a day on; again is the same.

    Raises:
        BadFeeSchedule: it does not hold together.
        FeesNotAhead: the day has begun.
        IdReused: the id names another announcement.
    """
    schedule = reading.read_wire(wire)
    known = await session.get(FeeAnnouncement, announcement_id)
    if known is not None:
        if (known.valid_from, known.sha256) != (valid_from, schedule.sha256):
            raise IdReused("This id names another announcement.")
        return known, False
    if valid_from <= rules.day_of(now):
        raise FeesNotAhead("The day has begun.", today=rules.day_of(now).isoformat())
    row = FeeAnnouncement(
        id=announcement_id,
        valid_from=valid_from,
        schedule=schedule.id,
        sha256=schedule.sha256,
        content=schedule.content,
        announced_by=person_id,
        announced_at=now,
    )
    session.add(row)
    await session.flush()
    payload = {
        "announcement": str(row.id),
        "schedule": row.schedule,
        "sha256": row.sha256,
        "valid_from": valid_from.isoformat(),
    }
    await facts.record(session, "fees.announced", row.id, payload, now=now)
    return row, True
