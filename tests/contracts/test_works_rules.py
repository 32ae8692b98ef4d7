from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.iso7064 import mod_37_36

from contracts.refusal import InvalidContent, NotAllowed
from contracts.works import rules
from contracts.works.rules import BadEidr, BadIsan, BadPermit, BadYear, UnknownCountry
from tests.conftest import NOW

HEX, BASE36 = "0123456789ABCDEF", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
EIDRS = (
    "07A9-90F4-F212-704C-0523-9", "0430-3D62-36AF-39A0-CB23-8", "485E-0E15-5AF1-A4C1-2DA6-G",
    "E925-8313-CDAD-3F68-6EF1-H", "CB93-339B-33EA-F532-9428-X", "0F0D-F5BB-7583-3BB0-53D3-Q",
    "1F8A-97EA-F231-F392-84DB-I", "7791-8534-2C23-9030-8610-5",
)  # fmt: skip
ISANS = (
    "0000-0000-D07A-0090-Q-0000-0000-X", "1881-66C7-3420-6541-Y-9F3A-0245-O",
    "0000-0001-8CFA-0000-I-0000-0000-K", "0000-0001-8947-0000-8-0000-0000-D",
    "0000-0000-3A8D-0000-Z-0000-0000-6", "0000-0000-3A8D-0000-Z",
)  # fmt: skip


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


@pytest.mark.parametrize("number", EIDRS)
def test_a_registered_eidr_checks(number: str) -> None:
    assert rules.clean_eidr(f"10.5240/{number.lower()}") == f"10.5240/{number}"


@pytest.mark.parametrize("number", ISANS)
def test_a_registered_isan_checks(number: str) -> None:
    assert rules.clean_isan(number.lower()) == number


@given(eidrs, st.integers(0, 33), st.sampled_from(BASE36 + "-./"))
def test_any_single_changed_character_of_an_eidr_is_refused(
    eidr: str, place: int, letter: str
) -> None:
    if eidr[place] == letter:
        return
    with pytest.raises(BadEidr):
        rules.clean_eidr(eidr[:place] + letter + eidr[place + 1 :])


@given(isans, st.integers(0, 32), st.sampled_from(BASE36 + "-"))
def test_any_single_changed_character_of_an_isan_is_refused(
    isan: str, place: int, letter: str
) -> None:
    if place >= len(isan) or isan[place] == letter:
        return
    with pytest.raises(BadIsan):
        rules.clean_isan(isan[:place] + letter + isan[place + 1 :])


@pytest.mark.parametrize(
    "text",
    [
        "10.5240/485E-0E15-5AF1-A4C1-2DA6-X",  # another check character
        "10.5240/485E-0E15-5AF1-A4C1-2AD6-G",  # two digits change places
        "10.5240/1489-49A2-3956-4B2D-BEFK-6",  # K is no hexadecimal digit
        "10.5237/485E-0E15",  # a party, not a work
        "10.5240/485E0E155AF1A4C12DA6G",  # no hyphens
        "https://doi.org/10.5240/485E-0E15-5AF1-A4C1-2DA6-G",
        "",
    ],
)
def test_a_faulty_eidr_is_refused(text: str) -> None:
    with pytest.raises(BadEidr):
        rules.clean_eidr(text)


@pytest.mark.parametrize(
    "text",
    [
        "0000-0001-8CFA-0000-A-0000-0000-K",  # another first check character
        "0000-0000-8947-0000-8-0000-0000-D",  # another root
        "0000-0001-8CFA-0000-0000-0000",  # no check characters, which some readers accept
        "0000-0001-8CFA-0000",
        "0000-0001-8CFA-0000-I-0000-0000",  # no second check character
        "",
    ],
)
def test_a_faulty_isan_is_refused(text: str) -> None:
    with pytest.raises(BadIsan):
        rules.clean_isan(text)


@pytest.mark.parametrize(
    ("number", "permit"),
    [
        ("(粤)剧审字(2021)第001号", "国产电视剧发行许可证"),
        ("（广剧）剧审字（2018）第036号", "国产电视剧发行许可证"),
        ("(粤)动审字(2021)第001号", "国产电视动画片发行许可证"),
        ("(总局)网影审字(2022)第001号", "网络剧片发行许可证"),
        ("电审故字[2019]第800号", "电影公映许可证"),
        ("电审特(进)字[2020]第027号", "电影公映许可证"),
        ("电审故字〔2023〕第791号", "电影公映许可证"),
        ("国作登字-2021-I-00000001", "作品登记号"),
    ],
)
def test_a_permit_number_is_recognised_by_its_form(number: str, permit: str) -> None:
    assert rules.permit_of(rules.clean_permit(f" {number} ")) == permit


@pytest.mark.parametrize(
    "number",
    ["", "电审字2019第800号", "(粤)剧审字(1821)第001号", "剧审字第1号", "电审故字[2019]第800"],
)
def test_a_number_of_no_permit_is_refused(number: str) -> None:
    with pytest.raises(BadPermit):
        rules.clean_permit(number)


@given(st.integers(-10_000, 10_000))
def test_a_year_passes_exactly_between_its_ends(year: int) -> None:
    if 1888 <= year <= NOW.year + 5:
        rules.check_year(year, now=NOW)
    else:
        with pytest.raises(BadYear):
            rules.check_year(year, now=NOW)


def _fields(**change: Any) -> Any:
    return {
        "title_zh": "珠江之花", "title_en": "Flower", "kind": "film", "year": 2026, "country": "CN",
        "eidr": None, "isan": None, "permit_no": None, **change,
    }  # fmt: skip


def test_a_description_keeps_identifiers_in_capitals() -> None:
    given_ = rules.describe(_fields(eidr="10.5240/7791-8534-2c23-9030-8610-5"))
    assert given_.eidr == "10.5240/7791-8534-2C23-9030-8610-5"


def test_an_unknown_kind_or_country_is_refused() -> None:
    with pytest.raises(InvalidContent):
        rules.describe(_fields(kind="opera"))
    for country in ("XX", "cn", "EU", ""):
        with pytest.raises(UnknownCountry):
            rules.describe(_fields(country=country))


def test_the_title_hash_is_of_both_titles() -> None:
    one = rules.describe(_fields()).title_sha256()
    assert one != rules.describe(_fields(title_en="Blossom")).title_sha256()
    assert one == rules.describe(_fields(year=2027)).title_sha256()


def test_broadcasters_register_no_works() -> None:
    with pytest.raises(NotAllowed):
        rules.need_rights_holder("broadcaster")
