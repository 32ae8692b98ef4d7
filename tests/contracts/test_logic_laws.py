"""Three-valued verdicts by their tables, and spans of unknown ends by every way they may end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contracts.rights import logic
from contracts.rights.logic import Span, Verdict

COMPATIBLE, UNKNOWN, CONFLICT = Verdict.COMPATIBLE, Verdict.UNKNOWN, Verdict.CONFLICT
VERDICTS = st.sampled_from(Verdict)
START = datetime(2027, 1, 1, tzinfo=UTC)
DAYS = 4
BEYOND = range(-1, DAYS + 3)  # every day, and some before and after all that is named


def day(number: int) -> datetime:
    return START + timedelta(days=number)


BOUNDS = st.one_of(
    st.integers(0, DAYS).map(lambda number: (number, number)),
    st.tuples(st.none() | st.integers(0, DAYS), st.none() | st.integers(0, DAYS)).filter(
        lambda pair: None in pair or pair[0] <= pair[1]
    ),
)


def end(bounds: tuple[int | None, int | None]) -> tuple[datetime | None, datetime | None]:
    low, high = bounds
    return None if low is None else day(low), None if high is None else day(high)


SPANS = st.tuples(BOUNDS, BOUNDS).map(lambda two: Span(*end(two[0]), *end(two[1])))


def completions(span: Span) -> list[tuple[datetime, datetime]]:
    """Every way a span may turn out, a day at a time."""
    starts = _between(span.start_earliest, span.start_latest)
    return list(product(starts, _between(span.end_earliest, span.end_latest)))


def _between(low: datetime | None, high: datetime | None) -> list[datetime]:
    return [
        day(number)
        for number in BEYOND
        if (low is None or low <= day(number)) and (high is None or day(number) <= high)
    ]


def share_an_instant(a: tuple[datetime, datetime], b: tuple[datetime, datetime]) -> bool:
    """Tell by looking at every half day whether two half-open spans share one."""
    noons = (day(number) + timedelta(hours=12) for number in BEYOND)
    return any(a[0] <= noon < a[1] and b[0] <= noon < b[1] for noon in noons)


@pytest.mark.parametrize(
    ("a", "b", "conjunction", "disjunction"),
    [
        (CONFLICT, CONFLICT, CONFLICT, CONFLICT),
        (CONFLICT, UNKNOWN, UNKNOWN, CONFLICT),
        (CONFLICT, COMPATIBLE, COMPATIBLE, CONFLICT),
        (UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN),
        (UNKNOWN, COMPATIBLE, COMPATIBLE, UNKNOWN),
        (COMPATIBLE, COMPATIBLE, COMPATIBLE, COMPATIBLE),
    ],
)
def test_both_and_either_are_the_strong_tables_of_kleene(
    a: Verdict, b: Verdict, conjunction: Verdict, disjunction: Verdict
) -> None:
    assert logic.both(a, b) is logic.both(b, a) is conjunction
    assert logic.either(a, b) is logic.either(b, a) is disjunction


def test_the_opposite_swaps_what_is_settled() -> None:
    assert [logic.negate(one) for one in (CONFLICT, UNKNOWN, COMPATIBLE)] == [
        COMPATIBLE,
        UNKNOWN,
        CONFLICT,
    ]


@given(VERDICTS)
def test_the_opposite_of_the_opposite_is_the_verdict(a: Verdict) -> None:
    assert logic.negate(logic.negate(a)) is a


@given(st.lists(VERDICTS, max_size=4))
def test_the_opposite_of_both_is_either_of_the_opposites(many: list[Verdict]) -> None:
    opposites = [logic.negate(one) for one in many]
    assert logic.negate(logic.both(*many)) is logic.either(*opposites)
    assert logic.negate(logic.either(*many)) is logic.both(*opposites)


@given(VERDICTS, VERDICTS, VERDICTS)
def test_both_and_either_associate_distribute_and_absorb(
    a: Verdict, b: Verdict, c: Verdict
) -> None:
    both, either = logic.both, logic.either
    assert both(a, both(b, c)) is both(both(a, b), c) is both(a, b, c)
    assert either(a, either(b, c)) is either(either(a, b), c) is either(a, b, c)
    assert both(a, either(b, c)) is either(both(a, b), both(a, c))
    assert either(a, both(b, c)) is both(either(a, b), either(a, c))
    assert both(a, either(a, b)) is either(a, both(a, b)) is a


def test_nothing_to_agree_on_is_agreed_and_nothing_to_choose_from_is_not_found() -> None:
    assert logic.both() is CONFLICT
    assert logic.either() is COMPATIBLE


def test_an_answer_is_a_verdict() -> None:
    assert [logic.of(known) for known in (True, False, None)] == [CONFLICT, COMPATIBLE, UNKNOWN]


def test_learning_more_never_flips_what_was_settled() -> None:
    for two in product(Verdict, repeat=2):
        learnt = product(*((CONFLICT, COMPATIBLE) if one is UNKNOWN else (one,) for one in two))
        for later in learnt:
            for combine in (logic.both, logic.either):
                before, after = combine(*two), combine(*later)
                assert before in (UNKNOWN, after)
                assert after is not UNKNOWN


@given(VERDICTS, VERDICTS)
def test_a_verdict_is_unknown_only_if_it_could_still_go_both_ways(a: Verdict, b: Verdict) -> None:
    learnt = [
        set(product(*((CONFLICT, COMPATIBLE) if one is UNKNOWN else (one,) for one in (a, b))))
    ][0]
    for combine in (logic.both, logic.either):
        outcomes = {combine(*later) for later in learnt}
        assert combine(a, b) is (outcomes.pop() if len(outcomes) == 1 else UNKNOWN)


@given(SPANS, SPANS)
def test_whether_spans_meet_is_what_every_way_they_may_end_says(a: Span, b: Span) -> None:
    outcomes = {share_an_instant(one, two) for one in completions(a) for two in completions(b)}
    expected = UNKNOWN if len(outcomes) == 2 else logic.of(outcomes.pop())
    assert logic.meets(a, b) is expected


@given(SPANS, SPANS)
def test_meeting_is_mutual(a: Span, b: Span) -> None:
    assert logic.meets(a, b) is logic.meets(b, a)


@given(st.integers(0, DAYS), st.integers(1, DAYS), st.integers(0, DAYS), st.integers(1, DAYS))
def test_of_fixed_spans_it_is_always_known_whether_they_meet(
    a: int, long_a: int, b: int, long_b: int
) -> None:
    one = Span.fixed(day(a), day(a + long_a))
    two = Span.fixed(day(b), day(b + long_b))
    assert one.is_fixed and two.is_fixed
    expected = share_an_instant((day(a), day(a + long_a)), (day(b), day(b + long_b)))
    assert logic.meets(one, two) is (CONFLICT if expected else COMPATIBLE)


@given(SPANS, SPANS, st.sampled_from(["start", "end"]), st.data())
def test_learning_a_date_never_flips_a_settled_verdict(
    a: Span, b: Span, which: str, data: st.DataObject
) -> None:
    before = logic.meets(a, b)
    possible = _between(getattr(a, f"{which}_earliest"), getattr(a, f"{which}_latest"))
    happened = data.draw(st.sampled_from(possible))
    learnt = replace(a, **{f"{which}_earliest": happened, f"{which}_latest": happened})
    assert before in (UNKNOWN, logic.meets(learnt, b))


@given(SPANS, SPANS)
def test_an_unknown_verdict_can_still_be_settled_either_way(a: Span, b: Span) -> None:
    assume(logic.meets(a, b) is UNKNOWN)
    settled = {
        logic.meets(Span.fixed(*one), Span.fixed(*two))
        for one in completions(a)
        for two in completions(b)
    }
    assert settled == {CONFLICT, COMPATIBLE}


def test_spans_that_only_touch_do_not_meet() -> None:
    assert logic.meets(Span.fixed(day(0), day(1)), Span.fixed(day(1), day(2))) is COMPATIBLE
    waits = Span(day(1), None, day(2), day(2))
    assert logic.meets(Span.fixed(day(0), day(1)), waits) is COMPATIBLE
    assert logic.meets(Span.fixed(day(0), day(2)), waits) is UNKNOWN
