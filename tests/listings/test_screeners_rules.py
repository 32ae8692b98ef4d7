"""Who may watch a screener: laws of the name, the end and the count."""

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listings.screeners import rules
from listings.screeners.rules import BadScreener, ScreenerEnded, ScreenerNotReady
from tests.conftest import NOW

ID = UUID("0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01")
TOMORROW = NOW + timedelta(days=1)


@given(st.text(max_size=200))
def test_a_name_is_one_printable_line_or_refused(viewer: str) -> None:
    try:
        read = rules.wish(viewer, TOMORROW, None, now=NOW)
    except BadScreener as no:
        assert no.data == {"field": "viewer"}
        return
    assert 1 <= len(read.viewer) <= rules.MOST_VIEWER
    assert read.viewer.isprintable()
    assert rules.wish(read.viewer, TOMORROW, None, now=NOW) == read


@given(st.timedeltas(timedelta(days=-400), timedelta(days=400)))
def test_a_link_ends_after_now_and_within_ninety_days(ahead: timedelta) -> None:
    good = timedelta() < ahead <= rules.LONGEST
    try:
        rules.wish("甲", NOW + ahead, None, now=NOW)
        assert good
    except BadScreener as no:
        assert no.data == {"field": "expires_at"}
        assert not good


@pytest.mark.parametrize("most", [0, -1, 1001])
def test_views_are_counted_from_one_to_a_thousand(most: int) -> None:
    with pytest.raises(BadScreener):
        rules.wish("甲", TOMORROW, most, now=NOW)


@given(
    st.sampled_from(["preparing", "ready", "failed", "ended"]),
    st.timedeltas(timedelta(days=-2), timedelta(days=2)),
    st.booleans(),
)
def test_only_a_ready_unrevoked_link_before_its_end_opens(
    state: str, ahead: timedelta, revoked: bool
) -> None:
    asked = {"state": state, "expires_at": NOW + ahead, "revoked_at": NOW if revoked else None}
    try:
        rules.check_alive(**asked, now=NOW)
        assert state == "ready" and ahead > timedelta() and not revoked
    except ScreenerNotReady:
        assert state == "preparing" and ahead > timedelta() and not revoked
    except ScreenerEnded:
        assert state in ("failed", "ended") or ahead <= timedelta() or revoked


@given(st.integers(0, 2000), st.integers(1, 1000))
def test_a_link_opens_as_often_as_it_may(views: int, most: int) -> None:
    rules.check_views(views=views, most_views=None)
    try:
        rules.check_views(views=views, most_views=most)
        assert views < most
    except ScreenerEnded:
        assert views >= most


def test_a_viewing_lasts_twelve_hours() -> None:
    rules.check_viewing(opened_at=NOW, now=NOW + timedelta(hours=11, minutes=59))
    with pytest.raises(ScreenerEnded):
        rules.check_viewing(opened_at=NOW, now=NOW + timedelta(hours=12))


def test_what_is_burnt_names_viewer_day_and_screener() -> None:
    assert rules.burnt("示范台", ID, NOW) == f"示范台 · {NOW:%Y-%m-%d} · 6a1f0a01"
