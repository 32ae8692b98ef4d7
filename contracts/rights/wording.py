"""The words of a grant: one sentence in Chinese or English for contract and pages.

Source: 著作权法 (2020) art. 26 ¶2 (right, exclusivity, territory and term must be named).
"""

import json
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from contracts.rights import axes, rules, vocabulary
from contracts.rights.algebra import Exclusivity, RightsBox

Language = Literal["zh", "en"]

_EXCLUSIVITY = {
    "zh": {
        Exclusivity.EXCLUSIVE: "独占许可（专有，许可方自己亦不得使用）",
        Exclusivity.SOLE: "排他许可（专有，许可方保留自己使用的权利）",
        Exclusivity.NON_EXCLUSIVE: "普通许可（非专有）",
    },
    "en": {
        Exclusivity.EXCLUSIVE: "exclusive (独占: the licensor itself is excluded)",
        Exclusivity.SOLE: "sole (排他: the licensor keeps its own use)",
        Exclusivity.NON_EXCLUSIVE: "non-exclusive (普通)",
    },
}
_ITEMS = "一二三四五六七八九十"
# Territories whose mention trade usage expects beside the mainland: 不含港澳台.
_BESIDE = ("HK", "MO", "TW")


def wording(box: RightsBox, language: Language, *, zone: str = "Asia/Shanghai") -> str:
    """Return the grant as a sentence; its days, both included, are those of `zone`."""
    tz = ZoneInfo(zone)
    first = box.window.start.astimezone(tz).date()
    last = (box.window.end - timedelta(microseconds=1)).astimezone(tz).date()
    return (
        _chinese(box, first, last, zone) if language == "zh" else _english(box, first, last, zone)
    )


def wording_of(wire: Mapping[str, Any], language: Language) -> str:
    """Return an offer from the wire as a sentence, in its own time zone."""
    return _said(json.dumps(wire, default=str), language)


@lru_cache(maxsize=4096)
def _said(written: str, language: Language) -> str:
    """Word an offer once: pages of the catalogue say the same ones again and again."""
    wire = json.loads(written)
    sentence = wording(rules.resolve(wire), language, zone=wire["tz"])
    agreed = (round_name(rules.round_no(wire), language),
              sublicence_name(rules.sublicence_depth(wire), language))  # fmt: skip
    join = "，" if language == "zh" else ", "
    return join.join((sentence[:-1], *filter(None, agreed))) + sentence[-1]


def round_name(number: int | None, language: Language) -> str:
    """Return a round (轮次) in words, 首轮 for 1; empty where none is agreed."""
    if number is None:
        return ""
    words = {word.number: word for word in vocabulary.ROUNDS.values()}
    if number in words:
        return words[number].zh if language == "zh" else words[number].en
    return f"第{number}轮" if language == "zh" else f"run no. {number}"


def sublicence_name(depth: int, language: Language) -> str:
    """Return in words how many times over rights may be licensed on; empty for not at all."""
    if depth == 0:
        return ""
    if language == "zh":
        return f"可转授权（至多{depth}层）"
    return f"with leave to sub-license, at most {depth} deep"


def _chinese(box: RightsBox, first: date, last: date, zone: str) -> str:
    right = vocabulary.RIGHTS[box.right]
    media = "、".join(_names(vocabulary.OUTLETS, axes.MEDIA.codes(box.media), "zh"))
    runs = "播出次数不限" if box.runs_max is None else f"播出不超过{box.runs_max}次"
    return (
        f"{right.zh}（《著作权法》第十条第一款第（{_item(right.number)}）项）：以{media}方式，"
        f"在{_territories(box, 'zh')}，{_languages(box, 'zh')}，"
        f"自{_day_zh(first)}起至{_day_zh(last)}止（含首尾两日，{zone}），"
        f"{_EXCLUSIVITY['zh'][box.exclusivity]}，{runs}。"
    )


def _english(box: RightsBox, first: date, last: date, zone: str) -> str:
    right = vocabulary.RIGHTS[box.right]
    media = ", ".join(_names(vocabulary.OUTLETS, axes.MEDIA.codes(box.media), "en"))
    runs = "any number of runs" if box.runs_max is None else f"at most {box.runs_max} runs"
    return (
        f"The {right.en} (Copyright Law of the PRC, art. 10(1)({right.number})), by {media}, "
        f"in {_territories(box, 'en')}, {_languages(box, 'en')}, from {first.isoformat()} to "
        f"{last.isoformat()} (both days included, {zone}), "
        f"{_EXCLUSIVITY['en'][box.exclusivity]}, {runs}."
    )


def _names(words: Mapping[str, Any], codes: Iterable[str], language: Language) -> list[str]:
    return [getattr(words[code], language) for code in codes]


def _territories(box: RightsBox, language: Language) -> str:
    included, left_out = axes.TERRITORIES.said(box.territories)
    missing = left_out or _beside(box.territories)
    join = "、" if language == "zh" else ", "
    named = join.join(_names(vocabulary.PLACES, included, language))
    without = join.join(_names(vocabulary.PLACES, missing, language))
    if language == "zh":
        return named + (f"（不含{without}）" if missing else "")
    return named + (f" (without {without})" if missing else "")


def _beside(territories: int) -> tuple[str, ...]:
    mainland = axes.TERRITORIES.mask(["CN"])
    if territories & mainland != mainland:
        return ()
    return tuple(code for code in _BESIDE if not territories & axes.TERRITORIES.mask([code]))


def _languages(box: RightsBox, language: Language) -> str:
    if box.languages == axes.LANGUAGES.all:
        return "语言不限" if language == "zh" else "in any language"
    names = _names(vocabulary.TONGUES, axes.LANGUAGES.codes(box.languages), language)
    return "语言为" + "、".join(names) if language == "zh" else "in " + ", ".join(names)


def _day_zh(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def _item(number: int) -> str:
    tens, ones = divmod(number, 10)
    return ("十" if tens else "") + (_ITEMS[ones - 1] if ones else "")
