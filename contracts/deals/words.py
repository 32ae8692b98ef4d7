"""Amounts in Chinese capital numerals (大写金额), as contracts and cheques write them.

Source: 支付结算办法 (中国人民银行), annex 1: 元 without 角 and 分 is closed with 整; zeros between
digits are written once.
Differs from the source: currencies other than the renminbi are written with the same units.
"""

from collections.abc import Mapping

from contracts.money import EXPONENTS, Money

DIGITS = "零壹贰叁肆伍陆柒捌玖"
PLACES = ("", "拾", "佰", "仟")
GROUPS = ("", "万", "亿", "万亿")
NAMES: Mapping[str, str] = {
    "CNY": "人民币", "HKD": "港元", "USD": "美元", "EUR": "欧元", "GBP": "英镑",
    "SGD": "新加坡元", "JPY": "日元", "KRW": "韩元", "KWD": "科威特第纳尔",
    "CHF": "瑞士法郎", "PLN": "波兰兹罗提", "SEK": "瑞典克朗",
}  # fmt: skip
FRACTIONS = "角分厘"


def in_chinese(money: Money) -> str:
    """Write a positive amount in capital numerals, e.g. `人民币壹佰贰拾万元整`."""
    places = EXPONENTS[money.currency]
    whole, rest = divmod(money.amount_minor, 10**places)
    fraction = str(rest).rjust(places, "0") if places else ""
    text = f"{_whole(whole)}元" if whole or not rest else ""
    text += _fraction(fraction, leading=bool(text))
    return NAMES[money.currency] + text + ("" if rest else "整")


def _whole(value: int) -> str:
    if value == 0:
        return DIGITS[0]
    text, gap = "", False
    for index in range(len(GROUPS) - 1, -1, -1):
        group = value // 10_000**index % 10_000
        if group == 0:
            gap = bool(text)
            continue
        if text and (gap or group < 1_000):
            text += DIGITS[0]
        text += _group(group) + GROUPS[index]
        gap = False
    return text


def _group(value: int) -> str:
    text, gap = "", False
    for index in range(3, -1, -1):
        digit = value // 10**index % 10
        if digit == 0:
            gap = bool(text)
            continue
        text += (DIGITS[0] if gap else "") + DIGITS[digit] + PLACES[index]
        gap = False
    return text


def _fraction(digits: str, *, leading: bool) -> str:
    text, gap = "", False
    for digit, unit in zip(digits, FRACTIONS, strict=False):
        if digit == "0":
            gap = bool(text) or leading
            continue
        text += (DIGITS[0] if gap else "") + DIGITS[int(digit)] + unit
        gap = False
    return text
