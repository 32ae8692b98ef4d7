"""Rows 9 and 10 of the threat model, acted out: what is printed, and what a page may do.

Row 9: a contract that reads otherwise than it is (glyphs, look-alikes, hidden characters, words).
Row 10: a page that reads files, fetches code, never ends or takes all there is.
"""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import noto_cjk_sans_otc
import pytest

from contracts import canonical
from contracts.deals import gateway, templates, terms, words
from contracts.deals.gateway import FontDiffers, PressFailed, TypstPress
from contracts.deals.terms import TextCannotBePrinted
from contracts.money import Money
from contracts.parties import rules as parties
from contracts.parties.rules import BadName, ConfusableName
from tests.conftest import NOW
from tests.contracts.poppler import poppler
from tests.contracts.test_deals_terms import SIDES, TEMPLATE, built, listed

PRESS = TypstPress()
# Names that read as another: Cyrillic С in a Latin word, an override, a zero width, full width.
MISTAKEN = ["\u0421hina Media", "Beijing \u202eaideM", "北京\u200b影像", "ＡＢＣ Media", "⽂化"]


async def page(source: str) -> bytes:
    """Set a form that its author wrote with bad intent."""
    return await gateway.set_pages(
        {"main.typ": source.encode()}, inputs={}, standard=gateway.CONTRACT_STANDARD, at=NOW
    )


def other_font(folder: Path) -> Path:
    """The contract's font with one byte changed, as if a glyph were another."""
    font = bytearray(Path(str(noto_cjk_sans_otc.FONT_PATH)).read_bytes())
    font[len(font) // 2] ^= 1
    path = folder / "NotoSansCJK.ttc"
    path.write_bytes(bytes(font))
    return path


async def test_threat_09_a_font_that_draws_other_glyphs_is_not_printed_with(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    raw = canonical.dumps(built(listed()))
    monkeypatch.setattr(noto_cjk_sans_otc, "FONT_PATH", other_font(tmp_path))
    monkeypatch.setattr(templates, "font_sha256", templates.font_sha256.__wrapped__)
    with pytest.raises(FontDiffers):
        await PRESS.contract(raw, frozen_at=NOW)


@pytest.mark.parametrize("name", MISTAKEN)
def test_threat_09_a_name_that_can_be_mistaken_enters_neither_register_nor_contract(
    name: str,
) -> None:
    with pytest.raises((ConfusableName, BadName)):
        parties.organisation(
            kind="broadcaster", name_zh=name, name_en="Media", uscc="91110000600037341L"
        )
    with pytest.raises(TextCannotBePrinted):
        built(replace(listed(), sides=(replace(SIDES[0], name_en=name), *SIDES[1:])))
    with pytest.raises(TextCannotBePrinted):
        built(listed(title={"zh": name, "en": "Work"}))


@pytest.mark.parametrize(
    ("minor", "said"),
    [
        (120_000_000, "人民币壹佰贰拾万元整"),
        (720_000_000, "人民币柒佰贰拾万元整"),
        (100_000_001, "人民币壹佰万元零壹分"),
    ],
)
def test_threat_09_the_amount_stands_in_words_that_code_wrote(minor: int, said: str) -> None:
    money = Money(minor, "CNY")
    agreed = replace(listed(), price=replace(listed().price, due=money))
    written = terms.build(agreed, template=TEMPLATE, now=NOW)["consideration"]
    assert (written["amount"], written["in_words"]) == (money.decimal(), said)
    assert words.in_chinese(money) == said


@pytest.mark.parametrize(
    "source",
    [
        '#read("/etc/passwd")',
        '#read("../../../../../../etc/passwd")',
        '#import "@preview/cetz:0.3.0": canvas',
        "#let f(n) = f(n + 1)\n#f(0)",
    ],
)
async def test_threat_10_a_page_reads_no_file_fetches_no_code_and_does_not_recurse_for_ever(
    source: str,
) -> None:
    with pytest.raises(PressFailed) as failed:
        await page(source)
    assert "root:" not in str(failed.value.data)


async def test_threat_10_what_people_may_write_is_printed_and_never_run(tmp_path: Path) -> None:
    hostile = '#read("/etc/passwd")'
    sides = tuple(replace(side, name_zh=hostile, name_en=hostile) for side in SIDES)
    agreed = replace(listed(title={"zh": hostile, "en": hostile}), sides=sides)
    (tmp_path / "contract.pdf").write_bytes(
        await PRESS.contract(canonical.dumps(built(agreed)), frozen_at=NOW)
    )
    text = "".join(poppler("pdftotext", tmp_path / "contract.pdf", "-").split())
    assert text.count(hostile) >= 2 * len(sides)
    assert "root:" not in text


LOOP = "#for a in range(1000000) { for b in range(1000000) { let c = a * b } }"
GROW = '#let s = "x"\n#for n in range(60) { s = s + s }\n#s.len()'
LIMITS: dict[str, tuple[str, dict[str, Any], str]] = {
    "of time": (LOOP, {"TIME_LIMIT_S": 1}, "too long"),
    "of the processor": (LOOP, {"CPU_LIMIT_S": 1}, "failed"),
    "of memory": (GROW, {"MEMORY_BYTES": 512 * 1024**2}, "failed"),
}


@pytest.mark.parametrize("limit", LIMITS)
async def test_threat_10_a_page_without_end_ends_at_its_limit(
    limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, limits, said = LIMITS[limit]
    for name, value in limits.items():
        monkeypatch.setattr(gateway, name, value)
    with pytest.raises(PressFailed, match=said):
        await page(source)


async def test_threat_10_many_pages_at_once_wait_for_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_work, most, lock = 0, 0, Lock()

    def run(_files: Any) -> bytes:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.02)
        with lock:
            at_work -= 1
        return b"%PDF"

    monkeypatch.setattr(gateway, "_run", run)
    await asyncio.gather(*(page("") for _ in range(3 * gateway.MOST_AT_ONCE)))
    assert most == gateway.MOST_AT_ONCE
