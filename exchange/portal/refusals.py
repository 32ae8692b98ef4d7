"""Refusals in words for people: title, sentence, hint, and the reasons that help them go on."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from contracts.money import EXPONENTS, Money
from contracts.refusal import Refusal
from exchange.portal import faults, said
from exchange.portal.language import ZONE, Language, mark

LABELS: Mapping[str, str] = {
    "least": mark("At least"),
    "most": mark("At most"),
    "left": mark("Left"),
    "account": mark("Account"),
    "work_title": mark("Title"),
    "seconds": mark("Seconds here / there"),
    "length_s": mark("Seconds long"),
    "confidence_bp": mark("How sure"),
    "listing": mark("Listing"),
    "owners": mark("Owners"),
    "parties": mark("Parties"),
    "needed": mark("Needed"),
    "known": mark("Known"),
    "allowed": mark("Allowed"),
    "earliest": mark("Earliest"),
    "latest": mark("Latest"),
    "overlap": mark("Overlap"),
    "missing": mark("Missing"),
    "state": mark("State"),
    "field": mark("Field"),
    "retry_after_s": mark("Seconds to wait"),
}

_NAMED = re.compile("`([a-z][a-z_]*)`")

# What an answer about availability says beside its reasons; pages show it in tables of their own.
OF_AN_ANSWER = frozenset(
    {"outcome", "reasons", "more_reasons", "free", "more_free", "unknown", "more_unknown"}
)

# What programs read of a likeness; the master's page shows it in tables.
OF_A_LIKENESS = frozenset({"case", "kind", "score", "sound_bp"})


def title(refusal: Refusal, spoken: Language) -> str:
    """Return what is refused, in one sentence."""
    words = (type(refusal).__doc__ or refusal.code).strip().splitlines()[0]
    return spoken.say_code(f"{refusal.code}.title", words)


def detail(refusal: Refusal, spoken: Language) -> str:
    """Return the sentence of this very refusal, where it says more than the title."""
    words = spoken.say(refusal.detail)
    translated = spoken.code == "en" or words != refusal.detail
    return words if translated and words != title(refusal, spoken) else ""


def hint(code: str, text: str, spoken: Language) -> str:
    """Return what the asker can do next."""
    return spoken.say_code(f"{code}.hint", text) if text else ""


def hint_of(refusal: Refusal, spoken: Language) -> str:
    """Return the hint of this very refusal: what it names of the data is written as on a page."""
    text = hint(refusal.code, refusal.hint, spoken)
    return _NAMED.sub(lambda found: _value(found[1], refusal.data, spoken) or found[0], text)


def _value(name: str, data: Mapping[str, Any], spoken: Language) -> str:
    return _text(name, data[name], data, spoken) if name in data else faults.label(name, spoken)


def reasons(refusal: Refusal, spoken: Language) -> Iterator[tuple[str, str]]:
    """Yield the reasons as (name, text); amounts are written as amounts."""
    data = refusal.data
    for error in data.get("errors", ()):
        if isinstance(error, Mapping):
            yield faults.said(error, spoken)
    yield from _of_an_answer(data, spoken)
    hidden = OF_AN_ANSWER | (OF_A_LIKENESS if "case" in data else set())
    for name in (name for name in data if name not in hidden):
        text = _text(name, data[name], data, spoken)
        if text:
            plain = name.removesuffix("_minor")
            share = name.endswith("_bp") and isinstance(data[name], int)
            yield spoken.say(LABELS.get(plain, plain)), f"{data[name] // 100} %" if share else text


def _of_an_answer(data: Mapping[str, Any], spoken: Language) -> Iterator[tuple[str, str]]:
    """Yield what stands in the way of rights: each reason, or where two grants meet."""
    for one in data.get("reasons", ()):
        if isinstance(one, Mapping) and "box" in one:
            yield spoken.pick(one["said_zh"], one["said_en"]), _where(one["box"], spoken)
    if isinstance(data.get("overlap"), Mapping):
        yield spoken.say(LABELS["overlap"]), _overlap(data["overlap"], spoken)


def _where(box: Mapping[str, Any], spoken: Language) -> str:
    """Return where and when a reason of an answer holds."""
    places = said.places(box["territories"], spoken)
    return f"{places} · {box['first_day']} – {box['last_day']}"


def _overlap(box: Mapping[str, Any], spoken: Language) -> str:
    """Return in which use two grants meet, in which territories, from which day to which."""
    start, end = (datetime.fromisoformat(box[edge]).astimezone(ZONE) for edge in ("start", "end"))
    media, places = said.media(box["media"], spoken), said.places(box["territories"], spoken)
    return f"{media} · {places} · {start:%Y-%m-%d %H:%M} – {end:%Y-%m-%d %H:%M}"


def _text(name: str, value: Any, data: Mapping[str, Any], spoken: Language) -> str:
    if isinstance(value, Money):
        return spoken.amount(value.amount_minor, value.currency)
    if isinstance(value, Mapping) and {"amount_minor", "currency"} <= value.keys():
        return spoken.amount(value["amount_minor"], value["currency"])
    if isinstance(value, Mapping) and {"zh", "en"} == value.keys():
        return spoken.pick(value["zh"], value["en"])
    if isinstance(value, Mapping) and {"here", "there"} == value.keys():
        return f"{value['here']} / {value['there']}"
    if name.endswith("_minor") and isinstance(value, int):
        currency = str(data.get("currency"))
        return spoken.amount(value, currency) if currency in EXPONENTS else spoken.number(value)
    if isinstance(value, (str, int)) and name != "currency":
        return str(value)
    if isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return ""
