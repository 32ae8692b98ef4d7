import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.parties import rules
from contracts.parties.rules import BadName, BadUscc, PartyNotVerified
from contracts.refusal import InvalidContent
from tests.contracts.parties_factory import code

LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
codes = st.integers(0, 31**9 - 1).map(code)


@given(codes)
def test_a_code_that_checks_is_kept(uscc: str) -> None:
    assert rules.clean_uscc(f" {uscc.lower()} ") == uscc


@given(codes, st.integers(0, 17), st.sampled_from(LETTERS))
def test_any_single_changed_character_of_a_code_is_refused(
    uscc: str, place: int, letter: str
) -> None:
    if uscc[place] == letter:
        return
    with pytest.raises(BadUscc):
        rules.clean_uscc(uscc[:place] + letter + uscc[place + 1 :])


@pytest.mark.parametrize(
    "text", ["", "91110000600037341", "91110000600037341LL", "91110000-600037341L"]
)
def test_a_code_of_the_wrong_form_is_refused(text: str) -> None:
    with pytest.raises(BadUscc):
        rules.clean_uscc(text)


def test_a_code_in_full_width_digits_is_refused() -> None:
    with pytest.raises(BadUscc):
        rules.clean_uscc("９1110000600037341L")


@given(st.text(max_size=300))
def test_a_cleaned_name_is_visible_normal_and_stays_as_it_is(text: str) -> None:
    try:
        name = rules.clean_name(text, field="name")
    except BadName:
        return
    assert unicodedata.is_normalized("NFC", name)
    assert rules.clean_name(name, field="name") == name
    assert 1 <= len(name) <= rules.LONGEST_NAME
    assert not {unicodedata.category(sign) for sign in name} & {"Cc", "Cf", "Cs", "Co"}


@given(st.text(alphabet="示范影视abc", min_size=1, max_size=20), st.integers(0, 20))
@pytest.mark.parametrize(
    "unseen", ["\u202e", "\u200b", "\u2066", "\x00", "\n", "\ufeff", "\u3164", "\u00a0", "\ue000"]
)
def test_a_character_that_cannot_be_seen_is_refused_inside_a_name(
    unseen: str, name: str, place: int
) -> None:
    cut = min(place, len(name))
    with pytest.raises(BadName) as refusal:
        rules.clean_name(f"一{name[:cut]}{unseen}{name[cut:]}一", field="name_zh")
    assert refusal.value.data["character"] == f"U+{ord(unseen):04X}"


def test_two_spellings_of_one_name_are_one_name() -> None:
    composed, decomposed = "Caf\u00e9", "Cafe\u0301"
    assert rules.clean_name(decomposed, field="name") == composed


@pytest.mark.parametrize("text", ["", "   ", "长" * 201])
def test_an_empty_or_endless_name_is_refused(text: str) -> None:
    with pytest.raises(BadName):
        rules.clean_name(text, field="name_zh")


def test_nobody_registers_as_the_exchange() -> None:
    with pytest.raises(InvalidContent):
        rules.organisation(kind="exchange", name_zh="某", name_en="Some", uscc=code(1))


def test_only_verified_parties_pass() -> None:
    rules.need_verified("verified")
    with pytest.raises(PartyNotVerified):
        rules.need_verified("registered")
