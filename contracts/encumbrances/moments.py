"""Moments that may wait for an event, and the calendar durations between them (pure).

Source: ISO 8601-1:2019 §5.5.2 for durations of calendar units (`P6M`); the leading minus is that of
ISO 8601-2:2019 §4.4.1.9.

Differs from the source: years, months, weeks and days alone; a licence knows no shorter units.
"""

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from contracts.refusal import Kind, Refusal
from contracts.rights import logic, vocabulary
from contracts.rights.logic import Span, Verdict
from contracts.rights.rules import FIRST_YEAR, LAST_YEAR
from contracts.window import BadWindow, zone_of

# The end of what has none: later than every licence day, and every database can hold it.
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
LONGEST_LAG_YEARS = 100
_LAG = re.compile(
    r"(?P<sign>-?)P(?:(?P<years>\d{1,4})Y)?(?:(?P<months>\d{1,4})M)?"
    r"(?:(?P<weeks>\d{1,4})W)?(?:(?P<days>\d{1,5})D)?",
    re.ASCII,
)
_KEYS = {"event", "lag", "not_before", "not_after"}


class UnknownEvent(Refusal):
    """The event is not in the vocabulary."""

    kind, code = Kind.INVALID, "unknown-event"
    hint = "Name one of the events in `known`."


class BadLag(Refusal):
    """The time between an event and a window is no duration of calendar units."""

    kind, code = Kind.INVALID, "bad-lag"
    hint = "Write years, months, weeks and days as in P6M, P1Y6M or P90D, a hundred years at most."


@dataclass(frozen=True, slots=True)
class Lag:
    """A duration on the calendar: months first, then days; negative lags lead to earlier days.

    It is no timedelta, and not comparable: a month has no fixed number of days.
    """

    months: int = 0
    days: int = 0

    @classmethod
    def parse(cls, text: str) -> "Lag":
        """Read a duration such as `P6M`.

        Raises:
            BadLag: it has another form, a part below days, or is too long.
        """
        found = _LAG.fullmatch(text)
        if found is None or text.endswith("P"):
            raise BadLag("This is no duration of calendar units.", lag=text[:40])
        part = {key: int(found[key] or 0) for key in ("years", "months", "weeks", "days")}
        months, days = part["years"] * 12 + part["months"], part["weeks"] * 7 + part["days"]
        if months > LONGEST_LAG_YEARS * 12 or days > LONGEST_LAG_YEARS * 366:
            raise BadLag("The duration is too long.", lag=text[:40])
        sign = -1 if found["sign"] else 1
        return cls(sign * months, sign * days)

    def after(self, day: date) -> date:
        """Return the day this long after another; a day its month lacks becomes the month's last.

        31 August and `P6M` make 28 (or 29) February.
        """
        month = day.year * 12 + day.month - 1 + self.months
        year, month = divmod(month, 12)
        last = monthrange(year, month + 1)[1]
        return date(year, month + 1, min(day.day, last)) + timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Moment:
    """The midnight that begins a day in a zone: a day by itself, or one counted from an event.

    A moment counted from an event is never before `not_before` nor after `not_after`, whatever the
    event's day; until the event has one, that is all that is known of it.
    """

    zone: str
    day: date | None = None
    event: str | None = None
    lag: Lag = Lag()
    not_before: date | None = None
    not_after: date | None = None

    def bounds(self, events: Mapping[str, date]) -> tuple[datetime | None, datetime | None]:
        """Return the earliest and latest instant it can be, equal when it is known; None: no bound.

        Args:
            events: the days of the events that have happened.
        """
        happened = None if self.event is None else events.get(self.event)
        day = self.day if happened is None else self._kept(self.lag.after(happened))
        earliest, latest = (self.not_before, self.not_after) if day is None else (day, day)
        return self._at(earliest), self._at(latest)

    def _at(self, day: date | None) -> datetime | None:
        return None if day is None else midnight(day, self.zone)

    def _kept(self, day: date) -> date:
        if self.not_before is not None:
            day = max(day, self.not_before)
        return day if self.not_after is None else min(day, self.not_after)


