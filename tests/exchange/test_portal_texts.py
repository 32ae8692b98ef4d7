"""The pages in two languages: nothing is left untranslated, amounts and times are written right."""

import re
import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.money import EXPONENTS, MOST_MINOR
from exchange.portal import language, said
from exchange.portal.language import Language, choose
from tests.exchange import portal_texts

ZH, EN = Language("zh-CN"), Language("en")


def test_every_text_of_the_templates_has_a_chinese_translation() -> None:
    assert portal_texts.texts_of_templates() - portal_texts.translated(language.CATALOGUE) == set()


def test_every_marked_text_of_the_modules_has_a_chinese_translation() -> None:
    assert portal_texts.texts_of_modules() - portal_texts.translated(language.CATALOGUE) == set()


def test_every_refusal_is_told_in_chinese() -> None:
    assert portal_texts.keys_of_refusals() - portal_texts.translated(language.REFUSALS) == set()


def test_no_translation_is_left_over() -> None:
    used = portal_texts.texts_of_templates() | portal_texts.texts_of_modules()
    assert portal_texts.translated(language.CATALOGUE) - used == set()


def test_a_translation_keeps_the_places_for_values() -> None:
    for message in language.read_catalogue(language.CATALOGUE):
        if message.id and "%(" in message.id:
            places = [part.split(")")[0] for part in message.id.split("%(")[1:]]
            assert all(f"%({place})s" in message.string for place in places), message.id


def test_a_translation_can_be_filled_in() -> None:
    for message in language.read_catalogue(language.CATALOGUE):
        if message.id:
            places = re.findall(r"%\((\w+)\)", message.string)
            assert message.string % dict.fromkeys(places, "1"), message.id


@pytest.mark.parametrize(
    ("code", "written"),
    [
        ("iban:DE26150000000000000001", "DE26150000000000000001"),
        ("cnaps:011100000003:1100123456789", "1100123456789 CNAPS 011100000003"),
    ],
)
def test_an_account_at_a_bank_is_written_as_banks_write_it(code: str, written: str) -> None:
    assert said.bank_account(code) == written


@given(minor=st.integers(-MOST_MINOR, MOST_MINOR), currency=st.sampled_from(sorted(EXPONENTS)))
def test_no_digit_of_an_amount_is_lost_in_either_language(minor: int, currency: str) -> None:
    for spoken in (ZH, EN):
        written = spoken.amount(minor, currency)
        digits = "".join(sign for sign in written if sign in string.digits)
        assert int(digits) == abs(minor)


@pytest.mark.parametrize(
    ("spoken", "text"), [(ZH, "¥1,200,000.00"), (EN, "CN¥1,200,000.00")], ids=["zh-CN", "en"]
)
def test_an_amount_is_written_as_the_language_writes_it(spoken: Language, text: str) -> None:
    assert spoken.amount(120_000_000, "CNY") == text


def test_a_time_is_written_in_the_time_of_the_seat() -> None:
    midnight = datetime(2026, 12, 31, 16, 0, tzinfo=UTC)
    assert "2027" in ZH.moment(midnight) and "2027" in EN.moment("2026-12-31T16:00:00Z")


@pytest.mark.parametrize(
    ("asked", "kept", "accepted", "code"),
    [
        ("en", "zh-CN", "zh-CN", "en"),
        (None, "en", "zh-CN,zh;q=0.9", "en"),
        (None, None, "zh-TW,zh;q=0.9,en;q=0.1", "zh-CN"),
        (None, None, "zh;q=0.2,en-US;q=0.8", "en"),
        (None, None, "fr,de;q=0.5", "zh-CN"),
        ("../../etc", "nonsense", "", "zh-CN"),
        (None, None, "en;q=x", "en"),
    ],
)
def test_the_address_goes_before_the_cookie_and_the_cookie_before_the_browser(
    asked: str | None, kept: str | None, accepted: str, code: str
) -> None:
    assert choose(asked, kept, accepted).code == code
