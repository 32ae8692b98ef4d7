"""Whether the times in the log can be believed: it has an order of its own, which clocks must fit.

Leaves and checkpoints are in the order of their numbers whatever a clock says, so a clock that was
put back, or one that ran ahead, contradicts what was sealed before. Nothing is refused for it: a
clock that once ran ahead would stop the log until the time came. It is told, with the number.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# Machines that keep time by NTP differ by milliseconds; a record and its seal are a second apart.
APART = timedelta(seconds=10)
LOOK_BACK = 1_000  # checkpoints and leaves that are looked at: those of the last minutes or days

_NEWEST = text(
    "SELECT clock_timestamp() AS heard, "
    "(SELECT signed_at FROM log_checkpoint ORDER BY size DESC LIMIT 1) AS signed_at"
)
_WENT_BACK = text(
    "SELECT size, signed_at, before FROM (SELECT size, signed_at, "
    "lag(signed_at) OVER (ORDER BY size) AS before FROM (SELECT size, signed_at "
    "FROM log_checkpoint ORDER BY size DESC LIMIT :most) AS newest) AS pairs "
    "WHERE signed_at < before - :apart ORDER BY size DESC LIMIT 1"
)
_FROM_THE_FUTURE = text(
    "SELECT entry.seq, fact.recorded_at, covering.signed_at FROM (SELECT seq, fact_id "
    "FROM log_entry ORDER BY seq DESC LIMIT :most) AS entry JOIN fact ON fact.id = entry.fact_id "
    "JOIN LATERAL (SELECT signed_at FROM log_checkpoint WHERE size > entry.seq "
    "ORDER BY size LIMIT 1) AS covering ON fact.recorded_at > covering.signed_at + :apart "
    "ORDER BY entry.seq DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Alarm:
    """A time that contradicts another one; `is_present` when it does so at this moment."""

    detail: str
    is_present: bool


async def alarms(session: AsyncSession, *, now: datetime) -> list[Alarm]:
    """Compare this machine's clock with the database's and the log's, and the log with itself.

    Args:
        session: an open transaction.
        now: the present instant by the clock of this machine.
    """
    found = []
    newest = (await session.execute(_NEWEST)).one()
    if abs(newest.heard - now) > APART:
        found.append(
            Alarm(f"this machine and the database are {abs(newest.heard - now)} apart", True)
        )
    if newest.signed_at is not None and now < newest.signed_at - APART:
        behind = newest.signed_at - now
        found.append(Alarm(f"this machine's clock is {behind} behind the newest checkpoint", True))
    asked = {"most": LOOK_BACK, "apart": APART}
    back = (await session.execute(_WENT_BACK, asked)).one_or_none()
    if back is not None:
        found.append(
            Alarm(
                f"the checkpoint of {back.size} leaves was signed {back.before - back.signed_at} "
                "before the one it follows",
                False,
            )
        )
    ahead = (await session.execute(_FROM_THE_FUTURE, asked)).one_or_none()
    if ahead is not None:
        early = ahead.recorded_at - ahead.signed_at
        found.append(Alarm(f"leaf {ahead.seq} tells of {early} after it was sealed", False))
    return found
