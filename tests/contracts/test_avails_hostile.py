"""Files made to hurt are refused, and what is written can hurt nobody."""

import zipfile
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from contracts.avails import files, layouts, refusals, workbook
from contracts.avails.model import Asset
from contracts.avails.refusals import AvailsDangerous, AvailsTooLarge, AvailsUnreadable
from contracts.refusal import Refusal
from tests.contracts.avails_factory import document, movie, sample

XML = sample("TPT-test_v1.9_v2.5.xml")


def zipped(parts: dict[str, bytes]) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def changed(part: str, content: bytes) -> bytes:
    """A sample workbook with one part replaced."""
    with zipfile.ZipFile(BytesIO(sample("TPT-test_v1.9.xlsx"))) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    return zipped({**parts, part: content})


def sheet(rows: list[list[Any]]) -> bytes:
    book = Workbook(write_only=True)
    page = book.create_sheet("Avails")
    for row in rows:
        page.append(row)
    out = BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_workbook_with_a_dtd_is_refused(encoding: str) -> None:
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><sst>&b;</sst>'
    with pytest.raises(AvailsDangerous):
        files.read(changed("xl/sharedStrings.xml", laughs.encode(encoding)))


def test_a_dtd_split_between_two_reads_is_found() -> None:
    padding = b"<!--" + b" " * (1024**2 - 8) + b"-->"
    with pytest.raises(AvailsDangerous):
        files.read(changed("xl/sharedStrings.xml", padding + b"<!DOCTYPE x><sst/>"))


def test_xml_with_a_dtd_is_refused() -> None:
    content = XML.replace(b"?>", b'?>\n<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n', 1)
    with pytest.raises(AvailsDangerous):
        files.read(content.replace(b"CATS", b"&x;"))


def test_entities_that_grow_are_not_grown() -> None:
    lines = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(12))
    head = f'<!DOCTYPE a [<!ENTITY e0 "ha">{lines}]>'.encode()
    with pytest.raises((AvailsDangerous, AvailsUnreadable)):
        files.read(XML.replace(b"?>", b"?>\n" + head, 1).replace(b"CATS", b"&e12;"))


def test_a_zip_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("unpacked")

    monkeypatch.setattr("openpyxl.load_workbook", never)
    with pytest.raises(AvailsTooLarge):
        files.read(zipped({"xl/a.xml": b" " * (refusals.MOST_UNPACKED_BYTES + 1)}))


def test_a_workbook_of_very_many_parts_is_refused() -> None:
    with pytest.raises(AvailsTooLarge):
        files.read(zipped({f"{n}.xml": b"" for n in range(2001)}))


def test_a_file_beyond_the_bound_is_refused_in_either_form() -> None:
    for start in (b"PK\x03\x04", b"<a>"):
        with pytest.raises(AvailsTooLarge):
            files.read(start + b" " * refusals.MOST_BYTES)


def test_a_sheet_wider_than_the_bound_is_refused() -> None:
    with pytest.raises(AvailsTooLarge):
        files.read(sheet([["x"] * (refusals.MOST_COLUMNS + 1)]))


def test_a_sheet_longer_than_the_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "MOST_ROWS", 10)
    assert files.read(sheet([["x"]] * 13)).document.avails == ()
    with pytest.raises(AvailsTooLarge):
        files.read(sheet([["x"]] * 14))


def test_a_sheet_with_more_text_than_the_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layouts, "MOST_TEXT", 2000)
    with pytest.raises(AvailsTooLarge):
        files.read(files.to_workbook(document(movie(licensor="x" * 3000))))


@pytest.mark.parametrize("name", ["AvailList", "Avail", "Transaction"])
def test_an_element_with_more_children_than_the_bound_is_refused(name: str) -> None:
    some = {"AvailList": 50_001, "Avail": 20_001, "Transaction": 2001}[name]
    inside = "<x/>" * some if name == "AvailList" else f"<{name}>{'<x/>' * some}</{name}>"
    space = "http://www.movielabs.com/schema/avails/v2.7/avails"
    with pytest.raises(AvailsTooLarge):
        files.read(f'<AvailList xmlns="{space}">{inside}</AvailList>'.encode())


def test_a_file_wrong_throughout_is_told_of_its_first_faults() -> None:
    space = "http://www.movielabs.com/schema/avails/v2.7/avails"
    content = f'<AvailList xmlns="{space}">{"<Avail/>" * 3000}</AvailList>'.encode()
    schema = [one for one in files.read(content).report.findings if one.code == "schema"]
    assert len(schema) == 1000
    assert schema[1].place.path == "/AvailList/Avail[2]"


def test_a_file_without_an_avail_is_told_so() -> None:
    space = "http://www.movielabs.com/schema/avails/v2.7/avails"
    report = files.read(f'<AvailList xmlns="{space}"/>'.encode()).report
    assert [one.code for one in report.findings] == ["schema"]


def test_a_version_that_is_not_known_is_named_with_those_that_are() -> None:
    with pytest.raises(AvailsUnreadable) as refused:
        files.read(XML.replace(b"avails/v2.5", b"avails/v1.1"))
    assert refused.value.data["version"] == "1.1"


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"<a/>", b"PK\x03\x04", b"\x00" * 64, b"<a" * 5000]
)
def test_what_is_no_file_of_avails_is_unreadable(content: bytes) -> None:
    with pytest.raises(AvailsUnreadable):
        files.read(content)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 8000), st.binary(min_size=1, max_size=40))
def test_a_damaged_workbook_is_read_or_refused_and_never_a_bug(at: int, noise: bytes) -> None:
    content = sample("TPT-test_v1.9.xlsx")
    try:
        files.read(content[:at] + noise + content[at + len(noise) :])
    except Refusal as refused:
        assert refused.code.startswith("avails-")


@settings(max_examples=60, deadline=None)
@given(st.integers(40, 3000), st.binary(min_size=1, max_size=20))
def test_damaged_xml_is_read_or_refused_and_never_a_bug(at: int, noise: bytes) -> None:
    try:
        files.read(XML[:at] + noise + XML[at + len(noise) :])
    except Refusal as refused:
        assert refused.code.startswith("avails-")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_that_is_written_starts_a_formula(start: str) -> None:
    text = f'{start}HYPERLINK("http://x.test","click")'
    asset = Asset("Movie", "md:cid:x", (("TitleInternalAlias", text),))
    content = files.to_workbook(document(movie(assets=(asset,), licensor=text)))
    cells = [cell for row in load_workbook(BytesIO(content)).worksheets[0].rows for cell in row]
    assert {cell.data_type for cell in cells} <= {"s", "n"}
    assert not [
        cell.value
        for cell in cells
        if str(cell.value or "").startswith(("=", "+", "-", "@", "\t", "\r"))
    ]


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=40))
def test_a_quoted_cell_is_read_back_as_it_was(text: str) -> None:
    assert workbook.plain(workbook.harmless(text)) == text


@pytest.mark.parametrize("prefix", [True, False], ids=["with prefixes", "in a default namespace"])
def test_what_the_schema_forbids_is_told_at_its_path(prefix: bool) -> None:
    wrong = XML.replace(b"2019-10-31T23:59:59", b"some day", 2)
    if not prefix:
        wrong = wrong.replace(b"avails:", b"").replace(b"xmlns:avails=", b"xmlns=")
    found = [one for one in files.read(wrong).report.findings if one.code == "schema"]
    assert {one.place.path for one in found} == {
        "/AvailList/Avail[1]/Transaction[1]/End",
        "/AvailList/Avail[1]/Transaction[2]/End",
    }
