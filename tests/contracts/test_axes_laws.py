"""Axes by their laws, over every code of every axis, and against a second list of places."""

import csv
import hashlib
from collections.abc import Iterable
from datetime import date, timedelta
from importlib.resources import files
from itertools import combinations, pairwise

import pycountry
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.rights import axes, vocabulary
from contracts.rights.axes import LANGUAGES, MEDIA, TERRITORIES, Axis

WORDS = {
    "territory": vocabulary.PLACES, "language": vocabulary.TONGUES, "medium": vocabulary.OUTLETS,
}  # fmt: skip
EVERY = (TERRITORIES, LANGUAGES, MEDIA)
by_axis = pytest.mark.parametrize("axis", EVERY, ids=lambda axis: axis.name)
# The territories that are places: ISO 3166-1, ISO 3166-2, and groups of the whole world.
COUNTRIES = tuple(vocabulary.TERRITORIES)
OF_M49 = {one.code: one for one in vocabulary.GROUPS if one.code.isdigit()}


def masks(axis: Axis) -> st.SearchStrategy[int]:
    """Unions of codes of every kind, and of single leaves."""
    codes = st.sampled_from(sorted(WORDS[axis.name]))
    return st.lists(codes, max_size=6).map(axis.mask)


AXES_AND_MASKS = st.sampled_from(EVERY).flatmap(
    lambda axis: st.tuples(st.just(axis), masks(axis), masks(axis))
)


def touch(one: Iterable[tuple[int, int]], two: Iterable[tuple[int, int]]) -> bool:
    """Tell as the database does whether two lists of ranges share a number."""
    return any(a < d and c < b for a, b in one for c, d in two)


@by_axis
def test_every_code_names_something_and_reads_back(axis: Axis) -> None:
    for code in WORDS[axis.name]:
        mask = axis.mask([code])
        assert mask and mask & ~axis.all == 0, code
        assert axis.mask(axis.codes(mask)) == mask, code
        assert axis.of_ranges(axis.ranges(mask)) == mask, code


@given(AXES_AND_MASKS)
def test_leaves_are_found_again_from_codes_and_from_ranges(drawn: tuple[Axis, int, int]) -> None:
    axis, mask, _ = drawn
    assert axis.mask(axis.codes(mask)) == mask
    assert axis.of_ranges(axis.ranges(mask)) == mask


@given(AXES_AND_MASKS)
def test_what_is_said_with_exceptions_means_the_same(drawn: tuple[Axis, int, int]) -> None:
    axis, mask, _ = drawn
    included, left_out = axis.said(mask)
    assert axis.mask(included) & ~axis.mask(left_out) == mask
    assert len(included) + len(left_out) <= max(len(axis.codes(mask)), 1)


@given(AXES_AND_MASKS)
def test_codes_share_a_leaf_where_the_database_sees_their_ranges_overlap(
    drawn: tuple[Axis, int, int],
) -> None:
    axis, a, b = drawn
    assert touch(axis.ranges(a), axis.ranges(b)) is bool(a & b)


@pytest.mark.parametrize(
    ("axis", "codes"),
    [
        (MEDIA, sorted(vocabulary.OUTLETS)),
        (TERRITORIES, [*COUNTRIES, *sorted(OF_M49), "EU", "CN-GD", "US-CA", "GB-ENG", "WRD"]),
        (LANGUAGES, [code for code in vocabulary.TONGUES if code[:2] in ("zh", "en", "pt", "mn")]),
    ],
    ids=["media", "territories", "languages"],
)
def test_any_two_codes_share_a_leaf_exactly_where_their_ranges_overlap(
    axis: Axis, codes: list[str]
) -> None:
    known = [(axis.mask([code]), axis.ranges(axis.mask([code])), code) for code in codes]
    for (a, in_a, one), (b, in_b, two) in combinations(known, 2):
        assert touch(in_a, in_b) is bool(a & b), (one, two)


