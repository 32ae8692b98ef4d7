"""Showings and the runs they make, against every possible way to group them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.refusal import Refusal
from contracts.runs import rules
from contracts.runs.rules import Rule, Showing
from contracts.window import Window

T0 = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
SHANGHAI = "Asia/Shanghai"
WINDOW = Window.of_days(date(2027, 1, 1), date(2027, 12, 31), SHANGHAI)
LATER = datetime(2030, 1, 1, tzinfo=UTC)


def shown(hours: float, channel: str = "one", zone: str = SHANGHAI, number: int = 0) -> Showing:
    return Showing(UUID(int=number), channel, T0 + timedelta(hours=hours), zone)


def local(text: str, zone: str = SHANGHAI) -> Showing:
    start = datetime.fromisoformat(text + "+08:00")
    return Showing(UUID(int=9), "one", start.astimezone(UTC), zone)


RULES = st.one_of(
    st.just(Rule()),
    st.builds(
        lambda repeats, hours, same: Rule(repeats, hours, None, same),
        st.integers(1, 3), st.integers(1, 48), st.booleans(),
    ),
    st.builds(
        lambda repeats, days, same, start: Rule(repeats, None, days, same, start),
        st.integers(1, 3), st.integers(1, 3), st.booleans(), st.sampled_from([0, 360, 720]),
    ),
)  # fmt: skip


@st.composite
def logs(draw: st.DrawFn, most: int = 6) -> list[Showing]:
    drawn = draw(
        st.lists(st.tuples(st.integers(0, 100), st.sampled_from(["one", "two"])), max_size=most)
    )
    zone = draw(st.sampled_from([SHANGHAI, "UTC", "America/New_York"]))
    return [shown(hours, channel, zone, place) for place, (hours, channel) in enumerate(drawn)]


def groupings(things: Sequence[Showing]) -> Iterator[list[list[Showing]]]:
    """Every way to put things into groups."""
    if not things:
        yield []
        return
    first, *rest = things
    for parts in groupings(rest):
        yield [[first], *parts]
        for place in range(len(parts)):
            yield [*parts[:place], [first, *parts[place]], *parts[place + 1 :]]


def is_one_run(group: list[Showing], rule: Rule) -> bool:
    """Tell whether a rule lets showings be one run; in other words than the code's."""
    if len(group) == 1:
        return True
    if rule.same_channel and len({one.channel for one in group}) > 1:
        return False
    starts = [one.started_at for one in group]
    days = [rules.broadcast_day(one, rule) for one in group]
    if rule.within_days is not None:
        close = (max(days) - min(days)).days < rule.within_days
    else:
        close = max(starts) - min(starts) <= timedelta(hours=rule.within_hours or 0)
    return close and len(group) <= rule.repeats_max + 1


@given(logs(), RULES)
def test_the_runs_are_the_fewest_that_any_grouping_makes(log: list[Showing], rule: Rule) -> None:
    made = rules.runs(log, rule)
    assert all(is_one_run(list(run.showings), rule) for run in made)
    fewest = min(
        len(parts) for parts in groupings(log) if all(is_one_run(part, rule) for part in parts)
    )
    assert len(made) == fewest


@given(logs(12), RULES)
def test_every_showing_is_in_one_run_and_no_run_is_empty(log: list[Showing], rule: Rule) -> None:
    made = rules.runs(log, rule)
    assert sorted(one.id for run in made for one in run.showings) == [one.id for one in log]
    assert len(made) <= len(log)
    assert all(run.showings for run in made)


@given(logs(12), RULES, st.randoms(use_true_random=False))
def test_the_order_of_the_log_does_not_matter(log: list[Showing], rule: Rule, dice: Any) -> None:
    mixed = list(log)
    dice.shuffle(mixed)
    assert rules.runs(mixed, rule) == rules.runs(log, rule)


@given(logs(12), st.integers(0, 100), st.sampled_from(["one", "two"]), RULES)
def test_a_showing_more_never_makes_fewer_runs_and_at_most_one_more(
    log: list[Showing], hours: int, channel: str, rule: Rule
) -> None:
    one = shown(hours, channel, number=99)
    before, after = len(rules.runs(log, rule)), len(rules.runs([*log, one], rule))
    assert before <= after <= before + 1


@given(logs(12))
def test_by_itself_every_showing_is_a_run(log: list[Showing]) -> None:
    assert len(rules.runs(log, Rule())) == len(log)


@given(logs(12), RULES)
def test_a_laxer_rule_never_makes_more_runs(log: list[Showing], rule: Rule) -> None:
    laxer = replace(rule, repeats_max=rule.repeats_max + 1, same_channel=False)
    assert len(rules.runs(log, laxer)) <= len(rules.runs(log, rule))


def test_a_repeat_exactly_at_the_end_of_its_validity_is_the_same_run() -> None:
    rule, instant = Rule(1, 48), timedelta(microseconds=1)
    first, second = shown(0, number=1), shown(48, number=2)
    late = replace(second, started_at=second.started_at + instant)
    assert len(rules.runs([first, second], rule)) == 1
    assert len(rules.runs([first, late], rule)) == 2


def test_validity_is_counted_from_the_first_showing_not_from_the_last() -> None:
    log = [shown(hours, number=hours) for hours in (0, 20, 40)]
    assert [len(run.showings) for run in rules.runs(log, Rule(5, 24))] == [2, 1]


def test_a_repeat_too_many_begins_a_run_of_its_own() -> None:
    log = [shown(hours, number=hours) for hours in range(5)]
    assert [len(run.showings) for run in rules.runs(log, Rule(1, 24))] == [2, 2, 1]


