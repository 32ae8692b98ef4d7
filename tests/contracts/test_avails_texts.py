"""Days, instants and durations of avails: inclusive there, half-open here."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.avails import otherterms, texts
from contracts.avails.model import Term, last_second
from contracts.avails.zones import zone_of
from contracts.window import Window

DAYS = st.dates(date(1900, 1, 1), date(2199, 12, 30))


@given(DAYS)
def test_an_end_that_names_a_day_includes_it(day: date) -> None:
    end = texts.end(day.isoformat())
    assert (end.day, end.clock) == (day + timedelta(days=1), time.min)
    assert end == texts.end(f"{day}T23:59:59") == texts.end(f"{day}T24:00:00")


@given(DAYS)
def test_a_start_that_names_a_day_is_its_midnight(day: date) -> None:
    assert texts.start(day.isoformat()) == texts.start(f"{day}T00:00:00")
    assert texts.start(day.isoformat()).day == day


@given(DAYS, DAYS, st.sampled_from(["Asia/Shanghai", "America/New_York", "Europe/Paris"]))
def test_two_days_of_avails_are_the_window_that_a_licence_of_these_days_has(
    a: date, b: date, zone: str
) -> None:
    first, last = sorted((a, b))
    window = Window.of_days(first, last, zone)
    assert texts.start(first.isoformat()).at(zone) == window.start
    assert texts.end(last.isoformat()).at(zone) == window.end


@given(st.datetimes(datetime(1901, 1, 1), datetime(2199, 1, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001 - wall time has no zone.
def test_an_end_is_written_as_it_was_read(at: datetime, minutes: int) -> None:
    wall = (at.date(), at.time().replace(microsecond=0))
    text = texts.wall(wall, offset_s=minutes * 60)
    end = texts.end(text)
    said = last_second(end.day, end.clock)
    assert texts.end(texts.wall(said, offset_s=end.offset_s)) == end


def test_an_offset_that_the_file_says_wins_over_the_zone() -> None:
    at = texts.start("2027-01-01T00:00:00+08:00").at("America/New_York")
    assert at == datetime(2026, 12, 31, 16, tzinfo=UTC)


@pytest.mark.parametrize("text", ["Open", "2027-13-01", "1/2/2027", "2027-1-1", "9999-12-31", ""])
def test_what_is_no_day_waits_as_a_condition(text: str) -> None:
    assert texts.end(text).day is None
    assert texts.end(text).condition == text


@pytest.mark.parametrize(
    ("text", "same"),
    [("PT01H56M20S", "1:56:20"), ("PT56M20S", "56:20"), ("P1DT2H", "PT26H"), ("PT0S", "0:00:00")],
)
def test_a_duration_has_one_form(text: str, same: str) -> None:
    assert texts.duration(text) == texts.duration(same)


@pytest.mark.parametrize("text", ["P1Y", "P2M", "P", "PT", "soon"])
def test_a_duration_without_a_length_stays_as_written(text: str) -> None:
    assert texts.duration(text) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(2.99, "2.99"), (4.0, "4"), (True, "true"), (0.1 + 0.2, "0.30000000000000004")],
)
def test_a_cell_is_text_without_loss(value: object, text: str) -> None:
    assert texts.cell(value) == text


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[A-Z][\w-]{0,9}", fullmatch=True), st.text("aü;=% 中", min_size=1)
        ),
        max_size=4,
    )
)
def test_terms_in_a_cell_are_found_again(pairs: list[tuple[str, str]]) -> None:
    some = [Term(name, "Text", value.strip()) for name, value in pairs if value.strip()]
    assert list(otherterms.read(otherterms.write(some))) == some


def test_words_in_the_column_of_other_terms_stay_words() -> None:
    words = "Subject to contract; see annex B"
    assert list(otherterms.read(words)) == [Term("OtherTerms", "Text", words)]
    assert otherterms.write(otherterms.read(words)) == words


@pytest.mark.parametrize(
    ("place", "zone"),
    [
        ("CN", "Asia/Shanghai"),
        ("CN-GD", "Asia/Shanghai"),
        ("US", "America/New_York"),
        ("001", "UTC"),
        ("", "UTC"),
    ],
)
def test_a_territory_is_read_in_its_first_zone(place: str, zone: str) -> None:
    assert zone_of(place) == zone
