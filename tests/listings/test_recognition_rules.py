"""What a resemblance means: laws of the policy, and of the arithmetic of stretches."""

import itertools
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listings.recognition import rules
from listings.recognition.relation import Related
from listings.recognition.rules import (
    EDGE_MS,
    EVERYTHING,
    RANK,
    Archive,
    Likeness,
    Side,
    Span,
    State,
    Verdict,
)

HERE, THERE = Side(uuid4(), frozenset({uuid4()})), Side(uuid4(), frozenset({uuid4()}))
SPANS = st.lists(st.builds(Span, st.integers(0, 90_000), st.integers(1, 60_000)), max_size=6)
KINDS = [kind for kind in Related if kind is not Related.UNRELATED]


def segment(here_ms: int, there_ms: int, length_ms: int, slope_bp: int = 10_000) -> dict[str, Any]:
    return {
        "here_ms": here_ms, "there_ms": there_ms, "length_ms": length_ms, "slope_bp": slope_bp,
        "score_x100": 3_000,
    }  # fmt: skip


def of(spans: list[Span]) -> list[dict[str, Any]]:
    return [segment(span.start_ms, span.start_ms, span.length_ms) for span in spans]


LIKENESSES = st.builds(
    Likeness,
    kind=st.sampled_from(KINDS),
    sure=st.booleans(),
    segments=SPANS.filter(bool).map(of),
    coverage_here_bp=st.integers(0, 10_000),
    coverage_there_bp=st.integers(0, 10_000),
)


def likeness(
    length_ms: int, *, sure: bool = True, kind: Related = Related.EXCERPT, **more: Any
) -> Likeness:
    shares = {"coverage_here_bp": 100, "coverage_there_bp": 100, **more}
    return Likeness(kind=kind, sure=sure, segments=[segment(0, 5_000, length_ms)], **shares)


def judged(one: Likeness, *cleared: Span) -> State:
    return rules.judge(one, here=HERE, there=THERE, cleared=cleared).state


@given(one=LIKENESSES, cleared=SPANS)
def test_what_is_ones_own_is_clear_whatever_was_found(one: Likeness, cleared: list[Span]) -> None:
    same_party = Side(HERE.party_id, THERE.roots)
    same_tree = Side(THERE.party_id, THERE.roots | HERE.roots)
    for there in (same_party, same_tree):
        assert rules.judge(one, here=HERE, there=there, cleared=cleared).state is State.CLEAR


@given(one=LIKENESSES, cleared=SPANS, more=SPANS)
def test_accounting_for_more_seconds_never_makes_it_worse(
    one: Likeness, cleared: list[Span], more: list[Span]
) -> None:
    assert RANK[judged(one, *cleared, *more)] <= RANK[judged(one, *cleared)]


@given(one=LIKENESSES, cleared=SPANS)
def test_sound_alone_and_weak_evidence_go_to_people_and_are_never_refused(
    one: Likeness, cleared: list[Span]
) -> None:
    if one.kind is Related.SOUND_ONLY or (not one.sure and one.kind is not Related.SAME_FILE):
        assert judged(one, *cleared) is not State.COPY


@given(one=LIKENESSES)
def test_what_is_accounted_for_as_a_whole_is_clear(one: Likeness) -> None:
    assert judged(one, EVERYTHING) is State.CLEAR


@pytest.mark.parametrize(
    ("one", "state"),
    [
        (likeness(30_000), State.COPY),
        (likeness(29_999), State.DOUBTFUL),
        (likeness(2_000, coverage_here_bp=3_000), State.COPY),
        (likeness(2_000, coverage_there_bp=3_000), State.COPY),
        (likeness(2_000, coverage_there_bp=2_999), State.DOUBTFUL),
        (likeness(90_000, sure=False), State.DOUBTFUL),
        (likeness(90_000, kind=Related.SOUND_ONLY), State.DOUBTFUL),
        (likeness(90_000, kind=Related.PICTURE_ONLY), State.COPY),
        (likeness(1_000, kind=Related.SAME_FILE, sure=False), State.COPY),
    ],
)
def test_only_long_and_sure_pictures_of_others_are_refused(one: Likeness, state: State) -> None:
    assert judged(one) is state


def test_what_is_left_beside_declared_seconds_is_judged_by_its_own_length() -> None:
    one = likeness(60_000, coverage_here_bp=6_000)
    assert judged(one, Span(0, 20_000)) is State.COPY  # 40 s are left
    assert judged(one, Span(0, 45_000)) is State.DOUBTFUL  # a quarter of six tenths
    assert judged(one, Span(0, 60_000 - EDGE_MS + 1)) is State.CLEAR  # an edge