def test_a_repeat_on_another_channel_counts_by_the_rule() -> None:
    log = [shown(0, "one", number=1), shown(1, "two", number=2)]
    assert len(rules.runs(log, Rule(1, 24, None, True))) == 2
    assert len(rules.runs(log, Rule(1, 24, None, False))) == 1


def test_the_night_after_midnight_belongs_to_the_day_before() -> None:
    rule = Rule(3, None, 1, True, 6 * 60)
    assert rules.broadcast_day(local("2027-03-02T01:30"), rule) == date(2027, 3, 1)
    assert rules.broadcast_day(local("2027-03-02T05:59:59.999999"), rule) == date(2027, 3, 1)
    assert rules.broadcast_day(local("2027-03-02T06:00"), rule) == date(2027, 3, 2)
    evening, night = local("2027-03-01T19:30"), local("2027-03-02T01:30")
    morning = local("2027-03-02T06:00")
    assert len(rules.runs([evening, night], rule)) == 1
    assert len(rules.runs([evening, night, morning], rule)) == 2
    assert len(rules.runs([evening, night], replace(rule, day_starts_min=0))) == 2


def test_the_day_starts_by_the_clock_of_the_channel() -> None:
    rule = Rule(1, None, 1, True, 6 * 60)
    instant = local("2027-03-02T05:00")
    assert rules.broadcast_day(instant, rule) == date(2027, 3, 1)
    assert rules.broadcast_day(replace(instant, zone="Asia/Tokyo"), rule) == date(2027, 3, 2)


def test_on_a_night_when_the_clock_is_set_back_the_day_still_starts_by_the_clock() -> None:
    rule = Rule(0, None, None, True, 6 * 60)
    night = Showing(UUID(int=1), "one", datetime(2027, 11, 7, 10, 59, tzinfo=UTC),
                    "America/New_York")  # fmt: skip
    assert rules.broadcast_day(night, rule) == date(2027, 11, 6)
    later = replace(night, started_at=datetime(2027, 11, 7, 11, 0, tzinfo=UTC))
    assert rules.broadcast_day(later, rule) == date(2027, 11, 7)


@pytest.mark.parametrize(
    ("start", "day_starts_min", "allowed"),
    [
        ("2027-01-01T00:00", 0, True),
        ("2026-12-31T23:59:59.999999", 0, False),
        ("2027-12-31T23:59:59.999999", 0, True),
        ("2028-01-01T00:00", 0, False),
        ("2028-01-01T01:30", 360, True),  # the night of the last day
        ("2028-01-01T06:00", 360, False),
        ("2027-01-01T05:59", 360, False),  # the night before the first day
        ("2027-01-01T06:00", 360, True),
    ],
)
def test_a_showing_lies_in_the_window_by_its_broadcast_day(
    start: str, day_starts_min: int, allowed: bool
) -> None:
    rule = Rule(day_starts_min=day_starts_min)
    try:
        rules.check_showing(local(start), window=WINDOW, ended_at=None, rule=rule, now=LATER)
    except rules.OutsideGrant:
        assert not allowed
    else:
        assert allowed


def test_nothing_is_shown_under_a_grant_that_had_ended() -> None:
    showing = local("2027-03-01T20:00")
    for ended_at in (showing.started_at, showing.started_at - timedelta(days=1)):
        with pytest.raises(rules.OutsideGrant):
            rules.check_showing(showing, window=WINDOW, ended_at=ended_at, rule=Rule(), now=LATER)
    after = showing.started_at + timedelta(microseconds=1)
    rules.check_showing(showing, window=WINDOW, ended_at=after, rule=Rule(), now=LATER)


def test_a_showing_that_has_not_begun_is_not_logged() -> None:
    showing = local("2027-03-01T20:00")
    check = {"window": WINDOW, "ended_at": None, "rule": Rule()}
    rules.check_showing(showing, now=showing.started_at, **check)
    with pytest.raises(rules.TelecastAhead):
        rules.check_showing(
            showing,
            now=showing.started_at - timedelta(microseconds=1),
            **check,
        )


@pytest.mark.parametrize(
    "zone", ["Asia/Nowhere", "Asia", "", "../etc/passwd", "a" * 300, "right/UTC"]
)
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    with pytest.raises(rules.UnknownZone):
        rules.broadcast_day(local("2027-03-01T20:00", zone), Rule())


def test_a_budget_is_spent_by_the_run_that_would_be_one_too_many() -> None:
    rule = Rule(1, 24)
    log = [shown(0, number=1), shown(1, number=2), shown(100, number=3)]
    rules.check_budget(log, shown(101, number=4), rule=rule, most=2)
    with pytest.raises(rules.RunBudgetSpent) as refused:
        rules.check_budget(log, shown(200, number=4), rule=rule, most=2)
    assert refused.value.data == {
        "runs_max": 2,
        "runs_used": 2,
        "runs_given": 0,
        "runs": [[str(UUID(int=1)), str(UUID(int=2))], [str(UUID(int=3))]],
    }


@pytest.mark.parametrize(
    "rule",
    [
        Rule(1), Rule(-1), Rule(100, 24), Rule(0, 24), Rule(0, None, 1), Rule(1, 24, 1),
        Rule(1, 0), Rule(1, 745), Rule(1, None, 0), Rule(1, None, 32),
        Rule(day_starts_min=-1), Rule(day_starts_min=721),
    ],
)  # fmt: skip
def test_a_rule_that_is_not_possible_is_refused(rule: Rule) -> None:
    with pytest.raises(Refusal) as refused:
        rules.check_rule(rule)
    assert refused.value.code == "bad-run-rule"


@pytest.mark.parametrize("rule", [Rule(), Rule(2, 48), Rule(1, None, 1), Rule(day_starts_min=360)])
def test_a_rule_of_the_trade_is_possible(rule: Rule) -> None:
    rules.check_rule(rule)
