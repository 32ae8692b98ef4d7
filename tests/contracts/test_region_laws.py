"""Regions by the laws of sets, and by their normal form."""

import random

from hypothesis import given
from hypothesis import strategies as st

from contracts.rights import region
from contracts.rights.region import EMPTY, Box, Region
from tests.contracts import rights_cells as cells

TICKS, WIDTHS = cells.TICKS, cells.WIDTHS
ALL = region.of([cells.WORLD])


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    start = draw(st.integers(0, TICKS))
    units, uses, languages, territories = (
        draw(st.integers(0, (1 << width) - 1)) for width in WIDTHS
    )
    return Box(units, uses, territories, languages, start, draw(st.integers(0, TICKS)))


LISTS = st.lists(boxes(), max_size=4)
REGIONS = LISTS.map(region.of)


@given(REGIONS, REGIONS)
def test_the_join_commutes(a: Region, b: Region) -> None:
    assert region.join(a, b) == region.join(b, a)


@given(REGIONS, REGIONS)
def test_the_meet_commutes(a: Region, b: Region) -> None:
    assert region.meet(a, b) == region.meet(b, a)


@given(REGIONS, REGIONS, REGIONS)
def test_the_join_associates(a: Region, b: Region, c: Region) -> None:
    assert region.join(region.join(a, b), c) == region.join(a, region.join(b, c))


@given(REGIONS, REGIONS, REGIONS)
def test_the_meet_associates(a: Region, b: Region, c: Region) -> None:
    assert region.meet(region.meet(a, b), c) == region.meet(a, region.meet(b, c))


@given(REGIONS)
def test_the_join_of_a_region_with_itself_is_itself(a: Region) -> None:
    assert region.join(a, a) == a


@given(REGIONS)
def test_the_meet_of_a_region_with_itself_is_itself(a: Region) -> None:
    assert region.meet(a, a) == a


@given(REGIONS, REGIONS)
def test_the_join_absorbs_the_meet(a: Region, b: Region) -> None:
    assert region.join(a, region.meet(a, b)) == a


@given(REGIONS, REGIONS)
def test_the_meet_absorbs_the_join(a: Region, b: Region) -> None:
    assert region.meet(a, region.join(a, b)) == a


@given(REGIONS, REGIONS, REGIONS)
def test_the_meet_distributes_over_the_join(a: Region, b: Region, c: Region) -> None:
    parts = region.join(region.meet(a, b), region.meet(a, c))
    assert region.meet(a, region.join(b, c)) == parts


@given(REGIONS, REGIONS, REGIONS)
def test_the_join_distributes_over_the_meet(a: Region, b: Region, c: Region) -> None:
    parts = region.meet(region.join(a, b), region.join(a, c))
    assert region.join(a, region.meet(b, c)) == parts


@given(REGIONS)
def test_nothing_adds_nothing(a: Region) -> None:
    assert region.join(a, EMPTY) == region.join(EMPTY, a) == a


@given(REGIONS)
def test_nothing_meets_nothing(a: Region) -> None:
    assert region.meet(a, EMPTY) == region.meet(EMPTY, a) == EMPTY


@given(REGIONS)
def test_the_world_holds_everything(a: Region) -> None:
    assert region.meet(a, ALL) == a
    assert region.join(a, ALL) == ALL


@given(REGIONS)
def test_taking_a_region_from_itself_leaves_nothing(a: Region) -> None:
    assert region.minus(a, a) == EMPTY


@given(REGIONS)
def test_taking_nothing_away_changes_nothing(a: Region) -> None:
    assert region.minus(a, EMPTY) == a
    assert region.minus(EMPTY, a) == EMPTY


@given(REGIONS, REGIONS)
def test_what_is_left_does_not_meet_what_was_taken(a: Region, b: Region) -> None:
    assert region.meet(region.minus(a, b), b) == EMPTY


@given(REGIONS, REGIONS)
def test_what_is_left_and_what_was_common_make_the_whole(a: Region, b: Region) -> None:
    assert region.join(region.minus(a, b), region.meet(a, b)) == a


@given(REGIONS, REGIONS)
def test_what_was_taken_can_be_given_back(a: Region, b: Region) -> None:
    assert region.join(region.minus(a, b), b) == region.join(a, b)


@given(REGIONS, REGIONS, REGIONS)
def test_taking_two_is_taking_one_after_the_other(a: Region, b: Region, c: Region) -> None:
    assert region.minus(a, region.join(b, c)) == region.minus(region.minus(a, b), c)


@given(REGIONS, REGIONS, REGIONS)
def test_taking_away_distributes_over_the_join(a: Region, b: Region, c: Region) -> None:
    parts = region.join(region.minus(a, c), region.minus(b, c))
    assert region.minus(region.join(a, b), c) == parts


@given(REGIONS, REGIONS, REGIONS)
def test_the_complement_of_a_join_is_the_meet_of_complements(
    bound: Region, a: Region, b: Region
) -> None:
    without = region.meet(region.minus(bound, a), region.minus(bound, b))
    assert region.minus(bound, region.join(a, b)) == without


@given(REGIONS, REGIONS, REGIONS)
def test_the_complement_of_a_meet_is_the_join_of_complements(
    bound: Region, a: Region, b: Region
) -> None:
    without = region.join(region.minus(bound, a), region.minus(bound, b))
    assert region.minus(bound, region.meet(a, b)) == without


@given(REGIONS, REGIONS)
def test_the_complement_of_the_complement_is_what_the_bound_holds(bound: Region, a: Region) -> None:
    assert region.minus(bound, region.minus(bound, a)) == region.meet(bound, a)


