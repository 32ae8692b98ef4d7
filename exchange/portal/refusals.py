"""Refusals in words for people: title, sentence, hint, and the reasons that help them go on."""

from collections.abc import Iterator, Mapping
from typing import Any

from contracts.money import EXPONENTS, Money
from contracts.refusal import Refusal
from exchange.portal.language import Language, mark

LABELS: Mapping[str, str] = {
    "least": mark("At least"),
    "most": mark("At most"),
    "title": mark("Title"),
    "seconds": mark("Seconds here / there"),
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


def title(refusal: Refusal, spoken: Language) -> str:
    """Return what is refused, in one sentence."""
    said = (type(refusal).__doc__ or refusal.code).strip().splitlines()[0]
    return spoken.say_code(f"{refusal.code}.title", said)


def detail(refusal: Refusal, spoken: Language) -> str:
    """Return the sentence of this very refusal, where it says more than the title."""
    said = spoken.say(refusal.detail)
    translated = spoken.code == "en" or said != refusal.detail
    return said if translated and said != title(refusal, spoken) else ""


def hint(code: str, text: str, spoken: Language) -> str:
    """Return what the asker can do next."""
    return spoken.say_code(f"{code}.hint", text) if text else ""


def reasons(refusal: Refusal, spoken: Language) -> Iterator[tuple[str, str]]:
    """Yield the reasons as (name, text); amounts are written as amounts."""
    data = refusal.data
    for error in data.get("errors", ()):
        if isinstance(error, Mapping):
            yield str(error.get("field", "")), str(error.get("rule", ""))
    for name, value in data.items():
        text = _text(name, value, data, spoken)
        if text:
            plain = name.removesuffix("_minor")
            yield spoken.say(LABELS.get(plain, plain)), text


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
