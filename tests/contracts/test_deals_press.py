import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader

from contracts import canonical
from contracts.deals import gateway, verification
from contracts.deals.gateway import PressFailed, Stamp, TypstPress
from contracts.deals.terms import TextCannotBePrinted
from tests.conftest import NOW
from tests.contracts.poppler import poppler
from tests.contracts.test_deals_terms import SIDES, built, listed

PRESS = TypstPress()
PAPER_WIDTH = 595.28  # A4 in points


def frozen(**changes: Any) -> bytes:
    return canonical.dumps(built(listed(**changes)))


async def printed(raw: bytes) -> bytes:
    return await PRESS.contract(raw, frozen_at=NOW)


def words_of(pdf: bytes, folder: Path) -> str:
    (folder / "contract.pdf").write_bytes(pdf)
    return poppler("pdftotext", "-layout", folder / "contract.pdf", "-")


async def test_the_same_terms_print_the_same_bytes() -> None:
    raw = frozen()
    assert await printed(raw) == await printed(raw)


async def test_other_terms_print_other_bytes() -> None:
    other = frozen(title={"zh": "另一作品", "en": "Another Work"})
    assert await printed(frozen()) != await printed(other)


async def test_the_print_is_pdf_a_with_the_exact_terms_attached() -> None:
    raw = frozen()
    pdf = await printed(raw)
    assert verification.attachments(pdf) == [raw]
    metadata = PdfFileReader(BytesIO(pdf)).root["/Metadata"].data
    assert re.search(rb"pdfaid:part>3<.*pdfaid:conformance>B<", metadata, re.DOTALL)


async def test_every_page_prints_the_hash_of_the_terms(tmp_path: Path) -> None:
    raw = frozen()
    pages = words_of(await printed(raw), tmp_path).split("\f")[:-1]
    assert len(pages) >= 3
    assert all(canonical.sha256_hex(raw) in page for page in pages)


async def test_what_people_type_is_printed_as_it_is_and_never_run(tmp_path: Path) -> None:
    typed = '#panic() $x$ *b* _i_ @ref <l> \\d `raw` = #import "x" // /* ${y} 𠮷𬭎'
    text = words_of(
        await printed(frozen(title={"zh": typed, "en": '#read("/etc/passwd")'})), tmp_path
    )
    seen = "".join(text.split())
    assert seen.count("".join(typed.split())) >= 1
    assert '#read("/etc/passwd")' in seen


@pytest.mark.parametrize("sign", ["😀", "𒀀", "ꓘ"])
async def test_a_character_without_a_glyph_fails_the_print(sign: str) -> None:
    with pytest.raises(TextCannotBePrinted, match="could not be displayed"):
        await printed(frozen(title={"zh": f"示范{sign}", "en": "Demonstration"}))


async def test_a_stamp_shows_who_signed_when_and_with_which_key(tmp_path: Path) -> None:
    stamp = Stamp("电子签名", "Signature", "示范机构", "Demo", "2026-11-22T09:00:00Z", "ab" * 32)
    text = words_of(await PRESS.stamp(stamp, at=NOW), tmp_path)
    assert all(part in text for part in ("示范机构", "2026-11-22T09:00:00Z", "ab" * 32))


async def test_a_press_that_hangs_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "TIME_LIMIT_S", 0.01)
    with pytest.raises(PressFailed, match="too long"):
        await printed(frozen())


async def test_a_press_that_breaks_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "broken.typ"
    broken.write_text("#let")
    monkeypatch.setattr(gateway, "STAMP", broken)
    with pytest.raises(PressFailed):
        await PRESS.stamp(Stamp("", "", "", "", "", ""), at=NOW)


async def test_names_of_any_length_stay_on_the_paper(tmp_path: Path) -> None:
    sides = tuple(replace(side, name_zh="龘" * 200, name_en="W" * 200) for side in SIDES)
    agreed = replace(listed(title={"zh": "长" * 200, "en": "M" * 200}), sides=sides)
    pdf = await printed(canonical.dumps(built(agreed)))
    (tmp_path / "long.pdf").write_bytes(pdf)
    boxes = poppler("pdftotext", "-bbox", tmp_path / "long.pdf", "-")
    assert max(float(edge) for edge in re.findall(r'xMax="([\d.]+)"', boxes)) <= PAPER_WIDTH - 56
    text = "".join(words_of(pdf, tmp_path).replace("\u200b", "").split())
    assert text.count("龘") == 200 * 3 * 2
    last = boxes.split("<page ")[-1]
    bottoms = [
        float(edge) for edge in re.findall(r'yMax="([\d.]+)">(?:[W\u200b]+|龘+)</word>', last)
    ]
    tops = [170 + step * 190 for step in range(3)]
    assert bottoms
    assert all(any(top < edge < top + 165 for top in tops) for edge in bottoms)


async def test_a_stamp_of_a_long_name_is_one_page(tmp_path: Path) -> None:
    stamp = Stamp("电子签名", "Electronic signature", "龘" * 200, "W" * 200, "2026", "ab" * 32)
    text = words_of(await PRESS.stamp(stamp, at=NOW), tmp_path)
    assert text.count("\f") == 1
    assert "ab" * 32 in text