@given(AXES_AND_MASKS)
def test_ranges_stand_apart_and_in_order(drawn: tuple[Axis, int, int]) -> None:
    axis, mask, _ = drawn
    spans = axis.ranges(mask)
    assert all(low < high for low, high in spans)
    assert all(one[1] < two[0] for one, two in pairwise(spans))


@by_axis
def test_every_leaf_has_numbers_of_its_own(axis: Axis) -> None:
    assert all(one.high <= two.low for one, two in pairwise(axis.leaves))
    assert len({leaf.code for leaf in axis.leaves}) == len(axis.leaves)
    assert all(leaf.low // 1000 == (leaf.high - 1) // 1000 for leaf in axis.leaves)


@by_axis
def test_the_plain_spelling_of_a_code_is_its_own(axis: Axis) -> None:
    for code in WORDS[axis.name]:
        assert axis.plain(code) == code


@by_axis
def test_everything_is_said_with_one_code(axis: Axis) -> None:
    if axis is not MEDIA:
        assert axis.codes(axis.mask([axis.everything])) == (axis.everything,)
    assert axis.codes(0) == ()
    assert axis.ranges(0) == []


@by_axis
def test_a_node_is_said_with_its_code_and_without_one_leaf_it_is_not(axis: Axis) -> None:
    for code, below in axis.tree.items():
        mask = axis.mask([code])
        assert mask == axis.mask(below)
        said = axis.codes(mask)
        assert len(said) == 1 and axis.mask(said) == mask
        if len(below) > 1:
            assert code not in axis.codes(mask & ~axis.mask([min(below)]))


def test_the_block_of_a_country_covers_its_subdivisions() -> None:
    for place in vocabulary.SUBDIVISIONS.values():
        low, high = vocabulary.block(vocabulary.TERRITORIES[place.parent].number)
        assert 0 < place.number < high - low
        ((first, after),) = TERRITORIES.ranges(TERRITORIES.mask([place.code]))
        assert low < first < after <= high or TERRITORIES.codes(
            TERRITORIES.mask([place.parent])
        ) == (place.parent,)
        country = TERRITORIES.mask([place.parent])
        assert TERRITORIES.mask([place.code]) | country == country
        assert TERRITORIES.ranges(country) == [(low, high)]


def test_a_subdivision_that_is_added_later_lies_in_what_was_granted_before() -> None:
    ((low, high),) = TERRITORIES.ranges(TERRITORIES.mask(["CN"]))
    known = {leaf.low for leaf in TERRITORIES.leaves if low <= leaf.low < high}
    assert max(known) + 1 < high
    assert touch([(max(known) + 1, max(known) + 2)], [(low, high)])


@by_axis
def test_a_word_that_is_added_later_lies_in_the_whole_axis_that_was_granted_before(
    axis: Axis,
) -> None:
    later = axis.leaves[-1].low // 1000 + 1
    assert touch(axis.ranges(axis.all), [(later * 1000, (later + 1) * 1000)])
    assert not touch(axis.ranges(axis.all & ~1), [axis.ranges(1)[0]])


def test_every_country_of_iso_3166_1_is_known() -> None:
    assert {country.alpha_2 for country in pycountry.countries} == set(COUNTRIES)


def test_every_subdivision_of_iso_3166_2_lies_in_its_country_and_in_its_parent() -> None:
    for listed in pycountry.subdivisions:
        mask = TERRITORIES.mask([listed.code])
        within = listed.parent_code or listed.country_code
        alias = vocabulary.territory(listed.code) != listed.code
        assert alias or mask | TERRITORIES.mask([within]) == TERRITORIES.mask([within]), listed
    listed_codes = {listed.code for listed in pycountry.subdivisions}
    stand_ins = {"SJ-21", "SJ-22"}  # of NO-21 and NO-22, which ISO 3166-1 lists as SJ
    assert set(vocabulary.SUBDIVISIONS) - listed_codes == stand_ins


def test_the_subdivisions_below_one_of_iso_3166_2_make_it_up() -> None:
    below: dict[str, list[str]] = {}
    for listed in pycountry.subdivisions:
        below.setdefault(listed.parent_code or listed.country_code, []).append(listed.code)
    for code, parts in below.items():
        own = [part for part in parts if vocabulary.territory(part) == part]
        if len(code) > 2 and own:
            assert TERRITORIES.mask(own) == TERRITORIES.mask([code]), code
        elif own:
            assert TERRITORIES.mask(own) | TERRITORIES.mask([code]) == TERRITORIES.mask([code])


def test_an_alias_is_the_same_place_and_no_code_of_its_own() -> None:
    for row in _rows("aliases"):
        axis = TERRITORIES if row["axis"] == "territory" else LANGUAGES
        assert axis.mask([row["alias"]]) == axis.mask([row["code"]])
        assert row["alias"] not in WORDS[row["axis"]]


@pytest.mark.parametrize(("alias", "code"), [("CN-HK", "HK"), ("CN-MO", "MO"), ("CN-TW", "TW")])
def test_hong_kong_macao_and_taiwan_are_one_place_each_beside_the_mainland(
    alias: str, code: str
) -> None:
    assert TERRITORIES.mask([alias]) == TERRITORIES.mask([code])
    assert not TERRITORIES.mask(["CN"]) & TERRITORIES.mask([code])


def test_the_continents_of_m49_are_disjoint_and_leave_out_antarctica_alone() -> None:
    continents = [TERRITORIES.mask([code]) for code in ("002", "019", "142", "150", "009")]
    assert all(not a & b for a, b in combinations(continents, 2))
    assert TERRITORIES.codes(TERRITORIES.all & ~_union(continents)) == ("AQ",)


@pytest.mark.parametrize(
    ("whole", "parts"),
    [
        ("002", "015 202"),
        ("202", "011 014 017 018"),
        ("019", "021 419"),
        ("419", "005 013 029"),
        ("003", "013 021 029"),
        ("142", "030 034 035 143 145"),
        ("150", "039 151 154 155"),
        ("009", "053 054 057 061"),
    ],
)
def test_a_region_of_m49_is_made_of_its_parts(whole: str, parts: str) -> None:
    made = [TERRITORIES.mask([part]) for part in parts.split()]
    assert all(not a & b for a, b in combinations(made, 2))
    assert _union(made) == TERRITORIES.mask([whole])


@pytest.mark.parametrize(
    ("group", "day", "code", "inside"),
    [
        ("EU", "2020-01-31", "GB", True),
        ("EU", "2020-02-01", "GB", False),
        ("EU", "2020-02-01", "HR", True),
        ("ASEAN", "2025-10-25", "TL", False),
        ("ASEAN", "2025-10-26", "TL", True),
    ],
)
def test_a_group_is_read_as_it_stood_on_the_day(
    group: str, day: str, code: str, inside: bool
) -> None:
    mask = TERRITORIES.mask([group], on=date.fromisoformat(day))
    assert bool(mask & TERRITORIES.mask([code])) is inside


def test_the_definitions_of_a_group_follow_each_other_without_gap() -> None:
    named: dict[tuple[str, str], list[vocabulary.Group]] = {}
    for one in vocabulary.GROUPS:
        named.setdefault((one.axis, one.code), []).append(one)
    for definitions in named.values():
        assert definitions[-1].until is None
        for before, after in pairwise(definitions):
            assert before.until is not None and after.since == before.until + timedelta(days=1)


def test_the_members_of_a_group_are_known_and_none_is_named_twice() -> None:
    for group in vocabulary.GROUPS:
        axis = TERRITORIES if group.axis == "territory" else MEDIA
        assert all(axis.plain(code) == code for code in group.members), group.code
        parts = [axis.mask([code]) for code in group.members]
        assert sum(part.bit_count() for part in parts) == _union(parts).bit_count(), group.code


@by_axis
def test_no_two_codes_have_one_name(axis: Axis) -> None:
    for tongue in ("zh", "en"):
        names = [getattr(word, tongue) for word in WORDS[axis.name].values()]
        assert sorted(names) == sorted(set(names))


def test_a_part_of_a_country_is_named_with_it_and_a_province_of_the_mainland_without() -> None:
    names = {code: vocabulary.PLACES[code] for code in ("US-GA", "GE", "TW-TPE", "CN-GD")}
    assert [word.en for word in names.values()] == [
        "Georgia, United States", "Georgia", "Taipei, Taiwan, China", "Guangdong",
    ]  # fmt: skip
    assert [word.zh for word in names.values()] == [
        "美国佐治亚州",
        "格鲁吉亚",
        "中国台湾台北市",
        "广东",
    ]


def test_free_and_pay_television_are_apart_and_hold_all_that_is_broadcast_to_a_set() -> None:
    free, pay = MEDIA.mask(["free-tv"]), MEDIA.mask(["pay-tv"])
    assert not free & pay
    assert MEDIA.mask(["satellite", "terrestrial", "cable", "digital-pay"]) == free | pay


def test_a_language_is_made_of_its_versions_and_of_its_varieties() -> None:
    for code in vocabulary.LANGUAGES:
        ways = [LANGUAGES.mask([f"{code}:{way}"]) for way in vocabulary.VERSIONS]
        assert all(not a & b for a, b in combinations(ways, 2))
        assert _union(ways) == LANGUAGES.mask([code])
        kinds = [one.code for one in vocabulary.VARIETIES.values() if one.parent == code]
        if kinds:
            kinds.append(code + vocabulary.OTHER_VARIETY)
            made = [LANGUAGES.mask([kind]) for kind in kinds]
            assert all(not a & b for a, b in combinations(made, 2))
            assert _union(made) == LANGUAGES.mask([code])


@given(st.sampled_from(sorted(vocabulary.RIGHTS)), masks(MEDIA), masks(MEDIA))
def test_uses_of_media_together_are_the_uses_of_each(right: str, a: int, b: int) -> None:
    assert axes.uses(right, a | b) == axes.uses(right, a) | axes.uses(right, b)
    assert axes.uses(right, a & b) == axes.uses(right, a) & axes.uses(right, b)


@given(masks(MEDIA))
def test_uses_are_told_apart_by_their_right_and_read_back(media: int) -> None:
    found = {right: axes.uses(right, media) for right in vocabulary.RIGHTS}
    assert sum(use.bit_count() for use in found.values()) == _union(found.values()).bit_count()
    back = dict(axes.media_of_uses(_union(found.values())))
    for right, use in found.items():
        needs = [
            leaf.code for leaf in MEDIA.leaves
            if MEDIA.mask([leaf.code]) & media
            and right in vocabulary.MEDIA[leaf.code.partition(".")[0]].rights
        ]  # fmt: skip
        assert use.bit_count() == len(needs)
        assert back.get(right, 0) == MEDIA.mask(needs)


def test_every_use_is_one_of_a_right_that_can_be_licensed() -> None:
    rights = [right for right, _ in axes.media_of_uses(axes.ALL_USES)]
    assert rights and all(vocabulary.RIGHTS[right].licensable for right in rights)


@pytest.mark.parametrize(
    ("name", "rows", "digest"),
    [
        ("territories", 249, "8de523ce4bea5927"),
        ("subdivisions", 4804, "72931a6c8c836235"),
        ("languages", 182, "d783cd273f9041d3"),
        ("varieties", 19, "860292239594e63c"),
        ("media", 23, "f3d1a20399c8aa03"),
        ("rights", 17, "ee08569315d252ca"),
    ],
)
def test_no_number_that_was_given_is_changed_or_taken_back(
    name: str, rows: int, digest: str
) -> None:
    """The database keeps these numbers: rows may follow, those that stand are never touched."""
    given_out = [
        f"{row.get('country') or row.get('language') or ''} {row['number']} {row['code']}"
        for row in _rows(name)
    ][:rows]
    assert len(given_out) == rows
    assert hashlib.sha256("\n".join(given_out).encode()).hexdigest()[:16] == digest


def _rows(name: str) -> list[dict[str, str]]:
    text = files("contracts.rights").joinpath("data", f"{name}.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()[1:]))


def _union(masks: Iterable[int]) -> int:
    union = 0
    for mask in masks:
        union |= mask
    return union
