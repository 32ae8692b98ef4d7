"""Three-valued verdicts, and moments that wait for an event.

Source: S. C. Kleene's strong logic of three values. A right whose window hangs on an event without
a date ("six months after the theatrical release") can neither be called free nor taken.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Verdict(Enum):
    """What is known of two rights: they collide, they do not, or it cannot be said yet."""

    COMPATIBLE = "compatible"
    UNKNOWN = "unknown"
    CONFLICT = "conflict"


_RANK = {Verdict.COMPATIBLE: 0, Verdict.UNKNOWN: 1, Verdict.CONFLICT: 2}


def both(*verdicts: Verdict) -> Verdict:
    """Return the conjunction: a collision on every axis; one axis apart settles it."""
    return min(verdicts, key=_RANK.__getitem__, default=Verdict.CONFLICT)


def either(*verdicts: Verdict) -> Verdict:
    """Return the disjunction: a collision anywhere."""
    return max(verdicts, key=_RANK.__getitem__, default=Verdict.COMPATIBLE)


def negate(verdict: Verdict) -> Verdict:
    """Return the opposite; what is unknown stays unknown."""
    swapped = {Verdict.CONFLICT: Verdict.COMPATIBLE, Verdict.COMPATIBLE: Verdict.CONFLICT}
    return swapped.get(verdict, verdict)


def of(known: bool | None) -> Verdict:
    """Return the verdict of a question that was answered yes, no or not at all."""
    if known is None:
        return Verdict.UNKNOWN
    return Verdict.CONFLICT if known else Verdict.COMPATIBLE


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open span of time each end of which lies between two instants.

    A fixed end has `earliest == latest`. Of an end that waits for an event, the bounds are what is
    known of it: None is no bound. The span is empty if it ends before it starts.
    """

    start_earliest: datetime | None
    start_latest: datetime | None
    end_earliest: datetime | None
    end_latest: datetime | None

    @classmethod
    def fixed(cls, start: datetime, end: datetime) -> "Span":
        """Return the span between two known instants."""
        return cls(start, start, end, end)

    @property
    def is_fixed(self) -> bool:
        """Tell whether both ends are known."""
        starts = self.start_earliest is not None and self.start_earliest == self.start_latest
        return starts and self.end_earliest is not None and self.end_earliest == self.end_latest


def meets(a: Span, b: Span) -> Verdict:
    """Tell whether two spans share an instant: certainly, certainly not, or not known."""
    return _settled(
        surely=_before(a.start_latest, b.end_earliest)
        and _before(b.start_latest, a.end_earliest)
        and _before(a.start_latest, a.end_earliest)
        and _before(b.start_latest, b.end_earliest),
        never=any(
            _not_before(start, end)
            for start in (a.start_earliest, b.start_earliest)
            for end in (a.end_latest, b.end_latest)
        ),
    )


def _settled(*, surely: bool, never: bool) -> Verdict:
    """Return CONFLICT if it surely holds, COMPATIBLE if it never can, UNKNOWN otherwise."""
    if surely:
        return Verdict.CONFLICT
    return Verdict.COMPATIBLE if never else Verdict.UNKNOWN


def _before(start: datetime | None, end: datetime | None) -> bool:
    return start is not None and end is not None and start < end


def _not_before(start: datetime | None, end: datetime | None) -> bool:
    return start is not None and end is not None and start >= end
