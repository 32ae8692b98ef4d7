"""The notation of territories: read from left to right, written back to the same mask."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.rights import axes, notation
from contracts.rights.notation import BadNotation
from contracts.rights.vocabulary import UnknownTerritory

TERRITORIES = axes.TERRITORIES
CODES = ["WRD", "CN", "US", "CA", "DE", "CN-GD", "US-CA", "HK", "150"]
terms = st.lists(st.tuples(st.sampled_from("+-"), st.sampled_from(CODES)), min_size=1, max_size=6)


@given(terms)
def test_terms_add_and_take_away_from_left_to_right(signed: list[tuple[str, str]]) -> None:
    signed[0] = ("+", signed[0][1])
    mask = 0
    for sign, code in signed:
        one = TERRITORIES.mask([code])
        mask = mask | one if sign == "+" else mask & ~one
    text = " ".join(sign + code for sign, code in signed)
    if mask:
        assert notation.territories(text) == mask
        assert notation.territories(notation.written(mask)) == mask
    else:
        with pytest.raises(BadNotation):
            notation.territories(text)


@pytest.mark.parametrize(
    "text",
    ["+WRD -US -CA", "WRD,-US,-CA", "  + WRD  − US，－CA ", "+wrd -us -ca", "+WRD;-CA;-US"],
)
def test_signs_and_separators_of_the_trade_are_read(text: str) -> None:
    assert notation.territories(text) == TERRITORIES.all & ~TERRITORIES.mask(["US", "CA"])


def test_later_terms_win_over_earlier_ones() -> None:
    assert notation.territories("+CN -CN-GD +CN-GD") == TERRITORIES.mask(["CN"])
    assert notation.territories("CN-GD") == TERRITORIES.mask(["CN-GD"])


@pytest.mark.parametrize(
    "text", ["", "   ", "-US", "+US -US", "+", "US--CA", "+WRD -", "US/CA", "+US\x00", "A" * 3000]
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises((BadNotation, UnknownTerritory)):
        notation.territories(text)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(BadNotation, UnknownTerritory):
        assert notation.territories(text)
