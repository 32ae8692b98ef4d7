from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import canonical
from contracts.canonical import NotCanonical
from contracts.window import BadWindow, Window

DAYS = st.dates(date(2000, 1, 1), date(2100, 1, 1))
ZONES = st.sampled_from(["Asia/Shanghai", "Europe/London", "America/New_York", "UTC"])
WINDOWS = st.tuples(DAYS, DAYS, ZONES).map(
    lambda drawn: Window.of_days(min(drawn[:2]), max(drawn[:2]), drawn[2])
)


@given(WINDOWS, WINDOWS)
def test_meeting_commutes_and_lies_in_both(a: Window, b: Window) -> None:
    met = a.meet(b)
    assert met == b.meet(a)
    assert met is None or (a.covers(met) and b.covers(met))


@given(WINDOWS, WINDOWS, WINDOWS)
def test_meeting_associates(a: Window, b: Window, c: Window) -> None:
    left, right = a.meet(b), b.meet(c)
    assert (left and left.meet(c)) == (right and a.meet(right))


def test_days_are_those_of_the_territorys_zone() -> None:
    window = Window.of_days(date(2027, 1, 1), date(2027, 1, 1), "Asia/Shanghai")
    assert window.start == datetime(2026, 12, 31, 16, tzinfo=UTC)
    assert window.end - window.start == timedelta(days=1)


def test_a_window_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(BadWindow):
        Window.of_days(date(2027, 1, 2), date(2027, 1, 1), "Asia/Shanghai")


@pytest.mark.parametrize(
    "zone",
    ["Mars/Olympus", "", "../etc/passwd", "Asia", "a" * 300, "localtime", "Factory", "right/UTC"],
)
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(BadWindow):
        Window.of_days(date(2027, 1, 1), date(2027, 1, 2), zone)


@pytest.mark.parametrize("zone", [None, timezone(timedelta(hours=8))])
def test_a_window_is_aware_and_utc(zone: timezone | None) -> None:
    with pytest.raises(BadWindow):
        Window(datetime(2027, 1, 1, tzinfo=zone), datetime(2027, 1, 2, tzinfo=zone))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text("abc中文é𠮷"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc～𠮷"), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(JSON)
def test_canonical_bytes_are_a_fixed_point(value: object) -> None:
    once = canonical.dumps(value)
    assert canonical.dumps(canonical.loads(once)) == once


@given(JSON | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=3), JSON))
def test_the_quick_way_writes_the_same_bytes(value: object) -> None:
    try:
        slow = canonical.dumps(value)
    except NotCanonical:  # names that are not NFC: not known to be canonical
        return
    assert canonical.quick(value) == slow


@pytest.mark.parametrize("value", [2**53, {1: 2}, {"a": date(2026, 1, 1)}, b"bytes"])
def test_the_quick_way_takes_nothing_but_json(value: object) -> None:
    with pytest.raises(TypeError):
        canonical.quick(value)


@pytest.mark.parametrize(
    "raw",
    [b'{"a":1,"a":2}', b"1.5", b"NaN", b"Infinity", b'"e\xcc\x81"', b"\xff", b"{", b"[" * 5000],
    ids=["duplicate", "float", "nan", "infinity", "nfd", "not-utf8", "cut", "deep"],
)
def test_what_has_no_single_form_is_refused(raw: bytes) -> None:
    with pytest.raises(NotCanonical):
        canonical.loads(raw)


@pytest.mark.parametrize("value", [2**53, -(2**53), 1.0, float("nan"), {"a": 0.5}])
def test_unsafe_numbers_are_refused(value: object) -> None:
    with pytest.raises(NotCanonical):
        canonical.dumps(value)
