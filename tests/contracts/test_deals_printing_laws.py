"""Invariants 1 to 4 and 6 to 10 of contracts; 5 is in test_deals_templates.py."""

import json
import shutil
import struct
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import canonical
from contracts.canonical import NotCanonical
from contracts.deals import gateway, library, templates, verification
from contracts.deals.terms import TextCannotBePrinted
from tests.conftest import NOW
from tests.contracts.deals_factory import RIGHTS
from tests.contracts.poppler import poppler
from tests.contracts.templates_factory import EVERY, licence
from tests.contracts.test_deals_terms import built, listed

PRESS = gateway.TypstPress()
NFC = st.text(st.characters(exclude_categories=("Cs",)), max_size=12).map(
    lambda text: unicodedata.normalize("NFC", text)
)
WHOLE = st.integers(-(2**53) + 1, 2**53 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | WHOLE | NFC,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NFC, inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_invariant_01_canonical_bytes_read_back_and_write_the_same(value: Any) -> None:
    raw = canonical.dumps(value)
    assert canonical.dumps(canonical.loads(raw)) == raw


@given(JSON, st.integers(0, 4))
def test_invariant_02_order_and_white_space_never_change_the_hash(value: Any, indent: int) -> None:
    spread = json.dumps(_turned(value), indent=indent, ensure_ascii=bool(indent % 2)).encode()
    assert canonical.dumps(canonical.loads(spread)) == canonical.dumps(value)


def _turned(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _turned(value[name]) for name in reversed(value)}
    return [_turned(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    "raw",
    [
        '{"a":1,"a":1}',
        '{"a":"e\u0301"}',
        "NaN",
        "1.5",
        "1e3",
        str(2**53),
        "[Infinity]",
        '"\\ud800"',
    ],
)
def test_invariant_03_what_has_no_one_canonical_form_is_refused(raw: str) -> None:
    with pytest.raises(NotCanonical):
        canonical.dumps(canonical.loads(raw.encode()))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if not isinstance(value, dict | list):
        return [path]
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return [leaf for key, one in inner for leaf in leaves(one, (*path, key))]


@pytest.mark.parametrize("name", EVERY)
def test_invariant_04_changing_any_leaf_of_the_terms_changes_the_hash(name: str) -> None:
    raw = canonical.dumps(EVERY[name]())
    seen = {canonical.sha256_hex(raw)}
    paths = leaves(canonical.loads(raw))
    for *way, last in paths:
        changed = place = canonical.loads(raw)
        for key in way:
            place = place[key]
        place[last] = f"{place[last]}?"
        seen.add(canonical.sha256_hex(canonical.dumps(changed)))
    assert len(seen) == len(paths) + 1


PRINT = """
import asyncio, sys
from datetime import datetime, UTC
from contracts import canonical
from contracts.deals.gateway import TypstPress
raw = sys.stdin.buffer.read()
at = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
print(canonical.sha256_hex(asyncio.run(TypstPress().contract(raw, frozen_at=at))))
"""


async def test_invariant_06_another_process_prints_the_same_bytes() -> None:
    raw = canonical.dumps(licence(RIGHTS))
    pdf = await PRESS.contract(raw, frozen_at=NOW)
    other = subprocess.run(  # noqa: ASYNC221 - nothing else waits for this loop.
        [sys.executable, "-c", PRINT], input=raw, capture_output=True, check=True, timeout=60
    )
    assert other.stdout.decode().strip() == canonical.sha256_hex(pdf)


def without_glyph(font: bytes, sign: str) -> bytes:
    """Return the collection whose tables of characters end before this one: it has no glyph."""
    data, code = bytearray(font), ord(sign)
    for (start,) in struct.iter_unpack(
        ">I", font[12 : 12 + 4 * struct.unpack(">I", font[8:12])[0]]
    ):
        for at in range(
            start + 12, start + 12 + 16 * struct.unpack_from(">H", font, start + 4)[0], 16
        ):
            tag, _, table, _ = struct.unpack_from(">4sIII", font, at)
            if tag == b"cmap":
                _cut(data, table, code)
    return bytes(data)


def _cut(data: bytearray, table: int, code: int) -> None:
    for entry in range(struct.unpack_from(">H", data, table + 2)[0]):
        sub = table + struct.unpack_from(">I", data, table + 4 + 8 * entry + 4)[0]
        if struct.unpack_from(">H", data, sub)[0] != 12:
            struct.pack_into(">H", data, table + 4 + 8 * entry, 99)  # of no known platform
            continue
        for group in range(
            sub + 16, sub + 16 + 12 * struct.unpack_from(">I", data, sub + 12)[0], 12
        ):
            first, last, _ = struct.unpack_from(">III", data, group)
            if first <= code <= last:
                struct.pack_into(">II", data, group, first, max(first, code - 1))
                if first == code:
                    struct.pack_into(">I", data, group + 8, 0)


@pytest.mark.parametrize("sign", ["播", "壹", "𠮷"])
async def test_invariant_07_a_font_without_a_glyph_that_is_used_fails_the_print(
    sign: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = canonical.dumps(built(listed(title={"zh": "示范𠮷", "en": "Demonstration"})))
    await PRESS.contract(raw, frozen_at=NOW)
    whole = next(
        path for path in library.font_folder().iterdir() if path.suffix in (".ttc", ".otc")
    )
    (tmp_path / whole.name).write_bytes(without_glyph(whole.read_bytes(), sign))
    monkeypatch.setattr(library, "font_folder", lambda: tmp_path)
    with pytest.raises(TextCannotBePrinted, match="could not be displayed"):
        await PRESS.contract(raw, frozen_at=NOW)
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize("name", EVERY)
async def test_invariant_08_what_poppler_takes_out_of_the_print_are_the_canonical_terms(
    name: str, tmp_path: Path
) -> None:
    raw, pdf = await print_of(name)
    assert verification.attachments(pdf) == [raw]
    file = tmp_path / "contract.pdf"
    file.write_bytes(pdf)
    poppler("pdfdetach", "-saveall", file, "-o", tmp_path)
    assert (tmp_path / "terms.json").read_bytes() == raw


@pytest.mark.parametrize("name", EVERY)
async def test_invariant_09_every_page_prints_the_hash_of_the_terms(
    name: str, tmp_path: Path
) -> None:
    raw, pdf = await print_of(name)
    file = tmp_path / "contract.pdf"
    file.write_bytes(pdf)
    pages = poppler("pdftotext", "-layout", file, "-").split("\f")[:-1]
    assert pages
    assert all(canonical.sha256_hex(raw) in page for page in pages)
    assert all(shown_on_paper(file, tmp_path))


PRINTS: dict[str, tuple[bytes, bytes]] = {}


async def print_of(name: str) -> tuple[bytes, bytes]:
    """The terms of a kind of contract and its print, which is made once."""
    if name not in PRINTS:
        raw = canonical.dumps(EVERY[name]())
        PRINTS[name] = raw, await PRESS.contract(raw, frozen_at=NOW)
    return PRINTS[name]


def shown_on_paper(file: Path, folder: Path) -> list[bool]:
    """Tell of each word of the last page whether there is ink where it stands."""
    pages = poppler("pdfinfo", file).split("Pages:")[1].split()[0]
    poppler("pdftoppm", "-gray", "-r", "72", "-f", pages, "-l", pages, file, folder / "page")
    image = next(folder.glob("page*.pgm")).read_bytes()
    width, height = map(int, image.split(maxsplit=4)[1:3])
    ink = np.frombuffer(image[-width * height :], np.uint8).reshape(height, width)
    boxes = poppler("pdftotext", "-bbox", "-f", pages, "-l", pages, file, "-")
    found = []
    for line in boxes.splitlines():
        if "<word" in line:
            left, top, right, bottom = (int(float(part)) for part in line.split('"')[1:8:2])
            found.append(bool((ink[top : bottom + 1, left : right + 1] < 200).any()))
    assert found
    return found


TYPST = st.text(st.sampled_from("#$*_@\\`<>[]{}=/\"'~-+ abc示范"), min_size=1, max_size=25)


@settings(max_examples=6, deadline=None)
@given(TYPST.filter(lambda text: text.strip() == text))
async def test_invariant_10_what_people_type_is_never_run(typed: str) -> None:
    pdf = await PRESS.contract(
        canonical.dumps(built(listed(title={"zh": typed, "en": typed}))), frozen_at=NOW
    )
    assert canonical.loads(verification.attachments(pdf)[0])["work"]["title"]["zh"] == typed


@pytest.mark.parametrize("sign", ["\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\u2028"])
def test_invariant_10_what_cannot_be_seen_is_refused(sign: str) -> None:
    with pytest.raises(TextCannotBePrinted):
        built(listed(title={"zh": f"示范{sign}作品", "en": "Demonstration"}))


async def test_rare_characters_of_names_print(tmp_path: Path) -> None:
    made = built(listed(title={"zh": "𠮷䶮𬭎", "en": "Rare"}))
    (tmp_path / "rare.pdf").write_bytes(await PRESS.contract(canonical.dumps(made), frozen_at=NOW))
    assert "𠮷䶮𬭎" in poppler("pdftotext", tmp_path / "rare.pdf", "-")
    assert templates.of(made["template"]).form == "agreement-2.typ"
