"""The one place that reads the clock."""

import time
from datetime import UTC, datetime, timedelta


def now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - this is the place the ban points to.


class Steady:
    """A clock that never goes back: the machine's monotonic clock, anchored to the database's.

    Every process that stamps bids has one. The database's clock is what they share; small
    differences are made up for in steps too small to matter, large ones are told to the owner.
    """

    LARGEST_STEP = timedelta(milliseconds=5)

    def __init__(self) -> None:
        """Start from this machine's own clock, until the database's is heard."""
        self._anchor = now() - timedelta(seconds=time.monotonic())
        self._last = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        """Return the present instant; never less than what was returned before."""
        self._last = max(self._last, self._anchor + timedelta(seconds=time.monotonic()))
        return self._last

    def offset(self, heard: datetime, *, asked_s: float) -> timedelta | None:
        """Return how far the database's clock is ahead; None when the answer took too long.

        Args:
            heard: what the database's clock said.
            asked_s: `time.monotonic()` when it was asked.
        """
        took = time.monotonic() - asked_s
        if took > 0.25:  # half of it is how wrong the comparison may be
            return None
        middle = self._anchor + timedelta(seconds=asked_s + took / 2)
        return heard - middle

    def anchor(self, ahead: timedelta) -> None:
        """Take the database's clock over at once; instants still never go back."""
        self._anchor += ahead

    def follow(self, ahead: timedelta) -> None:
        """Take over a part of a small difference: clocks of machines drift."""
        part = ahead / 8
        self._anchor += max(-self.LARGEST_STEP, min(self.LARGEST_STEP, part))


def ticks() -> float:
    """Return seconds of the monotonic clock, for measuring how long things take."""
    return time.monotonic()
