"""Cells hold together what a listing offers, overlap nowhere, and merge back into it."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.rights import algebra, region, rules
from contracts.rights.instants import micros
from contracts.rights.region import Box
from contracts.titles import parting
from listings.bundles import cells
from listings.bundles.cells import BadCuts
from tests.listings.bundles_factory import WIRE, terms
from tests.listings.bundles_market import TERRITORIES

laws = settings(max_examples=50, deadline=None)
codes = st.lists(st.sampled_from([*TERRITORIES, "AT", "CH"]), min_size=1, max_size=6, unique=True)
days = st.dates(date(2027, 1, 2), date(2028, 12, 31)).map(date.isoformat)
MEDIA = {
    "broadcasting": ["terrestrial", "satellite", "cable"],
    "network-transmission": ["ott", "web"],
}


@st.composite
def listings(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Up to two rights that do not overlap, in some territories, in languages of their own."""
    found = []
    for right in draw(
        st.lists(st.sampled_from(sorted(MEDIA)), min_size=1, max_size=2, unique=True)
    ):
        own = {
            "right": right,
            "media": draw(st.lists(st.sampled_from(MEDIA[right]), min_size=1, unique=True)),
            "territories": draw(codes),
            "exclusivity": draw(st.sampled_from(["exclusive", "sole", "non-exclusive"])),
        }
        found.append(rules.normal(WIRE | own))
    return found


@st.composite
def cut(draw: st.DrawFn, offered: list[dict[str, Any]]) -> dict[str, Any]:
    ways = sorted({medium for wire in offered for medium in wire["media"]})
    return {
        "territories": draw(st.none() | st.lists(codes, max_size=3)),
        "media": draw(st.lists(st.lists(st.sampled_from(ways), min_size=1), max_size=2)),
        "days": draw(st.lists(days, max_size=3, unique=True)),
    }


def boxes(wires: list[dict[str, Any]]) -> list[Box]:
    """The wires as regions, each right a unit of its own."""
    found = []
    for wire in wires:
        box = rules.resolve(wire)
        unit = 1 << sorted(MEDIA).index(wire["right"])
        found.append(Box(unit, box.media, box.territories, box.languages,
                         micros(box.window.start), micros(box.window.end)))  # fmt: skip
    return found


@laws
@given(st.data())
def test_cells_hold_what_is_offered_and_no_two_overlap(data: st.DataObject) -> None:
    offered = data.draw(listings())
    found = cells.listed(offered, terms(cuts=data.draw(cut(offered))))
    wires = [cell["right"] for cell in found]
    assert region.of(boxes(wires)) == region.of(boxes(offered))
    resolved = [rules.resolve(wire) for wire in wires]
    for place, one in enumerate(resolved):
        assert all(algebra.overlaps(one, other) is None for other in resolved[place + 1 :])


@laws
@given(st.data())
def test_a_cell_is_one_wire_in_normal_form_within_its_right(data: st.DataObject) -> None:
    offered = data.draw(listings())
    for cell in cells.listed(offered, terms(cuts=data.draw(cut(offered)))):
        assert rules.normal(cell["right"]) == cell["right"]
        assert parting.is_inside(cell["right"], offered[cell["of"]])


@laws
@given(st.data())
def test_some_cells_merge_into_few_rights_that_hold_just_them(data: st.DataObject) -> None:
    offered = data.draw(listings())
    found = cells.listed(offered, terms(cuts=data.draw(cut(offered))))
    chosen = data.draw(st.lists(st.sampled_from(found), min_size=1, unique_by=lambda c: c["code"]))
    merged = cells.rights(found, [cell["code"] for cell in chosen])
    assert len(merged) <= len(chosen)
    assert region.of(boxes(merged)) == region.of(boxes([cell["right"] for cell in chosen]))
    everything = cells.rights(found, [cell["code"] for cell in found])
    assert region.of(boxes(everything)) == region.of(boxes(offered))


@laws
@given(st.data())
def test_a_shared_twin_is_of_the_space_of_its_cell_and_says_the_same_rights(
    data: st.DataObject,
) -> None:
    offered = data.draw(listings())
    shared = {"copies": 3, "reserve_minor": 7}
    found = cells.listed(offered, terms(non_exclusive=shared, reserve_minor=9))
    by_code = {cell["code"]: cell for cell in found}
    assert len(by_code) == len(found)
    for code, cell in by_code.items():
        if not code.endswith(cells.SHARED):
            is_shared = cell["exclusivity"] == "non-exclusive"
            assert (code + cells.SHARED in by_code) != is_shared
            continue
        whole = by_code[code.removesuffix(cells.SHARED)]
        assert (cell["space"], cell["copies"], cell["reserve_minor"]) == (whole["space"], 3, 7)
        assert cell["right"] == whole["right"] | {"exclusivity": "non-exclusive"}


def test_territories_that_are_not_cut_are_told_apart_as_the_listing_names_them() -> None:
    plain = {"territories": None, "media": [], "days": []}
    found = cells.listed([rules.normal(WIRE)], terms(cuts=plain))
    assert [cell["right"]["territories"] for cell in found] == [["CN"], ["HK"], ["JP"]]


def test_a_day_on_which_nothing_is_cut_and_a_reserve_for_no_cell_are_refused() -> None:
    wire = rules.normal(WIRE)
    first = date.fromisoformat(wire["first_day"])
    for day in (first.isoformat(), (first - timedelta(days=1)).isoformat(), "2029-01-01"):
        with pytest.raises(BadCuts):
            cells.listed([wire], terms(cuts={"territories": [], "media": [], "days": [day]}))
    with pytest.raises(BadCuts):
        cells.listed([wire], terms(reserves={"c009": 1}))


def test_too_many_cells_are_refused() -> None:
    every_day = [(date(2027, 1, 1) + timedelta(days=n)).isoformat() for n in range(1, 600)]
    with pytest.raises(BadCuts):
        cells.listed(
            [rules.normal(WIRE)], terms(cuts={"territories": [], "media": [], "days": every_day})
        )


def test_a_cell_is_named_in_both_languages() -> None:
    (cell,) = cells.listed([rules.normal(WIRE | {"territories": ["CN"]})], terms())
    assert cells.name(cell, "en").endswith("Mainland China · 2027-01-01 to 2028-12-31 · exclusive")
    assert cells.name(cell, "zh").endswith("中国大陆 · 2027-01-01至2028-12-31 · 独占")
