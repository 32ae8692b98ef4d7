import csv
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.iso7064 import mod_37_36

from contracts.parties.rules import BadUscc
from contracts.refusal import InvalidContent, Refusal
from contracts.works import identifiers
from contracts.works.forms import FORMS, PERMIT_KINDS
from contracts.works.identifiers import BadEidr, BadIdentifier, BadIsan, BadPermit
from tests.conftest import ROOT

HEX, BASE36 = "0123456789ABCDEF", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
VECTORS = ROOT / "tests" / "vectors" / "identifiers"


def rows(name: str) -> list[dict[str, str]]:
    with (VECTORS / name).open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


GOOD, FAULTY = rows("good.csv"), rows("faulty.csv")


def _named(row: dict[str, str]) -> str:
    return f"{row['kind']}: {row.get('what is wrong') or row['text']}"


def _fours(digits: str) -> str:
    return "-".join(digits[start : start + 4] for start in range(0, len(digits), 4))


def _eidr(digits: str) -> str:
    return f"10.5240/{_fours(digits)}-{mod_37_36.calc_check_digit(digits)}"


def _isan(digits: str) -> str:
    root, version = digits[:16], digits[16:]
    short = f"{_fours(root)}-{mod_37_36.calc_check_digit(root)}"
    if not version:
        return short
    return f"{short}-{_fours(version)}-{mod_37_36.calc_check_digit(digits)}"


eidrs = st.text(HEX, min_size=20, max_size=20).map(_eidr)
isans = st.one_of(
    st.text(HEX, min_size=16, max_size=16), st.text(HEX, min_size=24, max_size=24)
).map(_isan)


@pytest.mark.parametrize("row", GOOD, ids=_named)
def test_a_good_identifier_is_written_canonically(row: dict[str, str]) -> None:
    found = identifiers.check(row["kind"], f" {row['text']}\n")
    assert (found.kind, found.canonical) == (row["kind"], row["canonical"])
    assert identifiers.inspect(row["kind"], row["canonical"]) == []


@pytest.mark.parametrize("row", [row for row in GOOD if row["kind"] != "dci"], ids=_named)
def test_a_good_identifier_is_recognised(row: dict[str, str]) -> None:
    found = identifiers.recognise(row["text"])
    assert found is not None
    assert (found.kind, found.canonical) == (row["kind"], row["canonical"])


@pytest.mark.parametrize("row", FAULTY, ids=_named)
def test_a_faulty_identifier_is_refused_on_entry_and_doubted_on_import(row: dict[str, str]) -> None:
    with pytest.raises(Refusal) as told:
        identifiers.check(row["kind"], row["text"])
    assert told.value.data["fault"] == row["code"]
    assert [doubt.code for doubt in identifiers.inspect(row["kind"], row["text"])] == [row["code"]]
    found = identifiers.recognise(row["text"])
    assert found is None or found.kind != row["kind"]


def test_every_kind_has_good_and_faulty_vectors() -> None:
    assert {row["kind"] for row in GOOD} == set(FORMS) == {row["kind"] for row in FAULTY}


@pytest.mark.parametrize("kind", FORMS)
def test_the_example_of_every_form_is_canonical(kind: str) -> None:
    assert identifiers.check(kind, FORMS[kind].example).canonical == FORMS[kind].example


