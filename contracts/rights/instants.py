"""Instants as whole microseconds since 1970-01-01 UTC, as regions count time (pure)."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Before and after every instant that a datetime can tell.
BEFORE, AFTER = -(2**63), 2**63
_MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Return an aware instant as microseconds, exactly."""
    return (at - EPOCH) // _MICROSECOND


def instant(at: int) -> datetime:
    """Return the instant of so many microseconds."""
    return EPOCH + at * _MICROSECOND
