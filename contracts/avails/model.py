"""One document of avails, whichever form it came in: immutable values that compare by meaning.

Source: MovieLabs "Content Availability Metadata" (Avails) XML 2.4 to 2.7, XLSX 1.7 to 1.9.
Differs from the source: a window is half-open here. An end that names a day (or 23:59:59) is the
midnight after it; the text as written is kept beside the result and does not count in comparisons.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Literal
from zoneinfo import ZoneInfo

TermKind = Literal[
    "Money", "Event", "Text", "Number", "Boolean", "Duration", "URI", "Language", "ID",
    "YearDateTime", "Time",
]  # fmt: skip
DELETIONS = ("Delete", "Full Delete")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in its file: a row of a sheet, or a path in an XML document."""

    row: int | None = None
    sheet: str | None = None
    path: str | None = None

    def __str__(self) -> str:
        """Return the place in words: `row 5`, or the path."""
        if self.row is not None:
            return f"row {self.row}" if self.sheet is None else f"{self.sheet}, row {self.row}"
        return self.path or "document"


NOWHERE = Place()


@dataclass(frozen=True, slots=True)
class Bound:
    """Where a window starts or ends: a wall time, or a condition with an optional lag.

    `day` and `clock` are wall time; `offset_s` is its distance from UTC in seconds when the file
    says it, else the zone of the territory decides. `condition` is Open, Immediate, ESTStart ….
    """

    text: str = field(compare=False, default="")
    day: date | None = None
    clock: time = time.min
    offset_s: int | None = None
    condition: str | None = None
    lag: str | None = None

    def at(self, zone: str) -> datetime | None:
        """Return the instant (UTC) in the zone given, or None for a condition.

        Raises:
            OverflowError: the instant lies outside the years 1 to 9999.
        """
        if self.day is None:
            return None
        if self.offset_s is None:
            tz: ZoneInfo | timezone = ZoneInfo(zone)
        else:
            tz = timezone(timedelta(seconds=self.offset_s))
        return datetime.combine(self.day, self.clock, tz).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Tongue:
    """A language of an offer; `asset` says which track: audio, subtitle or subdub."""

    tag: str
    asset: str | None = None
    provided: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """A named term of a transaction: a price, a date, a flag, or one of our own."""

    name: str
    kind: TermKind
    value: str
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """The picture and sound on offer: UHD, HD …, and what makes them more."""

    profile: str
    hdr: str | None = None
    wcg: str | None = None
    hfr: str | None = None
    ngaudio: str | None = None


@dataclass(frozen=True, slots=True)
class Transaction:
    """One offer: how, where, when, in which languages and on which terms."""

    licence_type: str
    format: Format
    start: Bound
    end: Bound
    territories: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    id: str | None = None
    licensee: str | None = None
    description: str | None = None
    window_duration: str | None = None
    allowed: tuple[Tongue, ...] = ()
    assets: tuple[Tongue, ...] = ()
    holdback: tuple[Tongue, ...] = ()
    rights_description: str | None = None
    contract_id: str | None = None
    reporting_id: str | None = None
    ref_alids: tuple[str, ...] = ()
    terms: tuple[Term, ...] = ()
    condition: str | None = None
    instructions: str | None = None
    place: Place = field(compare=False, default=NOWHERE)

    def term(self, name: str) -> str | None:
        """Return the value of the first term of this name, or None."""
        return next((term.value for term in self.terms if term.name == name), None)


@dataclass(frozen=True, slots=True)
class Asset:
    """What is on offer: a movie, an episode, a season …, with what is said of it.

    `facts` are pairs of a column of the workbook (TitleInternalAlias, SeasonNumber …) and its
    value, sorted; a column may stand there more than once.
    """

    work_type: str
    content_id: str
    facts: tuple[tuple[str, str], ...] = ()
    bundled: tuple[str, ...] = ()
    place: Place = field(compare=False, default=NOWHERE)

    def fact(self, column: str) -> str | None:
        """Return the first value of a column, or None."""
        return next((value for name, value in self.facts if name == column), None)

    def all(self, column: str) -> tuple[str, ...]:
        """Return every value of a column."""
        return tuple(value for name, value in self.facts if name == column)


@dataclass(frozen=True, slots=True)
class Avail:
    """Everything offered under one logical identifier (ALID)."""

    alid: str
    entry_type: str
    licensor: str
    avail_type: str
    assets: tuple[Asset, ...]
    transactions: tuple[Transaction, ...]
    service_provider: str | None = None
    exception: bool = False
    entitlements: tuple[tuple[str, str], ...] = ()
    description: str = field(compare=False, default="")
    place: Place = field(compare=False, default=NOWHERE)


@dataclass(frozen=True, slots=True)
class Document:
    """A file of avails; its form and version do not count in comparisons."""

    avails: tuple[Avail, ...]
    form: Literal["xlsx", "xml"] = field(compare=False, default="xml")
    version: str = field(compare=False, default="2.7")


def end_of(day: date, clock: time) -> tuple[date, time]:
    """Return the half-open end of a window whose last second is named: 23:59:59 means midnight.

    Source: date-only ends are written `T23:59:59` by MovieLabs' own converter.
    """
    if (clock.hour, clock.minute, clock.second) == (23, 59, 59) and day < date.max:
        return day + timedelta(days=1), time.min
    return day, clock


def last_second(day: date, clock: time) -> tuple[date, time]:
    """Return the inclusive end that a file says for a half-open one; undoes `end_of`."""
    if clock == time.min and day > date.min:
        return day - timedelta(days=1), time(23, 59, 59)
    return day, clock
