"""Merged boxes: the same region, disjoint, the largest first, nothing left to merge."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from contracts.rights import merging, region
from contracts.rights.region import Box

masks = st.integers(1, 7)
spans = st.tuples(st.integers(0, 5), st.integers(1, 4))
boxes = st.builds(
    lambda u, s, t, g, span: Box(u, s, t, g, span[0], span[0] + span[1]),
    st.integers(1, 3), st.integers(1, 3), masks, st.integers(1, 3), spans,
)  # fmt: skip
regions = st.lists(boxes, max_size=6).map(region.of)
AXES = ("units", "uses", "territories", "languages")


@given(regions)
def test_merged_boxes_make_the_same_region_and_do_not_meet(a: region.Region) -> None:
    merged = merging.largest(a)
    assert region.of(merged) == a
    assert all(one.meet(other).is_empty for one, other in combinations(merged, 2))
    assert len(merged) <= len(region.boxes(a))


@given(regions)
def test_the_largest_comes_first_and_no_two_differ_on_one_axis_alone(a: region.Region) -> None:
    merged = merging.largest(a)
    sizes = [merging.size(box) for box in merged]
    assert sizes == sorted(sizes, reverse=True)
    for one, other in combinations(merged, 2):
        apart = [axis for axis in AXES if getattr(one, axis) != getattr(other, axis)]
        in_time = (one.start, one.end) != (other.start, other.end)
        touching = one.end == other.start or other.end == one.start
        assert len(apart) + in_time > 1 or (in_time and not touching)


@given(boxes, st.lists(boxes, max_size=5))
def test_what_boxes_leave_of_a_box_is_the_box_without_them(whole: Box, others: list[Box]) -> None:
    left = region.without(whole, others)
    assert left == region.minus(region.of([whole]), region.of(others))
    assert not left or region.is_normal(left)


@given(regions, st.integers(1, 4))
def test_lasting_keeps_the_stretches_that_are_long_enough(a: region.Region, least: int) -> None:
    kept = region.lasting(a, least)
    assert kept == region.of(b for b in region.boxes(a) if b.end - b.start >= least)
    assert not kept or region.is_normal(kept)
