"""Decisions about examinations: how far one is, how long it will take, when to give up (pure)."""

from dataclasses import dataclass
from datetime import datetime

MOST_ATTEMPTS = 8  # workers that may die of a piece before the file is blamed
WHOLE_BP = 10_000
SOON_BP = 100  # below a hundredth nothing can be said of the rest


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an examination is; `eta_s` is None while nothing can be said of it."""

    stage: str
    done_bp: int
    pieces: int
    pieces_done: int
    eta_s: int | None


def remaining_s(done_bp: int, *, started_at: datetime, now: datetime) -> int | None:
    """Return about how many seconds the rest takes, at the pace so far."""
    if not SOON_BP <= done_bp < WHOLE_BP:
        return None
    spent = max((now - started_at).total_seconds(), 0.0)
    return round(spent * (WHOLE_BP - done_bp) / done_bp)


def is_hopeless(attempts: int) -> bool:
    """Tell whether a piece has ended so many workers that it is not tried again."""
    return attempts >= MOST_ATTEMPTS
