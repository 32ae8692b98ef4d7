"""What the steps of 32号令 ask for: laws of prices, periods and results."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import calendar
from contracts.refusal import Refusal
from listings.disclosures import gate, progress, rules
from listings.disclosures.progress import Progress
from listings.disclosures.rules import Notice
from tests.conftest import NOW

TODAY = date(2026, 3, 2)
MILLION = 1_000_000 * 100
NOTICE = Notice("CNY", 12 * MILLION, 12 * MILLION, date(2026, 1, 5), extension_days=5)
ACCEPTED = Progress(state="accepted")
DAYS = st.dates(date(2025, 1, 6), date(2026, 6, 30))
AMOUNTS = st.integers(1, 10**13)


def begun(notice: Notice = NOTICE, today: date = TODAY) -> Progress:
    return progress.disclose(notice, ACCEPTED, today=today)


@given(AMOUNTS, AMOUNTS)
def test_a_first_disclosure_is_never_below_the_assessed_value(floor: int, assessed: int) -> None:
    notice = replace(NOTICE, floor_minor=floor, assessed_minor=assessed)
    if floor >= assessed:
        rules.check_filing(notice, today=TODAY)
        return
    with pytest.raises(rules.FloorBelowAssessed) as refused:
        rules.check_filing(notice, today=TODAY)
    least = refused.value.data["least_minor"]
    rules.check_filing(replace(notice, floor_minor=least), today=TODAY)


@given(AMOUNTS, AMOUNTS, st.booleans())
def test_below_nine_tenths_a_later_disclosure_needs_consent_and_only_then(
    floor: int, assessed: int, consented: bool
) -> None:
    notice = replace(
        NOTICE, floor_minor=floor, assessed_minor=assessed, first_on=date(2026, 1, 8),
        changed=True, consented=consented,
    )  # fmt: skip
    if 10 * floor >= 9 * assessed or consented:
        rules.check_filing(notice, today=TODAY)
        return
    with pytest.raises(rules.ConsentNeeded) as refused:
        rules.check_filing(notice, today=TODAY)
    least = refused.value.data["least_minor"]
    assert 10 * least >= 9 * assessed > 10 * (least - 1)
    rules.check_filing(replace(notice, floor_minor=least), today=TODAY)


@pytest.mark.parametrize(
    ("floor", "days"),
    [
        (1, 5),
        (MILLION, 5),
        (MILLION + 1, 10),
        (10 * MILLION - 1, 10),
        (10 * MILLION, 20),
        (10 * MILLION + 1, 20),
    ],
)
def test_the_floor_sets_the_working_days(floor: int, days: int) -> None:
    notice = replace(NOTICE, floor_minor=floor, assessed_minor=1)
    assert rules.required_days(notice) == days
    assert rules.required_days(replace(notice, changed=True)) == 20
    assert rules.required_days(replace(notice, currency="USD")) == 20


@given(AMOUNTS, AMOUNTS)
def test_a_dearer_subject_is_never_disclosed_for_less(one: int, two: int) -> None:
    low, high = sorted((one, two))
    of = [rules.required_days(replace(NOTICE, floor_minor=each)) for each in (low, high)]
    assert of[0] <= of[1]


@given(DAYS)
def test_the_bidding_begins_when_twenty_working_days_are_over_and_no_moment_sooner(
    today: date,
) -> None:
    running = begun(replace(NOTICE, assessed_on=today), today)
    lawful = progress.lawful_from(running)
    last = calendar.day_of(lawful - timedelta(microseconds=1))
    assert calendar.working_days_between(today, last) == 20
    late = lawful + timedelta(hours=1)
    progress.check_times(running, opens_at=lawful, closes_at=late, preset=None)
    with pytest.raises(progress.DisclosureTooShort) as refused:
        progress.check_times(
            running, opens_at=lawful - timedelta(microseconds=1), closes_at=late, preset=None
        )
    assert datetime.fromisoformat(refused.value.data["lawful_from"]) == lawful


def test_dynamic_bids_are_taken_during_the_disclosure_and_end_after_it() -> None:
    running = begun()
    lawful = progress.lawful_from(running)
    early = lawful - timedelta(days=9)
    progress.check_times(running, opens_at=early, closes_at=lawful, preset="dynamic")
    with pytest.raises(progress.DisclosureTooShort):
        progress.check_times(running, opens_at=early, closes_at=early, preset="dynamic")


@given(st.sampled_from(rules.OWNERSHIPS), AMOUNTS, AMOUNTS | st.none())
def test_only_the_state_owned_must_and_for_licences_only_from_their_own_threshold(
    ownership: str, floor: int, threshold: int | None
) -> None:
    for subject in rules.SUBJECTS:
        must = rules.is_required(ownership, subject, floor_minor=floor, threshold_minor=threshold)
        above = threshold is not None and floor >= threshold
        assert must == (ownership != "other" and (subject == "assignment" or above))


def test_twelve_months_after_the_first_disclosure_the_valuation_is_redone() -> None:
    first = date(2025, 3, 3)
    again = replace(NOTICE, first_on=first, changed=True, consented=True)
    rules.check_filing(again, today=date(2026, 3, 3))
    with pytest.raises(rules.AssessmentTooOld):
        rules.check_filing(again, today=date(2026, 3, 4))
    assert rules.chained_from(first, assessed_on=date(2026, 3, 3)) == first
    assert rules.chained_from(first, assessed_on=date(2026, 3, 4)) is None
    assert rules.chained_from(None, assessed_on=first) is None
    assert rules.chained_from(date(2024, 2, 29), assessed_on=date(2025, 3, 1)) is None


def test_an_extension_is_announced_and_has_no_bidder_and_comes_in_time() -> None:
    running = begun()
    longer = progress.extend(NOTICE, running, bidders=0, today=TODAY)
    assert running.last_on and longer.last_on
    assert calendar.working_days_between(running.last_on, longer.last_on) == 5
    for notice, bidders, today in (
        (replace(NOTICE, extension_days=None), 0, TODAY),
        (NOTICE, 1, TODAY),
        (NOTICE, 0, running.last_on + timedelta(days=1)),
    ):
        with pytest.raises(progress.ExtensionNotAnnounced):
            progress.extend(notice, running, bidders=bidders, today=today)


@pytest.mark.parametrize("days", [4, 0, -1, 61])
def test_an_announced_extension_has_five_days_and_more(days: int) -> None:
    with pytest.raises(rules.BadDisclosure):
        rules.check_filing(replace(NOTICE, extension_days=days), today=TODAY)


@given(st.integers(0, 19))
def test_a_supplement_counts_the_whole_period_anew(after: int) -> None:
    today = calendar.add_working_days(TODAY, after)
    changed = progress.supplement(begun(), today=today)
    assert changed.last_on == calendar.add_working_days(today, 20)


@given(st.integers(0, 19), st.integers(0, 31))
def test_a_suspended_disclosure_has_its_days_in_all_and_ten_after_it(after: int, away: int) -> None:
    stopped_on = calendar.add_working_days(TODAY, after)
    stopped = progress.suspend(begun(), today=stopped_on)
    back = stopped_on + timedelta(days=away)
    if back > date(stopped_on.year, stopped_on.month + 1, min(stopped_on.day, 30)):
        with pytest.raises(progress.SuspensionTooLong):
            progress.resume(stopped, today=back)
        return
    running = progress.resume(stopped, today=back)
    assert running.last_on
    rest = calendar.working_days_between(back, running.last_on)
    assert rest >= 10
    assert stopped.elapsed_days == max(after - 1, 0)
    assert stopped.elapsed_days + rest >= 20


def test_a_suspension_lasts_a_month_at_most() -> None:
    stopped = progress.suspend(begun(), today=date(2026, 3, 27))
    progress.resume(stopped, today=date(2026, 4, 27))
    with pytest.raises(progress.SuspensionTooLong):
        progress.resume(stopped, today=date(2026, 4, 28))


def test_two_bidders_compete_and_one_agrees() -> None:
    assert [progress.basis(n) for n in range(4)] == [
        "none", "agreement", "competition", "competition",
    ]  # fmt: skip


@given(DAYS)
def test_the_result_is_public_for_five_working_days(today: date) -> None:
    shown = progress.publicise(Progress(state="decided"), today=today)
    assert shown.publicity_until
    assert calendar.working_days_between(today, shown.publicity_until) == 5


VERBS: dict[str, Callable[[Progress, date], Progress]] = {
    "accept": lambda one, _: progress.review(one, outcome="accepted"),
    "return": lambda one, _: progress.review(one, outcome="returned"),
    "disclose": lambda one, day: progress.disclose(NOTICE, one, today=day),
    "extend": lambda one, day: progress.extend(NOTICE, one, bidders=0, today=day),
    "supplement": lambda one, day: progress.supplement(one, today=day),
    "suspend": lambda one, day: progress.suspend(one, today=day),
    "resume": lambda one, day: progress.resume(one, today=day),
    "sell": lambda one, _: progress.decide(one, bidders=2, sold=True),
    "lapse": lambda one, _: progress.decide(one, bidders=0, sold=False),
    "publicise": lambda one, day: progress.publicise(one, today=day),
    "terminate": lambda one, _: progress.terminate(one),
}
AFTER = {
    "filed": {"accepted", "returned", "terminated"},
    "returned": {"terminated"},
    "accepted": {"disclosed", "terminated"},
    "disclosed": {"disclosed", "suspended", "decided", "lapsed", "terminated"},
    "suspended": {"disclosed", "terminated"},
    "decided": {"publicised"},
    "lapsed": set(),
    "terminated": set(),
    "publicised": set(),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(VERBS)), st.integers(0, 9)), max_size=20))
def test_whatever_is_asked_in_whatever_order_no_disclosure_runs_too_short(
    steps: list[tuple[str, int]],
) -> None:
    """Any verb in any state: it follows the map, or is refused and changes nothing."""
    one, day = Progress(), TODAY
    for verb, days in steps:
        day += timedelta(days=days)
        try:
            after = VERBS[verb](one, day)
        except Refusal:
            continue
        assert after.state in AFTER[one.state], verb
        if after.state == "disclosed":
            assert after.last_on and after.counted_from
            stretch = calendar.working_days_between(after.counted_from, after.last_on)
            assert after.elapsed_days + stretch >= 20
            if one.last_on and verb != "resume":
                assert after.last_on >= one.last_on
        one = after


@pytest.mark.parametrize("licence", sorted(gate.METHODS))
def test_a_method_outside_the_licence_is_refused_with_both_named(licence: str) -> None:
    every = gate.METHODS[gate.PROPERTY_EXCHANGE]
    for method in every:
        if method in gate.METHODS[licence]:
            gate.check_method(licence, method)
            continue
        with pytest.raises(gate.MethodNotLicensed) as refused:
            gate.check_method(licence, method)
        assert refused.value.data["licence"] == licence
        assert refused.value.data["method"] == method
        assert method not in refused.value.data["allowed"]


def test_licences_stand_in_line_and_no_order_book_is_among_their_methods() -> None:
    none, house, every = (
        gate.METHODS[name] for name in (gate.NONE, gate.AUCTION_HOUSE, gate.PROPERTY_EXCHANGE)
    )
    assert none < house < every
    assert none == {"fixed", "intent"}
    with pytest.raises(gate.MethodNotLicensed):
        gate.check_method(gate.PROPERTY_EXCHANGE, "orderbook")


@given(st.timedeltas(timedelta(0), timedelta(days=12)))
def test_an_auction_house_gives_seven_days_of_notice(ahead: timedelta) -> None:
    opens_at = NOW + ahead
    days = (calendar.day_of(opens_at) - calendar.day_of(NOW)).days
    for licence, method in (("none", "english"), ("property_exchange", "english")):
        gate.check_notice(licence, method, opens_at=opens_at, now=NOW)
    gate.check_notice("auction_house", "fixed", opens_at=opens_at, now=NOW)
    if days >= 7:
        gate.check_notice("auction_house", "english", opens_at=opens_at, now=NOW)
        return
    with pytest.raises(gate.NoticeTooShort) as refused:
        gate.check_notice("auction_house", "english", opens_at=opens_at, now=NOW)
    lawful = datetime.fromisoformat(refused.value.data["lawful_from"])
    gate.check_notice("auction_house", "english", opens_at=lawful, now=NOW)
