"""Working days (工作日) of China, as the State Council's annual notices set them, 调休 included.

A year whose notice is not loaded is refused: nobody is told a date that a later notice would move.
Days are days in Shanghai; the day of an event is never counted, the period begins with the next.

Source: 民法典 art. 201 (the day of the event is not counted); the State Council's notices that
`contracts/data/working_days.csv` names.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from contracts.refusal import Kind, Refusal

ZONE = ZoneInfo("Asia/Shanghai")
_DAY = timedelta(days=1)
_FRIDAY = 4
# The notice of a year comes out in the last months of the year before it.
NOTICES_FROM_MONTH = 11
# Ten years of working days: nobody counts further, and a typing error should not count for hours.
MOST_DAYS = 2_500


class YearNotLoaded(Refusal):
    """The State Council's notice for that year is not loaded, so its working days are unknown."""

    kind, code = Kind.CONFLICT, "year-not-loaded"
    hint = (
        "Choose days within the years of `loaded`; the operator adds a year when its notice is out."
    )


class BadDayCount(Refusal):
    """The number of working days is no whole number that the calendar counts."""

    kind, code = Kind.INVALID, "bad-day-count"
    hint = "Give a whole number of working days from 0 to 2500."


@dataclass(frozen=True, slots=True)
class Calendar:
    """The years known, and the days on which they depart from Monday to Friday.

    Attributes:
        years: year -> the notice that sets it.
        moved: day -> whether it is worked; only days that the notices name.
    """

    years: Mapping[int, str]
    moved: Mapping[date, bool]

    def is_working_day(self, day: date) -> bool:
        """Tell whether the notice of that day's year has it worked.

        Raises:
            YearNotLoaded: the year's notice is not loaded.
        """
        if day.year not in self.years:
            raise YearNotLoaded(
                f"The working days of {day.year} are not loaded.",
                year=day.year,
                loaded=sorted(self.years),
            )
        return self.moved.get(day, day.weekday() <= _FRIDAY)

    def lacks(self, day: date) -> int | None:
        """Return the year that should be loaded on a day and is not: its own, or the next one's.

        The next one's from November on.
        """
        due = [day.year] + [day.year + 1] * (day.month >= NOTICES_FROM_MONTH)
        return next((year for year in due if year not in self.years), None)

    def add_working_days(self, day: date, count: int) -> date:
        """Return the `count`-th working day after `day`, which is itself not counted.

        With a count of 0 this is `day` itself.

        Raises:
            BadDayCount: the count is negative, no whole number, or beyond ten years.
            YearNotLoaded: the period reaches into a year whose notice is not loaded.
        """
        if type(count) is not int or not 0 <= count <= MOST_DAYS:
            raise BadDayCount("That many working days cannot be counted.", count=str(count))
        while count:
            day += _DAY
            count -= self.is_working_day(day)
        return day

    def working_days_between(self, day: date, last: date) -> int:
        """Count the working days after `day` up to and with `last`; 0 when `last` is not later.

        Raises:
            YearNotLoaded: the period reaches into a year whose notice is not loaded.
        """
        return sum(self.is_working_day(each) for each in _days_after(day, last))


def _days_after(day: date, last: date) -> Iterator[date]:
    while day < last:
        day += _DAY
        yield day


def read(text: str) -> Calendar:
    """Read notices: comma separated, the first line a comment; see `data/working_days.csv`."""
    years: dict[int, str] = {}
    moved: dict[date, bool] = {}
    for row in csv.DictReader(text.splitlines()[1:]):
        years[int(row["year"])] = row["notice"]
        first, last = date.fromisoformat(row["first"]), date.fromisoformat(row["last"])
        for day in _days_after(first - _DAY, last):
            moved[day] = row["kind"] == "work"
    return Calendar(years, moved)


@cache
def loaded() -> Calendar:
    """Return the calendar that is shipped."""
    return read(files("contracts").joinpath("data", "working_days.csv").read_text("utf-8"))


def is_working_day(day: date) -> bool:
    """Tell whether a day is worked, by the shipped calendar.

    Raises:
        YearNotLoaded: the year's notice is not loaded.
    """
    return loaded().is_working_day(day)


def add_working_days(day: date, count: int) -> date:
    """Return the `count`-th working day after `day`, which is itself not counted.

    Raises:
        BadDayCount: the count is negative, no whole number, or beyond ten years.
        YearNotLoaded: the period reaches into a year whose notice is not loaded.
    """
    return loaded().add_working_days(day, count)


def working_days_between(day: date, last: date) -> int:
    """Count the working days after `day` up to and with `last`, by the shipped calendar.

    Raises:
        YearNotLoaded: the period reaches into a year whose notice is not loaded.
    """
    return loaded().working_days_between(day, last)


def day_of(moment: datetime) -> date:
    """Return the day in Shanghai on which an aware instant falls."""
    return moment.astimezone(ZONE).date()


def end_of(day: date) -> datetime:
    """Return the first instant, UTC, that is no longer this day in Shanghai."""
    return datetime.combine(day + _DAY, time(), ZONE).astimezone(UTC)


def start_of(day: date) -> datetime:
    """Return the first instant, UTC, of this day in Shanghai."""
    return datetime.combine(day, time(), ZONE).astimezone(UTC)
