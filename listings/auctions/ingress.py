"""The doors through which bids come in: who is alive, and up to when each has written all.

Every process that takes bids has a row in `ingress`. It beats every BEAT_S with its watermark: the
least instant of receipt that it has not written yet, or its present instant. An auction is closed
when every live door has passed its close, so that nobody who bid in time is told "late", whichever
process took the bid. A door that stopped beating is struck off in the transaction that closes; a
batch checks its own door in its transaction and fails when that is gone (fencing).

Differs from the source (a lease on one sequencer): any number of doors write, under the auction's
row lock; the lease only says whose bids are still awaited.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import rfc3339
from contracts.facts import service as facts
from contracts.parties.rules import EXCHANGE_PARTY_ID
from contracts.refusal import Kind, Refusal

BEAT_S = 0.5
STALE_S = 5.0  # ten beats missed: struck off
OUTAGE_S = 2.0  # no door has beaten for so long: bidders could not bid


class IngressLost(Refusal):
    """This process was cut off and may not decide bids until it has joined again."""

    kind, code = Kind.UNAVAILABLE, "ingress-lost"
    hint = "Send the bid again with the same id; another process or this one takes it."


class NotDurable(Refusal):
    """The database may lose what it has confirmed."""

    kind, code = Kind.UNAVAILABLE, "storage-not-durable"
    hint = "The operator turns fsync, full_page_writes and synchronous_commit on."


@dataclass(frozen=True, slots=True)
class Doors:
    """What is known of the doors: the latest beat of any, and the least watermark of the live."""

    beaten_at: datetime | None
    live: int
    least_watermark: datetime | None
    now: datetime  # the database's clock


_BEAT = text(
    "WITH last AS (SELECT max(beat_at) AS at FROM ingress), "
    "gap AS (INSERT INTO outage (id, began_at, ended_at) "
    "SELECT :gap, at, clock_timestamp() FROM last "
    "WHERE at < clock_timestamp() - make_interval(secs => :outage_s)), "
    "moved AS (UPDATE ingress SET beat_at = clock_timestamp(), watermark = :watermark "
    "WHERE id = :id RETURNING id) SELECT count(*), clock_timestamp() FROM moved"
)
_JOIN = text(
    "WITH last AS (SELECT max(beat_at) AS at FROM ingress), "
    "gap AS (INSERT INTO outage (id, began_at, ended_at) "
    "SELECT :gap, at, clock_timestamp() FROM last "
    "WHERE at < clock_timestamp() - make_interval(secs => :outage_s)) "
    "INSERT INTO ingress (id, beat_at, watermark) "
    "VALUES (:id, clock_timestamp(), clock_timestamp())"
)
_STRIKE = text(
    "DELETE FROM ingress WHERE beat_at < clock_timestamp() - make_interval(secs => :stale_s) "
    "AND EXISTS (SELECT FROM ingress AS live "
    "WHERE live.beat_at >= clock_timestamp() - make_interval(secs => :stale_s))"
)
_DOORS = text(
    "SELECT max(beat_at), "
    "count(*) FILTER (WHERE beat_at >= clock_timestamp() - make_interval(secs => :stale_s)), "
    "min(watermark) FILTER (WHERE id IS DISTINCT FROM :own AND "
    "beat_at >= clock_timestamp() - make_interval(secs => :stale_s)), clock_timestamp() "
    "FROM ingress"
)
_OUTAGE = text("SELECT max(ended_at) FROM outage WHERE began_at < :at AND ended_at >= :at")


async def join(session: AsyncSession, ingress_id: UUID, *, gap_id: UUID) -> None:
    """Open a door; if no other was open just now, that is written down as an outage."""
    await session.execute(_JOIN, {"id": ingress_id, "gap": gap_id, "outage_s": OUTAGE_S})


async def beat(
    session: AsyncSession, ingress_id: UUID, *, watermark: datetime, gap_id: UUID
) -> datetime:
    """Say that the door is open and all received before `watermark` is written.

    Returns:
        The database's clock.

    Raises:
        IngressLost: the door was struck off.
    """
    asked = {"id": ingress_id, "watermark": watermark, "gap": gap_id, "outage_s": OUTAGE_S}
    row = (await session.execute(_BEAT, asked)).one()
    if not row[0]:
        raise IngressLost("This process did not beat in time.")
    beaten_at: datetime = row[1]
    return beaten_at


async def leave(session: AsyncSession, ingress_id: UUID) -> None:
    """Close a door in order; the last one stays as the mark of when bids could last be placed."""
    await session.execute(
        text(
            "DELETE FROM ingress WHERE id = :id AND EXISTS "
            "(SELECT FROM ingress AS other WHERE other.id <> :id AND other.beat_at >= "
            "clock_timestamp() - make_interval(secs => :stale_s))"
        ),
        {"id": ingress_id, "stale_s": STALE_S},
    )
    await session.execute(
        text("UPDATE ingress SET watermark = clock_timestamp() + interval '1 day' WHERE id = :id"),
        {"id": ingress_id},
    )


async def strike(session: AsyncSession) -> None:
    """Strike off the doors that stopped beating, as long as another is open."""
    await session.execute(_STRIKE, {"stale_s": STALE_S})


async def doors(session: AsyncSession, *, own: UUID | None = None) -> Doors:
    """Return how the doors stand; the watermark of `own` is left out."""
    row = (await session.execute(_DOORS, {"stale_s": STALE_S, "own": own})).one()
    return Doors(*row)


async def outage_over(session: AsyncSession, at: datetime) -> datetime | None:
    """Return when the outage that covers `at` ended; None when bidders could bid then."""
    found = await session.execute(_OUTAGE, {"at": at})
    return found.scalar_one_or_none()


def is_out(known: Doors, at: datetime) -> bool:
    """Tell whether no door is open, and none was at `at` or since (an outage that lasts)."""
    if known.beaten_at is None:  # nobody ever took a bid here
        return False
    silent = known.now - known.beaten_at > timedelta(seconds=OUTAGE_S)
    return silent and known.beaten_at < at


async def report_clock(
    session: AsyncSession, *, door: UUID | None, offset_ms: int, found_at: datetime
) -> None:
    """Record that a door's clock and the database's have come apart; it takes no bids then."""
    payload = {
        "ingress": str(door) if door else None,
        "offset_ms": offset_ms,
        "found_at": rfc3339.exact(found_at),
    }
    await facts.record(session, "clock.stepped", EXCHANGE_PARTY_ID, payload, now=found_at)