@given(REGIONS)
def test_a_region_covers_itself_and_nothing(a: Region) -> None:
    assert region.covers(a, a)
    assert region.covers(a, EMPTY)


@given(LISTS, REGIONS, st.randoms(use_true_random=False))
def test_regions_that_cover_each_other_are_one(
    said: list[Box], b: Region, dice: random.Random
) -> None:
    a = region.of(said)
    again = region.of(cells.shuffled_pieces(cells.of_boxes(said), dice))
    for other in (b, again):
        assert (region.covers(a, other) and region.covers(other, a)) is (a == other)
    assert again == a


@given(REGIONS, REGIONS, REGIONS)
def test_covering_carries_over(a: Region, b: Region, c: Region) -> None:
    middle = region.join(a, b)
    wide = region.join(middle, c)
    assert region.covers(middle, a) and region.covers(wide, middle) and region.covers(wide, a)
    if region.covers(c, b) and region.covers(b, a):
        assert region.covers(c, a)


@given(REGIONS, REGIONS)
def test_covering_joining_and_meeting_agree(a: Region, b: Region) -> None:
    verdicts = {region.covers(a, b), region.join(a, b) == a, region.meet(a, b) == b}
    assert len(verdicts) == 1


@given(REGIONS, REGIONS, REGIONS)
def test_more_in_is_never_less_out(a: Region, b: Region, c: Region) -> None:
    wide = region.join(a, b)
    assert region.covers(region.join(wide, c), region.join(a, c))
    assert region.covers(region.meet(wide, c), region.meet(a, c))
    assert region.covers(region.minus(wide, c), region.minus(a, c))
    assert region.covers(region.minus(c, a), region.minus(c, wide))


@given(LISTS, LISTS, st.randoms(use_true_random=False))
def test_equal_sets_are_equal_values_and_unequal_sets_are_not(
    one: list[Box], two: list[Box], dice: random.Random
) -> None:
    a, b = region.of(one), region.of(two)
    assert (a == b) is (cells.of_boxes(one) == cells.of_boxes(two))
    assert region.of(dice.sample(one, len(one))) == a
    assert hash(region.of([*one, *one])) == hash(a)


@given(REGIONS)
def test_the_boxes_of_a_region_make_it_again(a: Region) -> None:
    assert region.of(region.boxes(a)) == a


@given(REGIONS)
def test_the_boxes_of_a_region_are_disjoint_and_none_is_empty(a: Region) -> None:
    made = region.boxes(a)
    assert not any(box.is_empty for box in made)
    assert sum(len(cells.of_boxes([box])) for box in made) == len(cells.of_boxes(made))


@given(LISTS)
def test_the_order_of_boxes_is_the_order_of_the_normal_form(said: list[Box]) -> None:
    assert region.boxes(region.of(said)) == region.boxes(region.of(said[::-1]))


@given(boxes(), st.data())
def test_a_box_cut_in_two_is_the_same_region(box: Box, data: st.DataObject) -> None:
    kept = data.draw(st.integers(0, (1 << WIDTHS[3]) - 1))
    instant = data.draw(st.integers(0, TICKS))
    there = Box(box.units, box.uses, box.territories & kept, box.languages, box.start, box.end)
    other = Box(box.units, box.uses, box.territories & ~kept, box.languages, box.start, box.end)
    before = Box(*_masks(box), box.start, min(instant, box.end))
    after = Box(*_masks(box), max(instant, box.start), box.end)
    assert region.of([there, other]) == region.of([box]) == region.of([before, after])


@given(boxes(), boxes())
def test_boxes_meet_as_their_regions_do(a: Box, b: Box) -> None:
    assert region.of([a.meet(b)]) == region.meet(region.of([a]), region.of([b]))


@given(REGIONS, REGIONS)
def test_every_answer_is_in_normal_form(a: Region, b: Region) -> None:
    for answer in (a, region.join(a, b), region.meet(a, b), region.minus(a, b)):
        assert answer == EMPTY or region.is_normal(answer)


@given(LISTS, LISTS)
def test_every_answer_holds_exactly_the_cells_it_should(one: list[Box], two: list[Box]) -> None:
    a, b = region.of(one), region.of(two)
    in_a, in_b = cells.of_boxes(one), cells.of_boxes(two)
    assert cells.of_region(a) == in_a
    assert cells.of_region(region.join(a, b)) == in_a | in_b
    assert cells.of_region(region.meet(a, b)) == in_a & in_b
    assert cells.of_region(region.minus(a, b)) == in_a - in_b
    assert region.covers(a, b) is (in_b <= in_a)
    assert region.is_empty(a) is (not in_a)


def test_what_is_not_in_normal_form_is_told() -> None:
    early, late = _below(((0, 2),)), _below(((3, 4),))
    assert region.is_normal(((0b1, early), (0b10, late)))
    for wrong in (
        ((0b1, early), (0b10, early)),  # two equal parts
        ((0b11, early), (0b10, late)),  # two masks that share a leaf
        ((0b10, early), (0b1, late)),  # not in the order of leaves
        ((0b0, early),),  # no leaf
        ((0b1, _below(((0, 1), (1, 2)))),),  # spans that touch
        ((0b1, _below(((2, 2),))),),  # no time
        ((0b1, _below(())),),
    ):
        assert not region.is_normal(wrong)


def _below(spans: region.Spans) -> Region:
    """Return the tree of one leaf on each axis below the first."""
    return ((0b1, ((0b1, ((0b1, spans),)),)),)


def _masks(box: Box) -> tuple[int, int, int, int]:
    return box.units, box.uses, box.territories, box.languages
