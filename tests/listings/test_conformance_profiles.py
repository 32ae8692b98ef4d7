"""Profiles: dated rows with a clause each, and none with a fault."""

from datetime import date

import pytest

from listings.masters.conformance import profiles
from tests.listings.conformance_factory import (
    DAY,
    DRAMA,
    MASTER,
    RECORD,
    changed,
)

CHECKS = tuple(profiles.catalogue())


@pytest.mark.parametrize("profile", profiles.names())
def test_every_requirement_names_its_clause_and_whether_its_figure_was_seen(profile: str) -> None:
    for each in profiles.get(profile, DAY).requirements:
        assert each.standard and each.clause
        assert each.verified is (each.source == "quoted")


def test_the_masters_and_the_drama_profile_hold_the_whole_catalogue() -> None:
    for name in (MASTER, "CN8K_MASTER_2021", DRAMA):
        found = [each.check.id for each in profiles.get(name, DAY).requirements]
        assert found == list(CHECKS)


ROW = {
    "check": "V06", "severity": "block", "wanted": "least_bits=10", "standard": "GY/T 307-2017",
    "clause": "table 5", "valid_from": "", "valid_to": "", "source": "quoted", "verified": "yes",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"check": "V99"}, "no such check"),
        ({"clause": " "}, "no clause"),
        ({"standard": ""}, "no standard"),
        ({"severity": "grave"}, "grave"),
        ({"wanted": ""}, "lacks least_bits"),
        ({"wanted": "least_bits=ten"}, "ten"),
        ({"wanted": "least_bits=10;least_bits=12"}, "twice"),
        ({"wanted": "least_bits=10;most_bits=12"}, "most_bits"),
        ({"wanted": "least_bits="}, "without a value"),
        ({"source": "customary"}, "do not fit"),
        ({"source": "hearsay"}, "do not fit"),
        ({"valid_from": "2023-02-30"}, "V06"),
    ],
)
def test_a_profile_with_a_fault_is_not_loaded(change: dict[str, str], said: str) -> None:
    with pytest.raises(profiles.BadProfile, match=said):
        profiles.read_rows("X", [{**ROW, **change}], on=DAY)


def test_a_changed_standard_is_a_new_row_and_both_can_be_asked_for() -> None:
    rows = [
        {**ROW, "valid_to": "2027-01-01"},
        {**ROW, "wanted": "least_bits=12", "valid_from": "2027-01-01"},
    ]
    for day, bits in ((date(2026, 12, 31), 10), (date(2027, 1, 1), 12)):
        (found,) = profiles.read_rows("X", rows, on=day)
        assert found.wanted["least_bits"] == bits
    with pytest.raises(profiles.BadProfile, match="two rows"):
        profiles.read_rows("X", [ROW, ROW], on=DAY)


def test_a_profile_is_unknown_before_it_holds() -> None:
    with pytest.raises(profiles.UnknownProfile):
        profiles.get(DRAMA, date(2022, 3, 31))
    with pytest.raises(profiles.UnknownProfile):
        profiles.get("../checks", DAY)
    assert profiles.get(DRAMA, date(2022, 4, 1)).requirements


def test_a_profile_has_one_hash_and_another_when_it_wants_something_else() -> None:
    sums = [profiles.get(name, DAY).sha256 for name in profiles.names()]
    assert len(set(sums)) == len(sums)
    assert sums == [profiles.get(name, DAY).sha256 for name in profiles.names()]


def test_an_8k_master_is_held_to_the_8k_profile() -> None:
    assert profiles.default(RECORD) == MASTER
    assert profiles.default(changed(RECORD, {"video.width": 7680})) == "CN8K_MASTER_2021"
