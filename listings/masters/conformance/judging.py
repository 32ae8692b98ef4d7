"""What every check is written with: its parameters, and the ways an outcome is made (pure)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Any

from listings.masters.conformance.values import Outcome, Result, Severity, Span, Subject, Wanted

UNSEEN = "–"


class Form(Enum):
    """How a parameter of a requirement is written."""

    NUMBER = "a whole number"
    TEXT = "a text"
    TEXTS = "texts joined by |"
    RATES = "fractions joined by |"


@dataclass(frozen=True, slots=True)
class Judge:
    """How a check decides, and which parameters it takes; those in `open` may be left out."""

    decide: Callable[[Wanted, Subject], Outcome]
    takes: Mapping[str, Form]
    open: frozenset[str] = frozenset()


def number(wanted: Wanted, name: str) -> int:
    """Return a parameter that is a whole number."""
    value = wanted[name]
    if not isinstance(value, int):
        raise TypeError(name)
    return value


def texts(wanted: Wanted, name: str) -> tuple[str, ...]:
    """Return a parameter that is a list of texts; nothing when it was left out."""
    value = wanted.get(name, ())
    if not isinstance(value, tuple):
        raise TypeError(name)
    return value


def text(wanted: Wanted, name: str) -> str:
    """Return a parameter that is a text."""
    return str(wanted[name])


def unmeasured(
    wanted: str, *, note: str | None = None, severity: Severity | None = None
) -> Outcome:
    """Say that nobody looked, or nobody could tell."""
    return Outcome(Result.NOT_MEASURED, wanted, UNSEEN, note=note, severity=severity)


def idle(wanted: str, seen: str = UNSEEN, *, note: str | None = None) -> Outcome:
    """Say that the check is not about this file."""
    return Outcome(Result.NOT_APPLICABLE, wanted, seen, note=note)


def either(good: bool, wanted: str, seen: str, **more: Any) -> Outcome:
    """Pass or fail."""
    return Outcome(Result.PASS if good else Result.FAIL, wanted, seen, **more)


def doubt(good: bool, wanted: str, seen: str, **more: Any) -> Outcome:
    """Pass or warn: for what points to a fault without proving it."""
    return Outcome(Result.PASS if good else Result.WARN, wanted, seen, **more)


def fraction(value: Any) -> Fraction | None:
    """Return a rate of the record ({num, den}) or of a profile (`50/1`); None when unknown."""
    if isinstance(value, str):
        top, _, bottom = value.partition("/")
        return Fraction(int(top), int(bottom or 1))
    if not value or not value.get("num") or not value.get("den"):
        return None
    return Fraction(value["num"], value["den"])


def fps(rate: Fraction) -> str:
    """Write a rate: 50, 59.94."""
    return decimal(rate.numerator * 100 // rate.denominator, 2)


def decimal(value: int, places: int) -> str:
    """Write an integer of hundredths (or the like) as a decimal without needless zeros."""
    sign, digits = "-" if value < 0 else "", str(abs(value)).rjust(places + 1, "0")
    tail = digits[-places:].rstrip("0")
    return f"{sign}{digits[:-places]}" + (f".{tail}" if tail else "")


def percent(share_bp: int) -> str:
    """Write a share in basis points."""
    return f"{decimal(share_bp, 2)} %"


def spans(value: Any) -> list[Span] | None:
    """Return intervals of the measures; None when they were not taken."""
    return None if value is None else [(int(each[0]), int(each[1])) for each in value]


def inside(found: Iterable[Span], wanted: Wanted, *, duration_ms: int) -> list[Span]:
    """Return what of the intervals lies in the programme and is long enough to count.

    The first `head_ms` and the last `tail_ms` are not the programme: leader, black, cards; of what
    is short, no more than a tenth each.
    """
    least, most = number(wanted, "least_ms"), duration_ms // 10
    head = min(number(wanted, "head_ms"), most)
    end = duration_ms - min(number(wanted, "tail_ms"), most)
    cut = [(max(start, head), min(stop, end)) for start, stop in found]
    return [(start, stop) for start, stop in cut if stop - start >= least]


def joined(instants: Sequence[int], *, step_ms: int) -> list[Span]:
    """Join instants that follow each other within a step into intervals."""
    made: list[Span] = []
    for at in sorted(instants):
        if made and at <= made[-1][1]:
            made[-1] = (made[-1][0], at + step_ms)
        else:
            made.append((at, at + step_ms))
    return made


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome of several tracks: a failure first, then what is unknown, then doubts."""
    order = (Result.FAIL, Result.UNSUPPORTED, Result.NOT_MEASURED, Result.WARN, Result.PASS)
    ranked = {result: at for at, result in enumerate(order)}
    chosen = min(outcomes, key=lambda each: ranked.get(each.result, len(order)))
    where = [span for each in outcomes if each.result is chosen.result for span in each.where]
    seen = "; ".join(each.seen for each in outcomes if each.seen)
    return Outcome(
        chosen.result, chosen.wanted, seen, where=sorted(where), note=chosen.note,
        severity=chosen.severity,
    )  # fmt: skip
