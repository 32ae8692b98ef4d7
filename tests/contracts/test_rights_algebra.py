"""The algebra of rights by its laws, and against brute force over every single use."""

from datetime import UTC, datetime, timedelta
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from contracts.rights import algebra, axes
from contracts.rights.algebra import Exclusivity, RightsBox
from contracts.rights.axes import Axis
from contracts.window import Window

START = datetime(2027, 1, 1, tzinfo=UTC)
DAYS = 6
RIGHTS = ("broadcasting", "network-transmission")
MEDIA = ("satellite.pay", "theatrical", "iptv")
TERRITORIES = ("CN-GD", "CN", "HK", "MO")
LANGUAGES = ("zh:dubbed", "de")


def leaves(axis: Axis, names: tuple[str, ...]) -> st.SearchStrategy[int]:
    return st.frozensets(st.sampled_from(names), min_size=1).map(axis.mask)


@st.composite
def boxes(draw: st.DrawFn) -> RightsBox:
    first = draw(st.integers(0, DAYS - 1))
    last = draw(st.integers(first + 1, DAYS))
    return RightsBox(
        right=draw(st.sampled_from(RIGHTS)),
        media=draw(leaves(axes.MEDIA, MEDIA)),
        territories=draw(leaves(axes.TERRITORIES, TERRITORIES)),
        languages=draw(leaves(axes.LANGUAGES, LANGUAGES)),
        window=Window(START + timedelta(days=first), START + timedelta(days=last)),
        exclusivity=draw(st.sampled_from(Exclusivity)),
        runs_max=draw(st.none() | st.integers(1, 3)),
    )


def uses(box: RightsBox | None) -> set[tuple[str, int, int, int, int]]:
    """Every single use a box holds, one day at a time."""
    if box is None:
        return set()
    days = [
        day for day in range(DAYS)
        if box.window.start <= START + timedelta(days=day) < box.window.end
    ]  # fmt: skip
    media, places = cells(box.media), cells(box.territories)
    return set(product([box.right], media, places, cells(box.languages), days))


def cells(mask: int) -> list[int]:
    return [bit for bit in range(mask.bit_length()) if mask >> bit & 1]


def meet(a: RightsBox | None, b: RightsBox | None) -> RightsBox | None:
    return None if a is None or b is None else algebra.overlaps(a, b)


@given(boxes(), boxes())
def test_the_meet_commutes(a: RightsBox, b: RightsBox) -> None:
    assert algebra.overlaps(a, b) == algebra.overlaps(b, a)


@given(boxes(), boxes(), boxes())
def test_the_meet_associates(a: RightsBox, b: RightsBox, c: RightsBox) -> None:
    assert meet(meet(a, b), c) == meet(a, meet(b, c))


@given(boxes())
def test_a_box_meets_itself_in_itself(box: RightsBox) -> None:
    assert algebra.overlaps(box, box) == box


@given(boxes(), boxes())
def test_the_meet_holds_exactly_the_uses_that_both_hold(a: RightsBox, b: RightsBox) -> None:
    assert uses(algebra.overlaps(a, b)) == uses(a) & uses(b)


@given(boxes(), boxes())
def test_a_box_that_covers_another_holds_each_of_its_uses(a: RightsBox, b: RightsBox) -> None:
    if algebra.covers(a, b):
        assert uses(a) >= uses(b)
        common = algebra.overlaps(a, b)
        assert common is not None
        assert common.runs_max == b.runs_max


@given(boxes(), boxes())
def test_each_box_holds_the_uses_of_the_meet(a: RightsBox, b: RightsBox) -> None:
    assert uses(algebra.overlaps(a, b)) <= uses(a)


@given(boxes(), boxes())
def test_a_clash_is_mutual(a: RightsBox, b: RightsBox) -> None:
    assert algebra.clashes(a, b) == algebra.clashes(b, a)


@given(boxes(), boxes())
def test_grants_clash_where_they_share_a_use_and_one_keeps_others_out(
    a: RightsBox, b: RightsBox
) -> None:
    shared = Exclusivity.NON_EXCLUSIVE
    keeps_out = a.exclusivity is not shared or b.exclusivity is not shared
    assert (algebra.clashes(a, b) is not None) == (bool(uses(a) & uses(b)) and keeps_out)


@given(boxes(), boxes())
def test_the_owner_is_shut_out_by_an_exclusive_grant_alone(
    grant: RightsBox, own: RightsBox
) -> None:
    shut = grant.exclusivity is Exclusivity.EXCLUSIVE and bool(uses(grant) & uses(own))
    assert algebra.owner_may_use(grant, own) is not shut


@given(boxes())
def test_all_owners_are_asked_for_exclusive_and_sole_licences_only(box: RightsBox) -> None:
    assert algebra.needs_all_owners(box) == (box.exclusivity is not Exclusivity.NON_EXCLUSIVE)
