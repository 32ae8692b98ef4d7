"""Dates of policies as spans of microseconds, with what a missing zone leaves open (pure).

Source: XML Schema 1.1 Part 2 §3.3.7 (dateTime, and ±14 h for values without a zone), §3.3.9 (date);
W3C ODRL Vocabulary 2.2 `dateTime`. A date means its whole day, as licence days do in the trade.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from contracts.odrl.extents import HIGH, LOW, Extent, Spans

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = timedelta(
    hours=14
)  # how far local time is from UTC at most, XML Schema 1.1 Part 2 §3.3.7.2
_MOMENT = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?P<time>T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,12})?)?)?"
    r"(?P<zone>Z|[+-][0-9]{2}:[0-9]{2})?"
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A date or instant: it starts and ends (exclusive) within these bounds, in microseconds."""

    start_low: int
    start_high: int
    end_low: int
    end_high: int


def is_zoned(text: str) -> bool:
    """Tell whether a date says its zone."""
    found = _MOMENT.fullmatch(text.strip())
    return found is not None and found["zone"] is not None


def moment(text: str, *, local: bool) -> Moment | None:
    """Return a date or instant; None if it cannot be read.

    Args:
        text: an xsd:date or xsd:dateTime.
        local: every date that it is compared with lacks a zone too, so that all share one.
    """
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        return None
    try:
        start = datetime.fromisoformat(found["day"] + (found["time"] or "T00:00"))
        zone = datetime.fromisoformat(f"2000-01-01T00:00{found['zone'] or 'Z'}").tzinfo
        earliest = latest = _micros(start.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        return None
    lasts = 1 if found["time"] else _span(timedelta(days=1))
    if found["zone"] is None and not local:
        earliest, latest = earliest - _span(ZONES), latest + _span(ZONES)
    return Moment(earliest, latest, earliest + lasts, latest + lasts)


def extent(operator: str, at: Moment) -> Extent | None:
    """Return the instants that stand to a moment as an operator of ODRL says; None if none does."""
    bounds = {
        "lt": ((LOW, at.start_low), (LOW, at.start_high)),
        "lteq": ((LOW, at.end_low), (LOW, at.end_high)),
        "gt": ((at.end_high, HIGH), (at.end_low, HIGH)),
        "gteq": ((at.start_high, HIGH), (at.start_low, HIGH)),
        "eq": ((at.start_high, at.end_low), (at.start_low, at.end_high)),
    }
    if operator not in bounds:
        return None
    inner, outer = bounds[operator]
    return Extent(Spans.of(*inner), Spans.of(*outer))


def said(instant: int) -> str:
    """Write an instant in UTC."""
    return (EPOCH + timedelta(microseconds=instant)).isoformat().replace("+00:00", "Z")


def _micros(at: datetime) -> int:
    return _span(at - EPOCH)


def _span(length: timedelta) -> int:
    return length // timedelta(microseconds=1)
