"""What a person declares of a master, and the checks that rest on it: C01 to C03 (pure).

Source: GY/T 357-2021 cl. 5 (timings), 6.5-6.6 (statements); GY/T 364-2023 cl. 5.6 (versions).
"""

from collections.abc import Mapping
from typing import Any

from contracts.refusal import Kind, Refusal
from listings.masters.conformance.judging import (
    Form,
    Judge,
    decimal,
    either,
    idle,
    number,
    unmeasured,
)
from listings.masters.conformance.values import Outcome, Subject, Wanted

MOST_MS = 24 * 3600 * 1000
# What is timed, and whether the standard gives a least or a most.
TIMES: Mapping[str, str] = {
    "feature_ms": "least", "head_ms": "most", "tail_ms": "most", "permit_card_ms": "least",
    "title_card_ms": "least", "production_permit_ms": "least", "repeat_ms": "most",
    "recap_ms": "most", "preview_ms": "most",
}  # fmt: skip
STATEMENTS = ("copyright_statement", "exclusivity_statement")
VERSIONS = ("clean_feed", "textless", "music_and_effects", "subtitle_files")
FLAGS = ("drama", *STATEMENTS, *VERSIONS, "subtitle_safe", "burnt_in_logo", "imf", "imf_valid")
RATIO = "active_ratio_x100"
KNOWN = (*TIMES, *FLAGS, RATIO)


class BadDeclaration(Refusal):
    """What was declared of a master has an unknown name or a value out of range."""

    kind, code = Kind.INVALID, "bad-declaration"
    hint = "Declare only names in `known`: times in whole milliseconds, the others true or false."


def checked(declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was declared, without what was left open.

    Raises:
        BadDeclaration: an unknown name, or a value of the wrong kind or out of range.
    """
    kept = {name: value for name, value in declared.items() if value is not None}
    for name, value in kept.items():
        if name not in KNOWN:
            raise BadDeclaration(f"Nothing called {name[:60]} can be declared.", known=list(KNOWN))
        if name in FLAGS:
            good = isinstance(value, bool)
        else:
            whole = isinstance(value, int) and not isinstance(value, bool)
            good = whole and (100 <= value <= 400 if name == RATIO else 0 <= value <= MOST_MS)
        if not good:
            raise BadDeclaration(f"{name} is out of range or of another kind.", known=list(KNOWN))
    return kept


def _timings(wanted: Wanted, subject: Subject) -> Outcome:
    """C01: a drama's parts, each within its time; a part not declared leaves the rest open."""
    limits = {name: number(wanted, f"{sense}_{name}") for name, sense in TIMES.items()}
    signs = {"least": "≥", "most": "≤"}
    asked = ", ".join(
        f"{name[:-3]} {signs[TIMES[name]]} {decimal(limit, 3)} s" for name, limit in limits.items()
    )
    if subject.declared.get("drama") is False:
        return idle(asked)
    told = {name: subject.declared[name] for name in TIMES if name in subject.declared}
    bad = [name for name, value in told.items() if _breaks(name, value, limits[name])]
    if bad:
        seen = ", ".join(f"{name[:-3]} {decimal(told[name], 3)} s" for name in bad)
        return either(False, asked, seen)
    return either(True, asked, "✓") if len(told) == len(TIMES) else unmeasured(asked)


def _breaks(name: str, value: int, limit: int) -> bool:
    return value < limit if TIMES[name] == "least" else value > limit


def _all(names: tuple[str, ...]) -> Judge:
    """Return the judge of statements that must all be there."""

    def decide(_: Wanted, subject: Subject) -> Outcome:
        asked = ", ".join(names)
        told = {name: subject.declared.get(name) for name in names}
        lacking = [name for name, value in told.items() if value is False]
        if lacking:
            return either(False, asked, "− " + ", ".join(lacking))
        return unmeasured(asked) if None in told.values() else either(True, asked, "✓")

    return Judge(decide, {})


JUDGES: Mapping[str, Judge] = {
    "C01": Judge(_timings, {f"{sense}_{name}": Form.NUMBER for name, sense in TIMES.items()}),
    "C02": _all(STATEMENTS),
    "C03": _all(VERSIONS),
}
