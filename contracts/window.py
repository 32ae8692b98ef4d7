"""Windows: half-open spans of UTC time, and licence days resolved to instants."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contracts.refusal import Kind, Refusal

# Files of the zone database that are no places, or whose clock is this machine's.
_NO_PLACES = ("localtime", "posixrules", "Factory")
_OTHER_CLOCKS = ("posix/", "right/")


class BadWindow(Refusal):
    """The window is empty, runs backwards, has no zone, or names an unknown zone."""

    kind, code = Kind.INVALID, "bad-window"
    hint = (
        "Give a first day on or before the last day, and an IANA time zone such as Asia/Shanghai."
    )


def zone_of(name: str) -> ZoneInfo:
    """Return an IANA time zone, the same on every machine.

    Raises:
        BadWindow: there is none of that name.
    """
    try:
        if name in _NO_PLACES or name.startswith(_OTHER_CLOCKS):
            raise ZoneInfoNotFoundError(name)
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:  # OSError: a folder, too long
        raise BadWindow("The time zone is unknown.", zone=name[:64]) from unknown


@dataclass(frozen=True, slots=True)
class Window:
    """The instants from `start` up to but not including `end`, both aware UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Refuse naive, non-UTC, empty and backward spans."""
        if self.start.utcoffset() != timedelta(0) or self.end.utcoffset() != timedelta(0):
            raise BadWindow("A window is given in UTC.")
        if self.start >= self.end:
            raise BadWindow(
                "The window ends before it starts.",
                start=self.start.isoformat(),
                end=self.end.isoformat(),
            )

    @classmethod
    def of_days(cls, first: date, last: date, zone: str) -> "Window":
        """Resolve licence days, both inclusive, with the territory's IANA zone.

        Raises:
            BadWindow: the last day is before the first, or the zone is unknown.
        """
        tz = zone_of(zone)
        if last < first:
            raise BadWindow(
                "The window ends before it starts.",
                first_day=first.isoformat(),
                last_day=last.isoformat(),
            )
        after = last + timedelta(days=1)
        return cls(
            datetime.combine(first, time.min, tz).astimezone(UTC),
            datetime.combine(after, time.min, tz).astimezone(UTC),
        )

    def meet(self, other: "Window") -> "Window | None":
        """Return the span both share, or None."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Window(start, end) if start < end else None

    def covers(self, other: "Window") -> bool:
        """Tell whether every instant of `other` lies in this window."""
        return self.start <= other.start and other.end <= self.end
