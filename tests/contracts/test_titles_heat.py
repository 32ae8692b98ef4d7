"""The heat map: each month's shade is what plain counting of days gives."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.rights import axes, region
from contracts.rights.instants import micros
from contracts.rights.region import Box
from contracts.titles import heat
from contracts.titles.heat import MOST_ROWS, OTHERS, Shade
from contracts.titles.judging import Answer, Outcome, Reason, Severity
from contracts.window import BadWindow

FIRST, MONTHS = date(2027, 1, 1), 4
DAYS = [date(2027, 1, 1) + timedelta(days=number) for number in range(31 + 28 + 31 + 30)]
PLACES = [("a", 0b0011), ("b", 0b0100), ("c", 0b1000)]


def at(day: int) -> int:
    start = datetime(2027, 1, 1, tzinfo=UTC)
    return micros(start + timedelta(days=day))


boxes = st.builds(
    lambda uses, places, tongues, start, length: Box(
        1, uses, places, tongues, at(start), at(min(start + length, len(DAYS)))
    ),
    st.integers(1, 3), st.integers(1, 15), st.integers(1, 3),
    st.integers(0, len(DAYS) - 1), st.integers(1, 80),
)  # fmt: skip
WHOLE = Box(1, 3, 15, 3, at(0), at(len(DAYS)))


def answered(free: list[Box], unknown: list[Box]) -> Answer:
    sure = region.of(free)
    maybe = region.minus(region.of(unknown), sure)
    return Answer(Outcome.PARTLY, (), sure, maybe, WHOLE)


def days_of(boxes: list[Box], month: int, mask: int) -> int:
    """How many (day, use, language, place) of a month some box holds."""
    held = set()
    for number, day in enumerate(DAYS):
        if day.month != month:
            continue
        for box in boxes:
            if box.start <= at(number) < box.end:
                held |= {
                    (number, use, tongue, place)
                    for use in range(2) if box.uses >> use & 1
                    for tongue in range(2) if box.languages >> tongue & 1
                    for place in range(4) if (box.territories & mask) >> place & 1
                }  # fmt: skip
    return len(held)


@settings(max_examples=100, deadline=None)
@given(st.lists(boxes, max_size=4), st.lists(boxes, max_size=2))
def test_a_shade_is_what_counting_days_gives(free: list[Box], unknown: list[Box]) -> None:
    months = heat.months_from(FIRST, MONTHS)
    drawn = heat.calendar(answered(free, unknown), months=months, rows=PLACES, zone="UTC")
    for (code, mask), row in zip(PLACES, drawn.rows, strict=True):
        assert row.code == code
        for month, shade in zip(months, row.shades, strict=True):
            count = days_of(free, month.month, mask)
            whole = sum(day.month == month.month for day in DAYS) * 4 * mask.bit_count()
            some = days_of([*free, *unknown], month.month, mask)
            expected = Shade.UNKNOWN if some else Shade.TAKEN
            if count:
                expected = Shade.FREE if count == whole else Shade.PARTLY
            assert shade is expected


def test_months_begin_where_the_zone_says() -> None:
    months = heat.months_from(date(2027, 12, 31), 2)
    assert months == (date(2027, 12, 1), date(2028, 1, 1))
    edges = heat.edges_of(months, "Asia/Shanghai")
    assert edges[0] == datetime(2027, 11, 30, 16, tzinfo=UTC)
    assert edges[-1] == datetime(2028, 1, 31, 16, tzinfo=UTC)


@pytest.mark.parametrize("first", [date(9999, 12, 1), date(2199, 12, 1), date(1800, 1, 1)])
def test_months_far_away_are_refused(first: date) -> None:
    with pytest.raises(BadWindow):
        heat.edges_of(heat.months_from(first, 12), "UTC")


def world(*taken: int) -> Answer:
    """An answer about the world, in which reasons take these masks."""
    places = axes.TERRITORIES.all
    asked = Box(1, 1, places, 1, at(0), at(1))
    reasons = tuple(
        Reason("exclusive-out", Severity.BLOCKER, Box(1, 1, mask, 1, at(0), at(1)))
        for mask in taken
    )
    return Answer(Outcome.PARTLY, reasons, region.EMPTY, region.EMPTY, asked)


def test_rows_are_the_countries_that_reasons_name_and_one_for_the_rest() -> None:
    mask = axes.TERRITORIES.mask
    rows = heat.rows_of(world(mask(["CN-GD"]), mask(["CN", "DE"]), axes.TERRITORIES.all))
    assert [code for code, _ in rows] == ["CN", "DE", OTHERS]
    union = 0
    for _, one in rows:
        assert not union & one
        union |= one
    assert union == axes.TERRITORIES.all


@pytest.mark.parametrize("within", [None, "US", "GB", "CN"])
def test_rows_are_never_too_many_and_leave_nothing_out(within: str | None) -> None:
    countries = [mask for _, mask in heat._countries()]
    rows = heat.rows_of(world(*countries), within=within)
    assert len(rows) <= MOST_ROWS
    union = 0
    for _, one in rows:
        assert not union & one
        union |= one
    assert union == axes.TERRITORIES.mask([within] if within else ["WRD"])
