import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.deals import words
from contracts.money import EXPONENTS, MOST_MINOR, Money

VALUES = {digit: value for value, digit in enumerate("零壹贰叁肆伍陆柒捌玖")}
PLACES = {"拾": 10, "佰": 100, "仟": 1_000}
GROUPS = {"万亿": 10**12, "亿": 10**8, "万": 10**4}


def group(text: str) -> int:
    total, digit = 0, 0
    for sign in text:
        if sign in PLACES:
            total, digit = total + digit * PLACES[sign], 0
        else:
            digit = VALUES[sign]
    return total + digit


def whole(text: str) -> int:
    for name, worth in GROUPS.items():
        if name in text:
            left, _, right = text.partition(name)
            return group(left) * worth + whole(right)
    return group(text)


def read(text: str) -> Money:
    """Read an amount back the way a clerk does: by name, 元, and the coins after it."""
    currency = max(
        (code for code, name in words.NAMES.items() if text.startswith(name)),
        key=lambda code: len(words.NAMES[code]),
    )
    body = text.removeprefix(words.NAMES[currency]).removesuffix("整")
    before, _, after = body.partition("元") if "元" in body else ("", "", body)
    coins = 0
    for place, unit in enumerate("角分厘"[: EXPONENTS[currency]], start=1):
        if unit in after:
            number, _, after = after.partition(unit)
            coins += VALUES[number[-1]] * 10 ** (EXPONENTS[currency] - place)
    return Money(whole(before) * 10 ** EXPONENTS[currency] + coins, currency)


@given(st.integers(0, MOST_MINOR), st.sampled_from(sorted(EXPONENTS)))
def test_an_amount_in_words_reads_back_as_itself(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    assert read(words.in_chinese(money)) == money


@given(st.integers(0, MOST_MINOR))
def test_no_two_zeros_stand_together_and_whole_amounts_are_closed(minor: int) -> None:
    text = words.in_chinese(Money(minor, "CNY"))
    assert "零零" not in text
    assert text.endswith("整") == (minor % 100 == 0)


@pytest.mark.parametrize(
    ("minor", "text"),
    [
        (120_000_000, "人民币壹佰贰拾万元整"),
        (1, "人民币壹分"),
        (10, "人民币壹角"),
        (105, "人民币壹元零伍分"),
        (115, "人民币壹元壹角伍分"),
        (1_000, "人民币壹拾元整"),
        (100_500, "人民币壹仟零伍元整"),
        (1_000_050_000, "人民币壹仟万零伍佰元整"),
        (10_000_000_100, "人民币壹亿零壹元整"),
        (10_001_000_000, "人民币壹亿零壹万元整"),
        (0, "人民币零元整"),
    ],
)
def test_amounts_are_written_as_cheques_write_them(minor: int, text: str) -> None:
    assert words.in_chinese(Money(minor, "CNY")) == text
