from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.works import protection
from contracts.works.protection import BadDates, DatesSettled
from tests.conftest import NOW

days = st.dates(date(1888, 1, 1), date(2200, 12, 31))
maybe = st.none() | days


@pytest.mark.parametrize(
    ("completed", "published", "ends"),
    [
        (None, None, None),
        ("2026-03-31", "2026-10-01", "2076-12-31"),
        ("2026-03-31", None, "2076-12-31"),
        (None, "2026-10-01", "2076-12-31"),
        ("2026-12-31", "2027-01-01", "2077-12-31"),
        ("1970-05-01", "2025-01-01", "2020-12-31"),  # published more than fifty years later
        ("1970-05-01", "2020-12-31", "2070-12-31"),  # the last day on which publication counts
        ("1970-05-01", "2021-01-01", "2020-12-31"),
        ("1970-01-01", "1970-12-31", "2020-12-31"),
    ],
)
def test_protection_ends_fifty_years_after_first_publication(
    completed: str | None, published: str | None, ends: str | None
) -> None:
    first, second = (day and date.fromisoformat(day) for day in (completed, published))
    last = protection.protection_end(first or None, second or None)
    assert last == (date.fromisoformat(ends) if ends else None)


@given(maybe, maybe)
def test_protection_ends_on_the_last_day_of_a_fiftieth_year(
    completed: date | None, published: date | None
) -> None:
    last = protection.protection_end(completed, published)
    given_ = [day.year + 50 for day in (completed, published) if day is not None]
    if last is None:
        assert not given_
    else:
        assert (last.month, last.day) == (12, 31) and last.year in given_


@given(days, days)
def test_publication_in_time_prolongs_protection_and_late_publication_does_not(
    completed: date, published: date
) -> None:
    unpublished = protection.protection_end(completed, None)
    last = protection.protection_end(completed, published)
    assert unpublished is not None and last is not None
    if published > unpublished:
        assert last == unpublished
    elif published >= completed:
        assert last >= unpublished


@given(days, days, days)
def test_later_publication_never_shortens_protection_while_it_is_in_time(
    completed: date, one: date, other: date
) -> None:
    early, late = sorted((one, other))
    ends = [protection.protection_end(completed, day) for day in (early, late)]
    if late <= date(completed.year + 50, 12, 31):
        assert ends == sorted(ends, key=lambda day: day or date.min)


@given(days)
def test_the_last_protected_day_ends_at_midnight_in_china(day: date) -> None:
    until = protection.protected_until(day)
    assert until.tzinfo is UTC
    local = until.astimezone(protection.ZONE)
    assert (local.date(), local.time().isoformat()) == (day + timedelta(1), "00:00:00")


def test_the_last_protected_day_as_an_instant() -> None:
    assert protection.protected_until(date(2076, 12, 31)) == datetime(2076, 12, 31, 16, tzinfo=UTC)


@given(maybe, maybe)
@example(date(2026, 1, 2), date(2026, 1, 1))
@example(date(2026, 11, 22), date(2026, 11, 22))
@example(None, date(2026, 11, 23))
def test_dates_pass_exactly_when_they_have_come_and_stand_in_order(
    completed: date | None, published: date | None
) -> None:
    given_ = [day for day in (completed, published) if day is not None]
    if given_ == sorted(given_) and all(day <= date(2026, 11, 22) for day in given_):
        protection.check_dates(completed, published, now=NOW)
    else:
        with pytest.raises(BadDates):
            protection.check_dates(completed, published, now=NOW)


def test_today_is_the_day_in_china() -> None:
    evening = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
    protection.check_dates(None, date(2026, 11, 23), now=evening)
    with pytest.raises(BadDates):
        protection.check_dates(None, date(2026, 11, 23), now=evening - timedelta(seconds=1))


@given(maybe, maybe)
def test_a_date_is_settled_once(known: date | None, wanted: date | None) -> None:
    if known is not None and wanted is not None and known != wanted:
        with pytest.raises(DatesSettled):
            protection.settled(known, wanted)
    else:
        assert protection.settled(known, wanted) == (known or wanted)


def test_saying_neither_date_is_refused() -> None:
    with pytest.raises(BadDates):
        protection.need_a_date(None, None)