@dataclass(frozen=True, slots=True)
class When:
    """A window between two moments; None is no end."""

    start: Moment
    end: Moment | None

    def span(self, events: Mapping[str, date]) -> Span:
        """Return the span as far as the days of these events tell; FOREVER where it has no end."""
        ends = (FOREVER, FOREVER) if self.end is None else self.end.bounds(events)
        return Span(*self.start.bounds(events), *ends)

    def waits_for(self, events: Mapping[str, date]) -> str | None:
        """Return the first event without a day that the window is counted from, or None."""
        named = (self.start.event, self.end and self.end.event)
        return next((one for one in named if one and one not in events), None)


def when(wire: Mapping[str, Any]) -> When:
    """Read a window: `first_day` or `start`; `last_day`, `end` or neither; in the zone `tz`.

    Raises:
        UnknownEvent: an event is not in the vocabulary.
        BadLag: the time from an event is no duration.
        BadWindow: a day cannot be read, the zone is unknown, or the window is empty or not clear.
    """
    read = When(_start(wire), _end(wire))
    if is_never(read.span({})):
        raise BadWindow("The window ends before it starts.")
    return read


def is_never(span: Span) -> bool:
    """Tell whether a span surely ends before it starts."""
    return logic.meets(span, span) is Verdict.COMPATIBLE


def counted_from(wire: Mapping[str, Any], zone: str) -> Moment:
    """Read a moment that an event sets: `{"event", "lag"?, "not_before"?, "not_after"?}`.

    Raises:
        UnknownEvent: the event is not in the vocabulary.
        BadLag: the lag is no duration.
        BadWindow: a bound is no day, or the bounds run backwards, or a key is not known.
    """
    if not wire.keys() <= _KEYS:
        raise BadWindow("A moment has keys that are not known.", known=sorted(_KEYS))
    moment = Moment(
        zone,
        event=event(wire.get("event")),
        lag=Lag.parse(wire.get("lag") or "P0D"),
        not_before=wire.get("not_before") and day_of(wire["not_before"]),
        not_after=wire.get("not_after") and day_of(wire["not_after"]),
    )
    if moment.not_before and moment.not_after and moment.not_after < moment.not_before:
        raise BadWindow("The bounds of a moment run backwards.")
    return moment


def event(code: str | None) -> str:
    """Return the code of an event (事件).

    Raises:
        UnknownEvent: the vocabulary has none of that code.
    """
    if code is None or code not in vocabulary.EVENTS:
        raise UnknownEvent("The event is not known.", known=sorted(vocabulary.EVENTS))
    return code


def day_of(value: str | date) -> date:
    """Return a licence day from its ISO text.

    Raises:
        BadWindow: it cannot be read, or lies outside the years of licences.
    """
    try:
        day = value if isinstance(value, date) else date.fromisoformat(value)
    except ValueError as unreadable:
        raise BadWindow("A licence day is not an ISO date.", day=value) from unreadable
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise BadWindow("A licence day is out of range.", first=FIRST_YEAR, last=LAST_YEAR)
    return day


def midnight(day: date, zone: str) -> datetime:
    """Return the instant, in UTC, at which a day begins in a zone."""
    return datetime.combine(day, time.min, zone_of(zone)).astimezone(UTC)


def _start(wire: Mapping[str, Any]) -> Moment:
    zone = zone_of(wire["tz"]).key
    if bool(wire.get("first_day")) == bool(wire.get("start")):
        raise BadWindow("Give either a first day or the moment of the start.")
    if wire.get("start"):
        return counted_from(wire["start"], zone)
    return Moment(zone, day=day_of(wire["first_day"]))


def _end(wire: Mapping[str, Any]) -> Moment | None:
    if wire.get("last_day") and wire.get("end"):
        raise BadWindow("Give either a last day or the moment of the end.")
    if wire.get("end"):
        return counted_from(wire["end"], wire["tz"])
    if wire.get("last_day"):
        return Moment(wire["tz"], day=Lag(days=1).after(day_of(wire["last_day"])))
    return None
