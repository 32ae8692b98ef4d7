"""A watch that tells how long each question took, and how much of that was work.

The clock on the wall counts whatever else the machine does. The processor time of this process and
of the one PostgreSQL backend that serves it does not: on an idle machine, where one waits while the
other works, the two differ by little more than the hand-overs between them.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from sqlalchemy import text

from exchange.db import Database


class Watch:
    """Times of questions, in seconds: on the wall, and of work where Linux tells it."""

    def __init__(self, backend: int) -> None:
        self._backend = Path(f"/proc/{backend}/schedstat")
        self.wall: list[float] = []
        self.work: list[float] = []

    @classmethod
    async def of(cls, database: Database) -> "Watch":
        """Watch the only connection of a pool."""
        async with database.transaction() as session:
            return cls((await session.execute(text("SELECT pg_backend_pid()"))).scalar_one())

    @contextmanager
    def one(self) -> Iterator[None]:
        """Time a question; one that fails does not count."""
        worked, begun = self._worked(), time.perf_counter()
        yield
        self.wall.append(time.perf_counter() - begun)
        if worked is not None:
            self.work.append((self._worked() or worked) - worked)

    def warmed(self, number: int) -> "Watch":
        """Forget the first questions."""
        del self.wall[:number], self.work[:number]
        return self

    def told(self, name: str) -> dict[str, float]:
        """Return the middle and the 99th percentile, in milliseconds."""
        told = {f"{name}_p{part}_ms": milli(percentile(self.wall, part)) for part in (50, 99)}
        if self.work:
            told |= {
                f"{name}_cpu_p{part}_ms": milli(percentile(self.work, part)) for part in (50, 99)
            }
        return told

    def medians(self) -> tuple[float, float | None]:
        """Return the medians, in milliseconds: on the wall, and of work."""
        return milli(median(self.wall)), milli(median(self.work)) if self.work else None

    def _worked(self) -> float | None:
        try:
            told = self._backend.read_text(encoding="ascii")
        except OSError:
            return None
        return time.process_time() + int(told.split()[0]) / 1e9


def percentile(took: Sequence[float], part: int) -> float:
    """Return the smallest value that `part` percent of all do not exceed."""
    return sorted(took)[-(-len(took) * part // 100) - 1]


def milli(seconds: float) -> float:
    """Return seconds as milliseconds."""
    return round(seconds * 1000, 2)