@pytest.mark.parametrize(
    ("kind", "refusal"),
    [
        ("eidr", BadEidr), ("isan", BadIsan), ("uscc", BadUscc), ("film-permit", BadPermit),
        ("patent", BadIdentifier), ("dci", BadIdentifier),
    ],
)  # fmt: skip
def test_each_kind_is_refused_with_its_own_code(kind: str, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        identifiers.check(kind, "")


def test_a_kind_that_there_is_not_is_refused() -> None:
    for verb in (identifiers.check, identifiers.inspect):
        with pytest.raises(InvalidContent):
            verb("upc", "0123")


@given(st.sampled_from(sorted(FORMS)), st.text(max_size=60))
def test_inspecting_never_refuses_and_agrees_with_checking(kind: str, text: str) -> None:
    doubts = [doubt for doubt in identifiers.inspect(kind, text) if doubt.code != "style"]
    try:
        identifiers.check(kind, text)
        good = True
    except Refusal:
        good = False
    assert good == (not doubts)


@given(st.one_of(eidrs, isans))
def test_what_is_recognised_is_its_own_canonical_writing(text: str) -> None:
    found = identifiers.recognise(text.lower())
    assert found is not None and found.canonical == text
    assert identifiers.recognise(found.canonical) == found


@given(eidrs, st.integers(0, 33), st.sampled_from(BASE36 + "-./"))
def test_any_single_changed_character_of_an_eidr_is_refused(
    eidr: str, place: int, letter: str
) -> None:
    if eidr[place] == letter:
        return
    with pytest.raises(BadEidr):
        identifiers.check("eidr", eidr[:place] + letter + eidr[place + 1 :])


@given(isans, st.integers(0, 32), st.sampled_from(BASE36 + "-"))
def test_any_single_changed_character_of_an_isan_is_refused(
    isan: str, place: int, letter: str
) -> None:
    if place >= len(isan) or isan[place] == letter:
        return
    with pytest.raises(BadIsan):
        identifiers.check("isan", isan[:place] + letter + isan[place + 1 :])


@given(st.text("0123456789", min_size=12, max_size=12), st.integers(0, 11), st.integers(1, 9))
def test_any_single_changed_digit_of_a_patent_number_is_refused(
    digits: str, place: int, by: int
) -> None:
    def checks(number: str) -> list[str]:
        return [
            end for end in "0123456789X" if not identifiers.inspect("patent", f"ZL{number}.{end}")
        ]

    changed = digits[:place] + str((int(digits[place]) + by) % 10) + digits[place + 1 :]
    assert len(checks(digits)) == len(checks(changed)) == 1
    assert checks(digits) != checks(changed)


def test_a_wrong_check_character_is_told_with_the_one_that_would_fit() -> None:
    (doubt,) = identifiers.inspect("eidr", "10.5240/485E-0E15-5AF1-A4C1-2DA6-X")
    assert "would be G" in doubt.said


def test_what_is_no_hexadecimal_digit_is_named() -> None:
    (doubt,) = identifiers.inspect("eidr", "10.5240/1489-49A2-3956-4B2D-BEFK-6")
    assert "not K." in doubt.said


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("10.5240/485E0E155AF1A4C12DA6G", "eidr"),
        ("485E-0E15-5AF1-A4C1-2DA6-G", "eidr"),
        ("0000-0001-8CFA-0000-A", "isan"),
        ("粤剧审字2021第1号", "tv-drama-permit"),
        ("总局网剧审字2021第1号", "online-permit"),
        ("电审字2019", "film-permit"),
        ("ZL2008", "patent"),
        ("9144030071526726XH", "uscc"),
        ("hello", None),
        ("", None),
    ],
)
def test_a_faulty_text_still_tells_what_it_was_meant_to_be(text: str, kind: str | None) -> None:
    assert identifiers.meant(text) == kind


@pytest.mark.parametrize("row", [row for row in GOOD if row["kind"] in PERMIT_KINDS], ids=_named)
def test_a_permit_is_kept_as_it_was_copied_and_named_in_chinese(row: dict[str, str]) -> None:
    number = identifiers.clean_permit(f" {row['text']} ")
    assert number == row["text"]
    assert identifiers.permit_of(number) == FORMS[row["kind"]].name_zh


@pytest.mark.parametrize("number", ["", "CN-A08-21-00001", "浙B2-20200368", "剧审字第1号"])
def test_a_number_of_no_permit_is_refused(number: str) -> None:
    with pytest.raises(BadPermit) as told:
        identifiers.clean_permit(number)
    assert "电影公映许可证" in told.value.data["known"]


@pytest.mark.parametrize("text", ["a" * 201, "a\u200bb", " "])
def test_a_dci_is_any_short_text_that_can_be_seen(text: str) -> None:
    with pytest.raises(BadIdentifier):
        identifiers.check("dci", text)


def test_the_parts_of_a_permit_have_names() -> None:
    parts: Any = identifiers.check("film-permit", "电审特（进）字[2020]第027号").groups
    assert dict(parts) == {"sort": "特(进)", "year": "2020", "number": "027"}
