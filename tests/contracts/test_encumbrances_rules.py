"""Encumbrances as values: moments that wait, calendar durations, consents; no database."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.encumbrances import consents, moments, rules
from contracts.encumbrances.consents import Consent
from contracts.encumbrances.moments import FOREVER, Lag, Moment
from contracts.encumbrances.rules import Burden, Granted
from contracts.refusal import Refusal
from contracts.rights import axes, logic, vocabulary
from contracts.rights import rules as rights
from contracts.rights.logic import Span, Verdict
from tests.contracts.encumbrances_factory import terms, undated
from tests.contracts.rights_factory import wire

ZONES = ("Asia/Shanghai", "UTC", "America/New_York", "Australia/Lord_Howe")
DAYS = st.dates(date(1990, 1, 1), date(2090, 12, 31))
LAGS = st.builds(Lag, st.integers(-1200, 1200), st.integers(-400, 400))
ID, OTHER = UUID(int=1), UUID(int=2)
T0 = datetime(2027, 1, 1, tzinfo=UTC)


def at(hour: int) -> datetime:
    return T0 + timedelta(hours=hour)


@st.composite
def counted(draw: st.DrawFn) -> Moment:
    bounds = sorted(draw(st.lists(DAYS, min_size=2, max_size=2)))
    return Moment(
        draw(st.sampled_from(ZONES)),
        event="first-telecast",
        lag=draw(LAGS),
        not_before=draw(st.sampled_from([None, bounds[0]])),
        not_after=draw(st.sampled_from([None, bounds[1]])),
    )


@pytest.mark.parametrize(
    ("text", "day", "later"),
    [
        ("P6M", "2026-08-31", "2027-02-28"),
        ("P6M", "2027-08-31", "2028-02-29"),
        ("P1M", "2026-01-31", "2026-02-28"),
        ("P1Y", "2028-02-29", "2029-02-28"),
        ("P90D", "2026-12-01", "2027-03-01"),
        ("P2W", "2026-12-25", "2027-01-08"),
        ("P1Y6M10D", "2026-08-31", "2028-03-10"),
        ("-P1M", "2026-03-31", "2026-02-28"),
        ("P0D", "2026-03-31", "2026-03-31"),
    ],
)
def test_a_lag_counts_months_on_the_calendar_and_keeps_inside_the_month(
    text: str, day: str, later: str
) -> None:
    assert Lag.parse(text).after(date.fromisoformat(day)) == date.fromisoformat(later)


@pytest.mark.parametrize(
    "text", ["", "P", "-P", "6M", "P6", "PT6H", "P1DT1H", "P1.5M", "P1D1M", "p6m", "P1M ",
             "P101Y", "P36601D", "P٣M", "P-6M"],
)  # fmt: skip
def test_a_lag_that_is_no_calendar_duration_is_refused(text: str) -> None:
    with pytest.raises(moments.BadLag):
        Lag.parse(text)


@given(LAGS, DAYS, DAYS)
def test_a_later_event_never_makes_an_earlier_moment(lag: Lag, a: date, b: date) -> None:
    assert lag.after(min(a, b)) <= lag.after(max(a, b))


@given(st.integers(0, 100), st.integers(0, 99), st.integers(0, 52), st.integers(0, 99), DAYS)
def test_a_lag_is_its_months_and_then_its_days(
    years: int, months: int, weeks: int, days: int, day: date
) -> None:
    if years * 12 + months > 1200:
        return
    lag = Lag.parse(f"P{years}Y{months}M{weeks}W{days}D")
    assert lag == Lag(years * 12 + months, weeks * 7 + days)
    moved = Lag(months=years * 12 + months).after(day)
    assert (moved.year - day.year) * 12 + moved.month - day.month == years * 12 + months
    assert moved.day == day.day or (moved.day < day.day and (moved + timedelta(1)).day == 1)
    assert lag.after(day) == moved + timedelta(days=weeks * 7 + days)


@given(counted(), DAYS)
def test_what_is_known_of_an_undated_moment_stays_true_once_it_has_a_date(
    moment: Moment, day: date
) -> None:
    earliest, latest = moment.bounds({})
    known, same = moment.bounds({"first-telecast": day})
    assert known is not None
    assert known == same
    assert earliest is None or earliest <= known
    assert latest is None or known <= latest


@given(counted(), counted(), DAYS, DAYS, st.integers(0, 400))
def test_a_verdict_on_an_undated_window_is_never_taken_back(
    start: Moment, end: Moment, happened: date, first: date, days: int
) -> None:
    when = moments.When(start, end)
    fixed = Span.fixed(
        moments.midnight(first, "UTC"), moments.midnight(first + timedelta(days=days + 1), "UTC")
    )
    before = logic.meets(when.span({}), fixed)
    after = logic.meets(when.span({"first-telecast": happened}), fixed)
    assert before in (Verdict.UNKNOWN, after)
    assert when.waits_for({}) == "first-telecast"
    assert when.waits_for({"first-telecast": happened}) is None


def test_a_window_counted_from_an_event_begins_and_ends_with_midnight_in_its_zone() -> None:
    span = rules.resolve(undated()).when.span({"theatrical-release": date(2027, 8, 31)})
    assert span == Span.fixed(
        datetime(2027, 8, 30, 16, tzinfo=UTC), datetime(2028, 2, 28, 16, tzinfo=UTC)
    )


def test_days_are_included_as_in_a_grant() -> None:
    said = rules.resolve(terms(last_day="2028-12-31"))
    window = rights.resolve(wire()).window
    assert said.when.span({}) == Span.fixed(window.start, window.end)


def test_what_has_no_end_lasts() -> None:
    span = rules.resolve(terms(last_day=None)).when.span({})
    assert (span.end_earliest, span.end_latest) == (FOREVER, FOREVER)
    assert span.is_fixed


SAID = st.fixed_dictionaries(
    {
        "rights": st.sampled_from([["*"], ["broadcasting"], ["network-transmission", "rental"]]),
        "media": st.just(["*"]),
        "territories": st.lists(st.sampled_from(["CN", "EU", "WRD", "US-CA", "TW"]), min_size=1),
        "excluded": st.lists(st.sampled_from(["FR", "JP", "HK"])),
        "languages": st.lists(st.sampled_from(["zh", "*", "zh:dubbed", "pt-BR"]), min_size=1),
        "tz": st.sampled_from(ZONES),
        "first_day": st.sampled_from(["2027-01-01", date(2027, 5, 5)]),
        "end": st.sampled_from([None, {"event": "delivery"},
                                {"event": "delivery", "lag": "P2Y", "not_after": "2030-01-01"}]),
    }
)  # fmt: skip


@given(SAID)
def test_the_normal_form_means_the_same_and_is_its_own_normal_form(said: dict[str, Any]) -> None:
    plain = rules.normal(said)
    assert rules.resolve(plain) == rules.resolve(said)
    assert rules.normal(plain) == plain


def test_everything_is_every_use() -> None:
    said = rules.resolve(terms(right=None, rights=["*"], media=["*"]))
    licensable = [one.code for one in vocabulary.RIGHTS.values() if one.licensable]
    assert said.uses == axes.ALL_USES
    assert list(said.rights) == licensable


def test_several_rights_are_said_in_the_order_of_the_statute() -> None:
    said = rules.resolve(
        terms(right="network-transmission", rights=["broadcasting"], media=["iptv", "satellite"])
    )
    assert said.rights == ("broadcasting", "network-transmission")
    held = dict(axes.media_of_uses(said.uses))
    assert held["broadcasting"] == axes.MEDIA.mask(["iptv", "satellite"])
    assert held["network-transmission"] == axes.MEDIA.mask(["iptv"])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"right": "airing"}, "unknown-right"),
        ({"right": "attribution"}, "right-not-licensable"),
        ({"right": None}, "nothing-offered"),
        ({"media": ["telepathy"]}, "unknown-medium"),
        ({"media": []}, "nothing-offered"),
        ({"media": ["satellite", "cinema"]}, "medium-needs-another-right"),
        ({"territories": ["XX"]}, "unknown-territory"),
        ({"territories": ["CN"], "excluded": ["CN"]}, "nothing-offered"),
        ({"languages": ["qqq"]}, "unknown-language"),
        ({"languages": []}, "nothing-offered"),
        ({"tz": "Asia/Nowhere"}, "bad-window"),
        ({"tz": "Asia"}, "bad-window"),
        ({"tz": "../etc/passwd"}, "bad-window"),
        ({"first_day": "2027-02-30"}, "bad-window"),
        ({"first_day": "1066-10-14"}, "bad-window"),
        ({"first_day": "2028-01-01"}, "bad-window"),
        ({"first_day": None}, "bad-window"),
        ({"start": {"event": "delivery"}}, "bad-window"),
        ({"end": {"event": "delivery"}}, "bad-window"),
        ({"last_day": None, "end": {"event": "apocalypse"}}, "unknown-event"),
        ({"last_day": None, "end": {"lag": "P6M"}}, "unknown-event"),
        ({"last_day": None, "end": {"event": "delivery", "lag": "soon"}}, "bad-lag"),
        ({"last_day": None, "end": {"event": "delivery", "day": "2027-01-01"}}, "bad-window"),
        ({"last_day": None, "end": {"event": "delivery", "not_after": "2026-12-31"}},
         "bad-window"),
        ({"last_day": None, "end": {"event": "delivery", "not_before": "2029-01-01",
                                    "not_after": "2028-01-01"}}, "bad-window"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_code(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as refused:
        rules.resolve(terms(**changes))
    assert refused.value.code == code


# Consents: three leaves on each axis and six hours, checked cell by cell.
MASKS = st.integers(1, 7)
HOURS = st.integers(0, 6)
ENDS = st.one_of(st.none(), HOURS)


@st.composite
def bounds(draw: st.DrawFn) -> tuple[datetime | None, datetime | None]:
    low, high = draw(ENDS), draw(ENDS)
    if low is not None and high is not None and low > high:
        low, high = high, low
    return None if low is None else at(low), None if high is None else at(high)


BURDENS = st.builds(
    lambda uses, territories, languages, start, end: Burden(
        ID, "pledge", (0, 1), uses, territories, languages, Span(*start, *end), None, OTHER
    ),
    MASKS, MASKS, MASKS, bounds(), bounds(),
)  # fmt: skip
CONSENTS = st.builds(
    lambda uses, territories, languages, start, hours: Consent(
        uses, territories, languages, at(start), at(start + hours)
    ),
    MASKS, MASKS, MASKS, HOURS, st.integers(1, 4),
)  # fmt: skip
CELLS = list(product(range(3), range(3), range(3), range(-1, 8)))


def holds(box: Any, cell: tuple[int, int, int, int]) -> bool:
    use, territory, language, _ = cell
    return bool(box.uses >> use & box.territories >> territory & box.languages >> language & 1)


def surely(burden: Burden, cell: tuple[int, int, int, int]) -> bool:
    span = burden.span
    began = span.start_latest is not None and span.start_latest <= at(cell[3])
    lasts = span.end_earliest is not None and at(cell[3]) < span.end_earliest
    return holds(burden, cell) and began and lasts


def perhaps(burden: Burden, cell: tuple[int, int, int, int]) -> bool:
    span = burden.span
    may_begin = span.start_earliest is None or span.start_earliest <= at(cell[3])
    may_last = span.end_latest is None or at(cell[3]) < span.end_latest
    return holds(burden, cell) and may_begin and may_last


@given(BURDENS, st.lists(CONSENTS, max_size=3))
def test_a_burden_without_consents_holds_the_cells_that_no_consent_holds(
    burden: Burden, given_: list[Consent]
) -> None:
    left = consents.without(burden, given_)
    for cell in CELLS:
        free = any(
            holds(one, cell) and one.start <= at(cell[3]) < one.end for one in given_
        )  # fmt: skip
        for tells in (surely, perhaps):
            count = sum(tells(piece, cell) for piece in left)
            assert count == (tells(burden, cell) and not free), (cell, tells.__name__)


def test_a_consent_elsewhere_leaves_a_burden_as_it_is() -> None:
    burden = Burden(ID, "pledge", (0, 1), 1, 1, 1, Span.fixed(at(0), at(3)), None, OTHER)
    assert consents.without(burden, [Consent(2, 1, 1, at(0), at(3))]) == [burden]
    assert consents.without(burden, [Consent(1, 1, 1, at(3), at(4))]) == [burden]
    assert consents.without(burden, [Consent(7, 7, 7, at(0), at(3))]) == []


@pytest.mark.parametrize(
    "changes", [{"last_day": None}, {"last_day": None, "end": {"event": "delivery"}}]
)
def test_a_consent_is_given_from_day_to_day(changes: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refused:
        consents.consent_of(terms(**changes))
    assert refused.value.code == "bad-window"


@pytest.mark.parametrize("kind", rules.KINDS)
def test_a_kind_that_is_somebodys_names_somebody(kind: str) -> None:
    rules.check_declared(kind, has_beneficiary=True, reference="著质登字-2026-0001")
    if kind not in rules.FOR_SOMEBODY:
        rules.check_declared(kind, has_beneficiary=False, reference=None)
        return
    with pytest.raises(rules.BeneficiaryNeeded):
        rules.check_declared(kind, has_beneficiary=False, reference="1")


def test_a_pledge_is_known_by_its_registration() -> None:
    with pytest.raises(rules.ReferenceNeeded):
        rules.check_declared("pledge", has_beneficiary=True, reference=None)


def broken(said: dict[str, Any], events: dict[str, date], **grant: Any) -> bool:
    granted = Granted(ID, rights.resolve(wire(**grant)))
    try:
        rules.check_unbroken(rules.resolve(said), [granted], events=events)
    except rules.EncumbranceViolated as refused:
        assert refused.data == {"grants": [str(ID)]}
        return True
    return False


def test_a_promise_is_broken_by_a_grant_that_shares_a_use_with_it() -> None:
    assert broken(terms(), {})
    assert not broken(terms(), {}, media=["cable"])
    assert not broken(terms(), {}, territories=["JP"])
    assert not broken(terms(), {}, languages=["en"])
    assert not broken(terms(), {}, first_day="2028-01-01")


def test_a_promise_that_waits_for_an_event_is_broken_once_the_event_says_so() -> None:
    assert not broken(undated(), {})
    assert broken(undated(), {"theatrical-release": date(2027, 3, 1)})
    assert not broken(undated(), {"theatrical-release": date(2025, 3, 1)})


def test_whom_a_promise_serves_lifts_it_and_else_only_the_exchange() -> None:
    owner, bank = UUID(int=7), UUID(int=8)
    rules.check_may_lift(bank, beneficiary=bank, is_for_somebody=True, owners=[owner])
    rules.check_may_lift(None, beneficiary=bank, is_for_somebody=True, owners=[owner])
    rules.check_may_lift(owner, beneficiary=None, is_for_somebody=False, owners=[owner])
    for by, beneficiary, is_for_somebody in [
        (owner, bank, True), (owner, None, True), (bank, None, False)
    ]:  # fmt: skip
        with pytest.raises(rules.NotYoursToLift):
            rules.check_may_lift(
                by, beneficiary=beneficiary, is_for_somebody=is_for_somebody, owners=[owner]
            )


def test_a_burden_is_cut_but_never_renamed() -> None:
    burden = Burden(ID, "pledge", (0, 1), 7, 7, 7, Span.fixed(at(0), at(6)), None, OTHER)
    pieces = consents.without(burden, [Consent(1, 1, 1, at(2), at(3))])
    same = {"uses": 7, "territories": 7, "languages": 7, "span": burden.span}
    assert len(pieces) == 5
    assert {replace(piece, **same) for piece in pieces} == {burden}