def test_staff_have_the_last_word() -> None:
    for settled, state in (("cleared", State.CLEAR), ("refused", State.COPY)):
        one = Likeness(Related.COPY, True, [segment(0, 0, 9)], 10_000, 10_000, settled)
        assert judged(one) is state


@given(st.lists(st.sampled_from(State), max_size=5))
def test_a_master_is_as_bad_as_the_worst_it_resembles(states: list[State]) -> None:
    found = rules.worst(Verdict(state, "why") for state in states)
    assert RANK[found] == max((RANK[state] for state in states), default=0)


def seconds(spans: list[Span]) -> set[int]:
    return {at for span in spans for at in range(span.start_ms, span.end_ms)}


SMALL = st.lists(st.builds(Span, st.integers(0, 60), st.integers(1, 30)), max_size=5)


@given(SMALL)
def test_merging_keeps_every_millisecond_and_leaves_stretches_apart(spans: list[Span]) -> None:
    merged = rules.merged(spans)
    assert seconds(merged) == seconds(spans)
    assert all(one.end_ms < two.start_ms for one, two in itertools.pairwise(merged))
    assert rules.merged(merged) == merged


@given(spans=SPANS, cleared=SPANS)
def test_what_remains_was_found_and_is_not_accounted_for(
    spans: list[Span], cleared: list[Span]
) -> None:
    left = rules.remaining(of(spans), cleared)
    found, taken = rules.merged(spans), rules.merged(cleared)
    for rest in left:
        assert any(s.start_ms <= rest.start_ms and rest.end_ms <= s.end_ms for s in found)
        assert all(rest.end_ms <= t.start_ms or t.end_ms <= rest.start_ms for t in taken)


@given(
    start=st.integers(0, 50_000), length=st.integers(2_000, 60_000), far=st.integers(0, 10**6),
    slope=st.integers(9_000, 11_000), data=st.data(),
)  # fmt: skip
def test_the_way_there_and_back_ends_where_it_began(
    start: int, length: int, far: int, slope: int, data: st.DataObject
) -> None:
    common = [segment(start, far, length, slope)]
    at = data.draw(st.integers(start, start + length - 1_000))
    asked = Span(at, 1_000)
    (back,) = rules.back(common, rules.there(common, asked))
    assert abs(back.start_ms - at) <= 20 + length // 1_000
    assert abs(back.length_ms - 1_000) <= 20


MASTER, OTHER, FIRST = (UUID(int=number) for number in (1, 2, 3))


def test_archive_footage_that_another_declared_does_not_count_again() -> None:
    # FIRST has 10 s of OTHER, declared as archive footage; MASTER has the same 10 s and 5 s more.
    archive = Archive(FIRST, OTHER, EVERYTHING, [segment(0, 100_000, 10_000)])
    mine = [segment(40_000, 100_000, 15_000)]
    cleared = rules.shared(mine, master=MASTER, other=OTHER, archives=[archive])
    assert cleared == [Span(40_000, 10_000)]


def test_archive_footage_does_not_count_against_the_work_it_was_declared_in_either() -> None:
    archive = Archive(OTHER, FIRST, Span(2_000, 5_000), [segment(0, 100_000, 10_000)])
    mine = [segment(40_000, 0, 15_000)]
    cleared = rules.shared(mine, master=MASTER, other=OTHER, archives=[archive])
    assert cleared == [Span(42_000, 5_000)]


def test_a_masters_own_archive_footage_counts_against_it_nowhere() -> None:
    archive = Archive(MASTER, FIRST, EVERYTHING, [segment(7_000, 0, 3_000)])
    cleared = rules.shared([segment(0, 0, 20_000)], master=MASTER, other=OTHER, archives=[archive])
    assert cleared == [Span(7_000, 3_000)]


@pytest.mark.parametrize(
    "stretch", [(0, None), (None, 5), (-1, 5), (0, 0), (10_000, 5_000), (0, 10**9)]
)
def test_a_stretch_lies_in_the_master(stretch: tuple[int | None, int | None]) -> None:
    with pytest.raises(rules.BadStretch):
        rules.stretch(*stretch, duration_ms=12_000)
    assert rules.stretch(None, None, duration_ms=12_000) == (None, None)
    assert rules.stretch(0, 12_000, duration_ms=12_000) == (0, 12_000)
