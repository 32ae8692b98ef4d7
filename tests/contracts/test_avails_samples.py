"""MovieLabs' own samples are read with exactly the errors and warnings that are stated for them."""

from collections import Counter

import pytest

from contracts.avails import files
from contracts.avails.findings import Finding, Severity
from contracts.avails.model import Document
from tests.contracts.avails_factory import sample

ALL = (
    "Avails_noErrors_v2.4.xml", "Avails_Volume_error_v2.5.xml", "TPT-test_v1.9.xlsx",
    "TPT-test_v1.9_v2.5.xml", "Movies_v1.7.2.xlsx", "Movies_v1.9.xlsx", "TV_v1.8.xlsx",
)  # fmt: skip
BAD_IDENTIFIERS = {
    "Movies_v1.7.2.xlsx": {"TitleID": 27, "EditID": 27, "ContentID": 27, "ReportingID": 1},
    "Movies_v1.9.xlsx": {
        "TitleID": 26, "EditID": 26, "ContentID": 26, "ALID": 26, "ReportingID": 2,
    },
    "TV_v1.8.xlsx": {
        "SeriesID": 38, "SeasonID": 38, "SeriesContentID": 38, "EpisodeTitleID": 34,
        "EpisodeID": 34, "EpisodeContentID": 28, "ReportingID": 1, "ALID": 1,
    },
}  # fmt: skip


def grave(name: str) -> list[Finding]:
    findings = files.read(sample(name)).report.findings
    return [one for one in findings if one.severity is not Severity.INFO]


@pytest.mark.parametrize(
    "name", ["Avails_noErrors_v2.4.xml", "TPT-test_v1.9.xlsx", "TPT-test_v1.9_v2.5.xml"]
)
def test_a_sample_without_errors_has_none_and_no_warnings(name: str) -> None:
    assert grave(name) == []


def test_the_volumes_that_overlap_are_three_errors_and_no_warning() -> None:
    report = files.read(sample("Avails_Volume_error_v2.5.xml")).report
    assert (report.errors, report.warnings) == (3, 0)
    assert [
        (one.code, one.column, one.place.path) for one in grave("Avails_Volume_error_v2.5.xml")
    ] == [
        ("vocabulary", "VolumeStatus", "/AvailList/Avail[5]/Asset[1]"),
        ("volume-overlap", "VolumeFirstEpisodeNumber", "/AvailList/Avail[7]/Asset[1]"),
        ("volume-overlap", "VolumeFirstEpisodeNumber", "/AvailList/Avail[7]/Asset[1]"),
    ]


@pytest.mark.parametrize("name", BAD_IDENTIFIERS)
def test_a_sample_workbook_has_no_error_and_warns_of_each_identifier(name: str) -> None:
    report = files.read(sample(name)).report
    warned = Counter(one.column for one in grave(name) if one.code == "bad-eidr")
    assert report.errors == 0
    assert dict(warned) == BAD_IDENTIFIERS[name]


def test_a_warning_names_row_and_column() -> None:
    warned = [one for one in grave("Movies_v1.9.xlsx") if one.place.row == 12]
    assert {one.column: one.data["value"] for one in warned} == {
        "TitleID": "10.5240/1489-49A2-3956-4B2D-BEFK-7",
        "EditID": "10.5240/1489-49A2-3956-4B2D-FE16-A",
        "ContentID": "md:cid:eidr-s:1489-49A2-3956-4B2D-FE16-A",
        "ALID": "md:alid:eidr-s:1489-49A2-3956-4B2D-FE16-A",
    }
    assert {one.place.sheet for one in warned} == {"Template-Movies"}


def test_the_rows_of_the_series_that_lack_an_identifier_are_told() -> None:
    others = [one for one in grave("TV_v1.8.xlsx") if one.code != "bad-eidr"]
    assert [(one.code, one.place.row, one.column) for one in others] == [
        ("required-id", 6, "EpisodeContentID"),
        ("required-id", 7, "EpisodeContentID"),
        ("required-id", 24, "ALID"),
        ("required-id", 25, "ALID"),
    ]


def test_a_workbook_and_its_xml_are_one_document() -> None:
    by_sheet = files.read(sample("TPT-test_v1.9.xlsx")).document
    by_xml = files.read(sample("TPT-test_v1.9_v2.5.xml")).document
    assert by_sheet == by_xml
    assert by_sheet != Document(())


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("version", ["2.4", "2.5", "2.6", "2.6.1", "2.7"])
def test_a_sample_written_as_xml_of_any_version_is_the_same_document(
    name: str, version: str
) -> None:
    read = files.read(sample(name)).document
    again = files.read(files.to_xml(read, version=version)).document
    assert again == read
    assert again.version == version


@pytest.mark.parametrize("name", ALL)
def test_a_sample_written_as_a_workbook_offers_the_same(name: str) -> None:
    read = files.read(sample(name)).document
    again = files.read(files.to_workbook(read)).document
    offers = [avail.transactions for avail in read.avails]
    assert [avail.transactions for avail in again.avails] == offers


def test_every_finding_says_what_and_how_in_both_languages() -> None:
    said = [
        text
        for name in ALL
        for one in files.read(sample(name)).report.findings
        for text in (one.message("zh"), one.message("en"), one.fix("zh"), one.fix("en"))
    ]
    assert all(text and "{" not in text for text in said)
