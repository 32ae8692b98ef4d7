from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.refusal import InvalidContent, NotAllowed
from contracts.works import rules
from contracts.works.rules import BadYear, UnknownCountry
from tests.conftest import NOW


@given(st.integers(-10_000, 10_000))
def test_a_year_passes_exactly_between_its_ends(year: int) -> None:
    if 1888 <= year <= NOW.year + 5:
        rules.check_year(year, now=NOW)
    else:
        with pytest.raises(BadYear):
            rules.check_year(year, now=NOW)


def _fields(**change: Any) -> Any:
    return {
        "title_zh": "珠江之花", "title_en": "Flower", "kind": "film", "year": 2026, "country": "CN",
        "eidr": None, "isan": None, "permit_no": None, **change,
    }  # fmt: skip


def test_a_description_keeps_identifiers_in_capitals() -> None:
    given_ = rules.describe(_fields(eidr="10.5240/7791-8534-2c23-9030-8610-5"))
    assert given_.eidr == "10.5240/7791-8534-2C23-9030-8610-5"


def test_an_unknown_kind_or_country_is_refused() -> None:
    with pytest.raises(InvalidContent):
        rules.describe(_fields(kind="opera"))
    for country in ("XX", "cn", "EU", ""):
        with pytest.raises(UnknownCountry):
            rules.describe(_fields(country=country))


def test_the_title_hash_is_of_both_titles() -> None:
    one = rules.describe(_fields()).title_sha256()
    assert one != rules.describe(_fields(title_en="Blossom")).title_sha256()
    assert one == rules.describe(_fields(year=2027)).title_sha256()


def test_broadcasters_register_no_works() -> None:
    with pytest.raises(NotAllowed):
        rules.need_rights_holder("broadcaster")
