"""Answers of the availability engine in words, Chinese or English, for consoles."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contracts.rights import axes, vocabulary
from contracts.titles.explaining import OUTCOMES
from contracts.titles.judging import Outcome

Language = Literal["zh", "en"]
MOST_NAMED = 8  # more territories than this are told by a group
_HEADS = {
    "zh": ("权利", "地域", "语言", "首日", "末日", "作品"),
    "en": ("rights", "territories", "languages", "first day", "last day", "work"),
}
_SECTIONS = {
    "zh": {"free": "可授权", "unknown": "尚不能确定", "reasons": "原因", "more": "另有 {} 项",
           "why": "为何", "record": "记录"},
    "en": {"free": "Free", "unknown": "Not known yet", "reasons": "Why not all",
           "more": "and {} more", "why": "why", "record": "record"},
}  # fmt: skip
_COLOURS = {"free": "green", "partly": "yellow", "no": "red", "unknown": "yellow"}
_SEVERITIES = {"blocker": "red", "unknown": "yellow", "notice": "dim"}
_RECORDS = {
    "zh": {"grant": "授权", "encumbrance": "负担", "share": "共有份额", "work": "作品"},
    "en": {"grant": "grant", "encumbrance": "encumbrance", "share": "share", "work": "work"},
}


def say_answer(console: Console, told: Mapping[str, Any], language: Language) -> None:
    """Print an answer as `explaining.answer_out` returns it."""
    words, subject = _SECTIONS[language], _subject(told, language)
    said = OUTCOMES[Outcome(told["outcome"])][language == "en"]
    about = (escape(subject) + (": " if language == "en" else "：")) if subject else ""
    console.print(f"{about}[bold {_COLOURS[told['outcome']]}]{said}[/]")
    heads = _HEADS[language][: 5 if subject else 6]
    for part in ("free", "unknown"):
        if told[part]:
            table = _table(words[part], heads)
            for box in told[part]:
                table.add_row(*_cells(box, language)[: len(heads)])
            console.print(table)
            _say_more(console, told[f"more_{part}"], words)
    if told["reasons"]:
        console.print(_reasons(told["reasons"], heads, language))
        _say_more(console, told["more_reasons"], words)


def _subject(told: Mapping[str, Any], language: Language) -> str | None:
    """Return the one work that the whole answer is about, None where it is about several."""
    boxes = [*told["free"], *told["unknown"], *(reason["box"] for reason in told["reasons"])]
    titles = {_list((_work(part, language) for part in box["works"]), language) for box in boxes}
    return titles.pop() if len(titles) == 1 else None


def _reasons(
    reasons: Iterable[Mapping[str, Any]], heads: tuple[str, ...], language: Language
) -> Table:
    words = _SECTIONS[language]
    table = _table(words["reasons"], (words["why"], *heads, words["record"]))
    for reason in reasons:
        why = escape(str(reason[f"said_{language}"]))
        event = reason["about"].get("event")
        if event:
            why += escape(f" ({_name(vocabulary.EVENTS, event, language)})")
        colour = _SEVERITIES[reason["severity"]]
        table.add_row(f"[{colour}]{why}[/]", *_cells(reason["box"], language)[: len(heads)],
                      escape(_record(reason["record"], language)))  # fmt: skip
    return table


def _table(title: str, heads: Iterable[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold")
    return table


def _say_more(console: Console, more: int, words: Mapping[str, str]) -> None:
    if more:
        console.print(words["more"].format(more))


def _cells(box: Mapping[str, Any], language: Language) -> list[str]:
    rights = [
        f"{_name(vocabulary.RIGHTS, use['right'], language)}: "
        + _list((_name(vocabulary.OUTLETS, code, language) for code in use["media"]), language)
        for use in box["rights"]
    ]
    if len(rights) > 3:
        rights = [*rights[:3], _SECTIONS[language]["more"].format(len(rights) - 3)]
    cells = (
        "\n".join(rights),
        _places(box, language),
        _tongues(box["languages"], language),
        box["first_day"],
        box["last_day"],
        _list((_work(part, language) for part in box["works"]), language),
    )
    return [escape(str(cell)) for cell in cells]


def _places(box: Mapping[str, Any], language: Language) -> str:
    included, left_out = tuple(box["territories"]), tuple(box["excluded"])
    if len(included) > MOST_NAMED:
        included, left_out = _grouped(included)
    return _without(vocabulary.PLACES, included, left_out, language)


def _tongues(codes: Iterable[str], language: Language) -> str:
    """Return languages in words; of most languages, those that are left out."""
    included, left_out = axes.LANGUAGES.said(axes.LANGUAGES.mask(codes))
    return _without(vocabulary.TONGUES, included, left_out, language)


def _without(
    words: Mapping[str, Any], included: Iterable[str], left_out: Iterable[str], language: Language
) -> str:
    named = _list((_name(words, code, language) for code in included), language)
    without = _list((_name(words, code, language) for code in left_out), language)
    if not without:
        return named
    return f"{named}（不含{without}）" if language == "zh" else f"{named} without {without}"


@lru_cache(maxsize=256)
def _grouped(codes: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return territories by the group that says them in the fewest words, and what it lacks."""
    mask = axes.TERRITORIES.mask(codes)
    return min(_ways(mask), key=lambda way: len(way[0]) + len(way[1]), default=(codes, ()))


def _ways(mask: int) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    yield axes.TERRITORIES.codes(mask), ()
    groups = {group.code for group in vocabulary.GROUPS if group.code in vocabulary.PLACES}
    of_channels = {code for code in groups if code.startswith(("FOOTPRINT", "CN-SAT"))}
    for code in (*vocabulary.TERRITORIES, *sorted(groups - of_channels)):
        group = axes.TERRITORIES.mask([code])
        if group & mask:
            beyond = axes.TERRITORIES.codes(mask & ~group)
            yield (code, *beyond), axes.TERRITORIES.codes(group & ~mask)


def _work(part: Mapping[str, Any], language: Language) -> str:
    title = str(part[f"title_{language}"])
    if part["with_parts"]:
        return title
    return f"{title}（不含其各集）" if language == "zh" else f"{title} (not its parts)"


def _record(record: Mapping[str, Any] | None, language: Language) -> str:
    if record is None:
        return ""
    return f"{_RECORDS[language][record['kind']]} {record['id'] or ''}".strip()


def _name(words: Mapping[str, Any], code: str, language: Language) -> str:
    return str(getattr(words[code], language)) if code in words else code


def _list(names: Iterable[str], language: Language) -> str:
    return ("、" if language == "zh" else ", ").join(names)
