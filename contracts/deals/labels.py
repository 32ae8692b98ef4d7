"""The words of a right in a contract's table, in Chinese and English (pure)."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from contracts.rights import rules as rights
from contracts.rights import vocabulary, wording
from contracts.rights.vocabulary import Word
from contracts.rights.wording import Language

EXCLUSIVITY = {
    "exclusive": {"zh": "独占（专有）", "en": "exclusive"},
    "sole": {"zh": "排他（专有）", "en": "sole"},
    "non-exclusive": {"zh": "普通（非专有）", "en": "non-exclusive"},
}
EVERYWHERE = {"zh": "全球", "en": "the whole world"}
ANY_LANGUAGE = {"zh": "不限", "en": "any"}


def of_grant(wire: Mapping[str, Any], language: Language) -> dict[str, str]:
    """Return the cells of one granted right: right, media, territory, language, term and so on."""
    right = vocabulary.RIGHTS[wire["right"]]
    return {
        "right": _name(right, language),
        "item": str(right.number),
        "media": _join(_names(vocabulary.OUTLETS, wire["media"], language), language),
        "territory": territory(wire, language),
        "language": _languages(wire, language),
        "term": _term(wire, language),
        "exclusivity": _joined(
            EXCLUSIVITY[wire["exclusivity"]][language],
            wording.sublicence_name(rights.sublicence_depth(wire), language),
            language=language,
        ),
        "runs": _joined(
            _runs(wire.get("runs_max"), language),
            wording.round_name(rights.round_no(wire), language),
            language=language,
        ),
    }


def territory(wire: Mapping[str, Any], language: str) -> str:
    """Return the territories of a right, with what is left out of them."""
    codes = list(wire["territories"])
    everywhere = vocabulary.WORLD in codes
    named = _join(
        [EVERYWHERE[language]]
        if everywhere
        else _names(vocabulary.PLACES, map(vocabulary.territory, codes), language),
        language,
    )
    without = _names(
        vocabulary.PLACES, map(vocabulary.territory, wire.get("excluded") or ()), language
    )
    if not without:
        return named
    left_out = _join(without, language)
    return f"{named}（不含{left_out}）" if language == "zh" else f"{named} (without {left_out})"


def _joined(*parts: str, language: Language) -> str:
    return ("；" if language == "zh" else "; ").join(filter(None, parts))


def _name(word: Word, language: str) -> str:
    return word.zh if language == "zh" else word.en


def _names(words: Mapping[str, Word], codes: Iterable[str], language: str) -> list[str]:
    return [_name(words[code], language) for code in codes]


def _join(names: Iterable[str], language: str) -> str:
    return ("、" if language == "zh" else ", ").join(names)


def _languages(wire: Mapping[str, Any], language: str) -> str:
    codes = list(wire["languages"])
    if vocabulary.ANY_LANGUAGE in codes:
        return ANY_LANGUAGE[language]
    return _join(_names(vocabulary.TONGUES, map(vocabulary.language, codes), language), language)


def _term(wire: Mapping[str, Any], language: str) -> str:
    first, last = date.fromisoformat(wire["first_day"]), date.fromisoformat(wire["last_day"])
    if language == "zh":
        return f"{_day_zh(first)}至{_day_zh(last)}（含首末日，{wire['tz']}）"
    return f"{first.isoformat()} to {last.isoformat()} (both included, {wire['tz']})"


def _day_zh(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def _runs(most: int | None, language: str) -> str:
    if most is None:
        return "次数不限" if language == "zh" else "any number"
    return f"不超过{most}次" if language == "zh" else f"at most {most}"
