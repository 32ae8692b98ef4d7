import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.deals.terms import TextCannotBePrinted
from contracts.parties import confusables, rules
from contracts.parties.rules import ConfusableName
from contracts.works import rules as works
from tests.contracts.test_deals_terms import built, listed


@pytest.mark.parametrize(
    ("name", "signs"),
    [
        ("\u0430pple", "\u0430"),  # Cyrillic а
        ("Bei\u03bding", "\u03bd"),  # Greek ν
        ("\u0421\u0421\u0422V", "\u0421\u0422"),  # Cyrillic СС Т before V
        ("\u0421\u0421\u0421\u0420", "\u0421\u0420"),  # nothing but look-alikes
        ("广东\u0410\u0412\u0421传媒", "\u0410\u0412\u0421"),
        ("ＣＣＴＶ", "ＣＴＶ"),  # full-width
        ("\U0001d402CTV", "\U0001d402"),  # mathematical bold
        ("\u2fa6山影业", "\u2fa6"),  # the radical for 金
        ("ニ十世纪影业", "ニ"),  # katakana for 二
        ("\u0251lpha", "\u0251"),  # Latin alpha
    ],
)
def test_a_name_that_can_be_mistaken_is_refused_and_the_characters_are_named(
    name: str, signs: str
) -> None:
    with pytest.raises(ConfusableName) as refusal:
        rules.organisation(
            kind="broadcaster", name_zh="示范", name_en=name, uscc="91110000600037341L"
        )
    assert refusal.value.data["field"] == "name_en"
    named = refusal.value.data["characters"]
    assert named == [f"U+{ord(sign):04X} {unicodedata.name(sign)}" for sign in signs]


@pytest.mark.parametrize(
    "name",
    [
        "中央广播电视总台CCTV-4K", "唐人街探案Ⅱ", "カメラを止めるな！", "Война и мир", "Ωμέγα",
        "Naïve Dvořák", "α波与π", "H₂O：水", "한국방송공사 KBS", "𠮷野家䶮𬭎",
        "Кино (Cinema)", "3D 4K",
    ],
)  # fmt: skip
def test_names_of_one_alphabet_in_each_word_pass(name: str) -> None:
    assert rules.clear_name(name, field="name") == name


@pytest.mark.parametrize("field", ["title_zh", "title_en"])
def test_a_title_that_can_be_mistaken_is_refused(field: str) -> None:
    fields = works.WorkFields(
        title_zh="示范", title_en="Demo", kind="film", year=2026, country="CN",
        eidr=None, isan=None, permit_no=None,
    )  # fmt: skip
    fields[field] = "Dem\u043e"
    with pytest.raises(ConfusableName) as refusal:
        works.describe(fields)
    assert refusal.value.data["characters"] == ["U+043E CYRILLIC SMALL LETTER O"]


def test_terms_refuse_a_title_from_before_names_were_looked_at() -> None:
    with pytest.raises(TextCannotBePrinted) as refusal:
        built(listed(title={"zh": "示范", "en": "Dem\u043e"}))
    assert refusal.value.data["characters"] == ["U+043E CYRILLIC SMALL LETTER O"]


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_plain_letters_are_never_refused(text: str) -> None:
    assert confusables.found(text) == []


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF)))
def test_chinese_is_never_refused(text: str) -> None:
    assert confusables.found(text) == []


@given(st.text("abcXYZ", min_size=1), st.sampled_from("авеоруχνε"), st.text("abcXYZ", min_size=1))
def test_one_foreign_letter_in_a_word_is_always_found(before: str, sign: str, after: str) -> None:
    assert sign in confusables.found(before + sign + after)
