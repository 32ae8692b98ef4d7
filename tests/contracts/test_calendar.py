from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import calendar

DAYS = st.dates(date(2025, 1, 1), date(2026, 10, 31))
COUNTS = st.integers(0, 15)  # two of them stay within the year that is loaded


@given(DAYS, COUNTS, COUNTS)
def test_adding_in_two_steps_is_adding_at_once(day: date, one: int, two: int) -> None:
    stop = calendar.add_working_days(day, one)
    assert calendar.add_working_days(stop, two) == calendar.add_working_days(day, one + two)


@given(DAYS, st.integers(1, 30))
def test_the_day_reached_is_worked_and_the_days_after_the_event_up_to_it_are_the_count(
    day: date, count: int
) -> None:
    last = calendar.add_working_days(day, count)
    assert calendar.is_working_day(last)
    assert calendar.working_days_between(day, last) == count
    assert calendar.working_days_between(day, last - timedelta(days=1)) == count - 1


@given(DAYS, DAYS, COUNTS)
def test_who_starts_earlier_is_never_done_later(one: date, two: date, count: int) -> None:
    first, second = sorted((one, two))
    assert calendar.add_working_days(first, count) <= calendar.add_working_days(second, count)


@given(DAYS)
def test_nothing_is_counted_backwards_or_in_place(day: date) -> None:
    assert calendar.add_working_days(day, 0) == day
    assert calendar.working_days_between(day, day) == 0
    assert calendar.working_days_between(day, day - timedelta(days=9)) == 0


@pytest.mark.parametrize(("year", "worked"), [(2025, 248), (2026, 248)])
def test_a_year_has_as_many_working_days_as_its_weeks_less_its_eleven_and_two_holidays(
    year: int, worked: int
) -> None:
    """Thirteen holidays since 2025; every other day off is a weekend or worked on one."""
    last = date(year, 12, 31)
    days = calendar.loaded().working_days_between(date(year, 1, 1), last)
    assert days == worked
    weekdays = sum(
        (date(year, 1, 1) + timedelta(days=n)).weekday() < 5
        for n in range((last - date(year, 1, 1)).days + 1)
    )
    assert weekdays - days == 13


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        (date(2025, 1, 26), True),  # a Sunday
        (date(2025, 2, 4), False),
        (date(2025, 10, 8), False),
        (date(2025, 10, 11), True),
        (date(2026, 1, 2), False),
        (date(2026, 1, 4), True),
        (date(2026, 2, 14), True),
        (date(2026, 2, 23), False),
        (date(2026, 5, 9), True),
        (date(2026, 10, 10), True),
        (date(2026, 10, 11), False),
    ],
)
def test_days_are_worked_as_the_notices_say(day: date, worked: bool) -> None:
    assert calendar.is_working_day(day) is worked


def test_a_saturday_that_is_worked_counts_and_a_thursday_that_is_off_does_not() -> None:
    assert calendar.add_working_days(date(2026, 9, 30), 3) == date(2026, 10, 10)
    assert calendar.add_working_days(date(2026, 2, 13), 2) == date(2026, 2, 24)


def test_a_year_without_its_notice_is_refused_and_never_guessed() -> None:
    with pytest.raises(calendar.YearNotLoaded) as refused:
        calendar.add_working_days(date(2026, 12, 28), 5)
    assert refused.value.data == {"year": 2027, "loaded": [2025, 2026]}
    with pytest.raises(calendar.YearNotLoaded):
        calendar.is_working_day(date(2024, 12, 31))
    assert calendar.add_working_days(date(2026, 12, 28), 3) == date(2026, 12, 31)


@pytest.mark.parametrize("count", [-1, 2_501, True, 1.0, None])
def test_a_count_that_is_none_is_refused(count: object) -> None:
    with pytest.raises(calendar.BadDayCount):
        calendar.add_working_days(date(2026, 11, 2), count)


def test_a_further_year_is_a_row_of_data() -> None:
    with_next = calendar.read(
        "# notices\nyear,kind,first,last,name,notice\n"
        "2027,off,2026-12-31,2027-01-02,元旦,one\n2027,work,2027-01-03,2027-01-03,元旦,one\n"
    )
    assert not with_next.is_working_day(date(2027, 1, 1))
    assert with_next.is_working_day(date(2027, 1, 3))
    assert with_next.moved[date(2026, 12, 31)] is False


@given(DAYS)
def test_a_day_in_shanghai_lies_between_its_two_midnights(day: date) -> None:
    assert calendar.day_of(calendar.start_of(day)) == day
    assert calendar.day_of(calendar.end_of(day) - timedelta(microseconds=1)) == day
    assert calendar.end_of(day) == calendar.start_of(day + timedelta(days=1))


def test_evening_in_greenwich_is_the_next_day_in_shanghai() -> None:
    assert calendar.day_of(datetime(2026, 11, 20, 15, 59, tzinfo=UTC)) == date(2026, 11, 20)
    assert calendar.day_of(datetime(2026, 11, 20, 16, 0, tzinfo=UTC)) == date(2026, 11, 21)


@pytest.mark.parametrize(
    ("day", "year"),
    [
        pytest.param(date(2026, 10, 31), None, id="too-early-to-ask"),
        pytest.param(date(2026, 11, 1), 2027, id="the-next-from-november"),
        pytest.param(date(2026, 12, 31), 2027, id="the-next-on-its-eve"),
        pytest.param(date(2027, 3, 1), 2027, id="its-own"),
    ],
)
def test_a_year_that_is_not_loaded_is_asked_for_from_november_on(
    day: date, year: int | None
) -> None:
    known = calendar.Calendar({2026: "notice"}, {})
    assert known.lacks(day) == year
    whole = calendar.Calendar({2026: "notice", 2027: "notice", 2028: "notice"}, {})
    assert whole.lacks(day) is None
