import re
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
from tests.contracts.test_deals_terms import built, listed

PRESS = TypstPress()


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
