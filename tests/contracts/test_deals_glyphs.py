import asyncio
import time
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.deals import glyphs
from contracts.deals.terms import TextCannotBePrinted
from contracts.parties import rules
from contracts.parties.rules import BadName


async def refused(**texts: str) -> dict[str, Any]:
    with pytest.raises(TextCannotBePrinted) as caught:
        await glyphs.need_printable(**texts)
    return caught.value.data


@pytest.mark.parametrize(
    "text",
    [
        "珠江之花",
        "𠮷 䶮 𬭎",
        "Flower of the Pearl River",
        "é ẍ̣ ☃ ① ™",
        "한국",
        "“引号” '#x' $y$ \\u{1F600}",
    ],
)
async def test_what_the_contract_prints_passes(text: str) -> None:
    await glyphs.need_printable(title_zh=text, title_en=text)


@pytest.mark.parametrize(
    ("sign", "code"),
    [
        ("😀", "U+1F600"),
        ("𒀀", "U+12000"),
        ("ꓘ", "U+A4D8"),
        ("\u0378", "U+0378"),
        ("\ufffe", "U+FFFE"),
    ],
)
async def test_a_character_without_a_glyph_is_named_with_its_field(sign: str, code: str) -> None:
    data = await refused(title_zh="示范", title_en=f"Show {sign}!")
    assert data == {"field": "title_en", "characters": [code]}


async def test_every_kind_of_such_character_is_named() -> None:
    data = await refused(title_zh="😀花😁月\u0378")
    assert data["characters"] == ["U+0378", "U+1F600", "U+1F601"]


async def test_a_text_of_many_such_characters_is_refused_within_its_rounds() -> None:
    many = "".join(chr(0x12000 + step) for step in range(200))
    assert len((await refused(name_zh=many))["characters"]) >= glyphs.MOST_ROUNDS


async def test_a_look_takes_little_time_once_the_fonts_are_open() -> None:
    await glyphs.need_printable(name_zh="示范")
    took = []
    for number in range(9):
        begun = time.perf_counter()
        await glyphs.need_printable(
            name_zh=f"示范机构{number}" * 20, name_en=f"Demo {number} " * 20
        )
        took.append(time.perf_counter() - begun)
    assert min(took) < 0.05


async def test_looks_at_the_same_time_do_not_mix_their_texts() -> None:
    async def fine(number: int) -> None:
        await glyphs.need_printable(name_zh=f"示范{number}")

    async def faulty(number: int) -> None:
        assert (await refused(name_en=f"x{chr(0x1F600 + number)}"))["field"] == "name_en"

    await asyncio.gather(*(look(number) for number in range(8) for look in (fine, faulty)))


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=20))
def test_no_text_that_may_be_a_name_breaks_the_look(text: str) -> None:
    try:
        name = rules.clean_name(text, field="name_zh")
    except BadName:
        return
    found = glyphs._unprintable({"name_zh": name})
    named = {int(code[2:], 16) for code in found.get("name_zh", [])}
    assert named <= {ord(sign) for sign in name}
    assert all(ord(c) in named for c in name if unicodedata.category(c) == "Cn")
