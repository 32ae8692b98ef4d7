"""What a version of an offer says, in words, and in which of them it differs from another."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.deals import instalments, tiers
from contracts.money import Money, percent
from exchange.portal import said
from exchange.portal.language import Language, mark

MODELS: Mapping[str, str] = {
    "flat": mark("Fixed sum"),
    "instalments": mark("Fixed sum, in instalments"),
    "guarantee-share": mark("Guarantee and share"),
    "guarantee-tiers": mark("Guarantee and share by steps"),
    "per-run": mark("By the run"),
    "share": mark("Share alone (cannot be settled yet)"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that a version says; `before` is what the version before said, where it differs.

    `is_new` tells a thing that the version before did not speak of.
    """

    label: str
    text: str
    before: str = ""
    is_new: bool = False


def lines(
    content: Mapping[str, Any], before: Mapping[str, Any] | None, spoken: Language
) -> list[Line]:
    """Return what a version says, each line beside what the version before said instead."""
    now, then = _told(content, spoken), _told(before, spoken) if before else {}
    found = [
        Line(
            label, text, before=then.get(label, "") if then.get(label, text) != text else "",
            is_new=bool(then) and label not in then,
        )
        for label, text in now.items()
    ]  # fmt: skip
    gone = [Line(label, "–", before=text) for label, text in then.items() if label not in now]
    return [*found, *gone]


def price(content: Mapping[str, Any], work: Mapping[str, Any], spoken: Language) -> str:
    """Return the price of one work of an offer in words."""
    given, currency = work["price"], content["currency"]
    if content["model"] == "guarantee-share":
        return spoken.say(mark("%(sum)s guaranteed, %(share)s %% of net receipts")) % {
            "sum": spoken.amount(given["guarantee_minor"], currency),
            "share": percent(given["share_bp"]),
        }
    if content["model"] == "guarantee-tiers":
        return _by_steps(given, currency, spoken)
    if content["model"] == "per-run":
        return spoken.say(mark("%(sum)s for each run, %(count)s runs paid for at once")) % {
            "sum": spoken.amount(given["per_run_minor"], currency),
            "count": given["runs_paid"],
        }
    if content["model"] == "instalments":
        return _in_parts(given, currency, spoken)
    return spoken.amount(given["amount_minor"], currency)


def _in_parts(given: Mapping[str, Any], currency: str, spoken: Language) -> str:
    dues = instalments.dues(Money(given["amount_minor"], currency), instalments.read(given))
    one = spoken.say(mark("%(sum)s after %(days)s days"))
    parts = [
        one % {"sum": spoken.amount(due.amount.amount_minor, currency), "days": due.due_days}
        for due in dues
    ]
    told = spoken.say(mark("%(sum)s: %(parts)s; interest %(rate)s %% a year; security: %(held)s"))
    return told % {
        "sum": spoken.amount(given["amount_minor"], currency),
        "parts": ", ".join(parts),
        "rate": percent(given["rate_bp"]),
        "held": given["security"] or "–",
    }


def _by_steps(given: Mapping[str, Any], currency: str, spoken: Language) -> str:
    told = spoken.say(
        mark("%(sum)s guaranteed; fee %(fee)s %%, costs up to %(costs)s, then by steps: %(steps)s")
    )
    agreed = tiers.read(given)
    return told % {
        "sum": spoken.amount(given["guarantee_minor"], currency),
        "fee": percent(agreed.fee_bp),
        "costs": spoken.amount(agreed.costs_minor, currency),
        "steps": tiers.ladder(agreed, currency),
    }


def _told(content: Mapping[str, Any], spoken: Language) -> dict[str, str]:
    told = {spoken.say(mark("Way to pay")): spoken.say(MODELS[content["model"]])}
    if content.get("contract") == "package":
        told[spoken.say(mark("Contracts"))] = spoken.say(
            mark("one for all works: all rights or none")
        )
    for work in content["works"]:
        title = spoken.pick(work["title"]["zh"], work["title"]["en"])
        told[f"{title} · {spoken.say(mark('Price'))}"] = price(content, work, spoken)
        rights = [said.rights(wire, spoken)["sentence"] for wire in work["rights"]]
        for place, sentence in enumerate(rights, 1):
            told[f"{title} · {spoken.say(mark('Right'))} {place}"] = sentence
    told[spoken.say(mark("Binds until"))] = spoken.moment(content["expires_at"])
    return told
