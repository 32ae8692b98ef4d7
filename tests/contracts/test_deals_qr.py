import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.deals import qr

CODES = json.loads((Path(__file__).parents[1] / "vectors/qr/codes.json").read_text())["codes"]


@pytest.mark.parametrize("code", CODES, ids=lambda code: f"{len(code['rows'])}-{code['text'][:20]}")
def test_a_code_has_the_modules_that_another_encoder_draws(code: dict[str, list[str]]) -> None:
    assert qr.matrix(str(code["text"])) == code["rows"]


def test_the_vectors_cover_every_version() -> None:
    assert {len(code["rows"]) for code in CODES} == {17 + 4 * version for version in range(1, 11)}


@settings(max_examples=15, deadline=None)
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=90))
def test_a_code_is_square_and_has_its_three_finders(text: str) -> None:
    rows = qr.matrix(text)
    assert {len(row) for row in rows} == {len(rows)}
    for down, right in ((0, 0), (0, len(rows) - 7), (len(rows) - 7, 0)):
        corner = [row[right : right + 7] for row in rows[down : down + 7]]
        assert corner == ["1111111", "1000001", *["1011101"] * 3, "1000001", "1111111"]


def test_another_text_gives_another_code() -> None:
    assert qr.matrix("https://a.example/1") != qr.matrix("https://a.example/2")


def test_what_is_too_long_is_a_bug_that_speaks() -> None:
    with pytest.raises(ValueError, match="too long"):
        qr.matrix("x" * 214)
