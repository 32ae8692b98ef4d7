"""Clashes of grants by their laws: what exclusivity keeps out, and that more is never less strict.

Beside `test_rights_algebra.py`, which compares single pairs with every single use.
"""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from contracts.rights import algebra
from contracts.rights.algebra import Exclusivity, RightsBox
from tests.contracts.test_rights_algebra import boxes

EXCLUSIVE, SOLE, SHARED = Exclusivity.EXCLUSIVE, Exclusivity.SOLE, Exclusivity.NON_EXCLUSIVE
STRONGER = {SHARED: SOLE, SOLE: EXCLUSIVE, EXCLUSIVE: EXCLUSIVE}
KINDS = st.sampled_from(Exclusivity)


@given(boxes(), boxes())
def test_two_non_exclusive_grants_never_clash(a: RightsBox, b: RightsBox) -> None:
    one, two = (replace(box, exclusivity=SHARED) for box in (a, b))
    assert algebra.clashes(one, two) is None


@given(boxes(), boxes(), KINDS)
def test_exclusive_and_sole_grants_keep_every_other_licensee_out_alike(
    a: RightsBox, b: RightsBox, other: Exclusivity
) -> None:
    b = replace(b, exclusivity=other)
    exclusive, sole = (
        algebra.clashes(replace(a, exclusivity=kind), b) for kind in (EXCLUSIVE, SOLE)
    )
    assert (exclusive is None) is (sole is None) is (algebra.overlaps(a, b) is None)


@given(boxes(), boxes())
def test_exclusive_and_sole_grants_differ_in_what_the_owner_may_do(
    grant: RightsBox, own: RightsBox
) -> None:
    apart = algebra.overlaps(grant, own) is None
    assert algebra.owner_may_use(replace(grant, exclusivity=EXCLUSIVE), own) is apart
    assert algebra.owner_may_use(replace(grant, exclusivity=SOLE), own)
    assert algebra.owner_may_use(replace(grant, exclusivity=SHARED), own)


@given(boxes(), boxes())
def test_a_stricter_grant_clashes_wherever_a_weaker_one_did(a: RightsBox, b: RightsBox) -> None:
    if algebra.clashes(a, b) is not None:
        assert algebra.clashes(replace(a, exclusivity=STRONGER[a.exclusivity]), b) is not None


@given(boxes(), boxes(), boxes())
def test_whatever_covers_a_grant_clashes_with_all_that_it_clashed_with(
    a: RightsBox, b: RightsBox, c: RightsBox
) -> None:
    wide = _wider(a, b)
    assert algebra.covers(wide, a)
    if algebra.clashes(a, c) is not None:
        assert algebra.clashes(wide, c) is not None
    if not algebra.owner_may_use(a, c):
        assert not algebra.owner_may_use(wide, c)


@given(boxes(), boxes())
def test_a_clash_lies_in_both_grants_and_is_as_strict_as_the_stricter(
    a: RightsBox, b: RightsBox
) -> None:
    common = algebra.clashes(a, b)
    if common is not None:
        for grant in (a, b):
            assert common == algebra.overlaps(common, replace(grant, exclusivity=SHARED))
        assert common.exclusivity in (a.exclusivity, b.exclusivity)
        assert common.exclusivity is not SHARED


@given(boxes())
def test_a_box_covers_itself(a: RightsBox) -> None:
    assert algebra.covers(a, a)


@given(boxes(), boxes())
def test_boxes_that_cover_each_other_are_the_same(a: RightsBox, b: RightsBox) -> None:
    assert (algebra.covers(a, b) and algebra.covers(b, a)) is (a == b)


@given(boxes(), boxes(), boxes())
def test_covering_carries_over_from_box_to_box(a: RightsBox, b: RightsBox, c: RightsBox) -> None:
    middle = _wider(a, b)
    wide = _wider(middle, c)
    assert algebra.covers(wide, middle) and algebra.covers(middle, a) and algebra.covers(wide, a)


@given(boxes(), boxes(), boxes())
def test_the_meet_is_the_widest_box_inside_both(a: RightsBox, b: RightsBox, c: RightsBox) -> None:
    a, b, c = (replace(box, exclusivity=SHARED, runs_max=None) for box in (a, b, c))
    met = algebra.overlaps(a, b)
    inside_both = algebra.covers(a, c) and algebra.covers(b, c)
    assert inside_both is (met is not None and algebra.covers(met, c))


@given(boxes())
def test_fewer_runs_are_covered_by_more_and_never_the_other_way(a: RightsBox) -> None:
    many, few = replace(a, runs_max=3), replace(a, runs_max=2)
    assert algebra.covers(many, few) and not algebra.covers(few, many)
    assert algebra.covers(replace(a, runs_max=None), many)
    assert not algebra.covers(many, replace(a, runs_max=None))


def _wider(a: RightsBox, b: RightsBox) -> RightsBox:
    """Return a box of the first one's right that covers it and reaches as far as the second."""
    window = type(a.window)(min(a.window.start, b.window.start), max(a.window.end, b.window.end))
    return RightsBox(
        right=a.right,
        media=a.media | b.media,
        territories=a.territories | b.territories,
        languages=a.languages | b.languages,
        window=window,
        exclusivity=max(a.exclusivity, b.exclusivity, key=[SHARED, SOLE, EXCLUSIVE].index),
        runs_max=None,
    )
