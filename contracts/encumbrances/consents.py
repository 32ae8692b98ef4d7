"""Consents: a beneficiary lets others be in a box, and what is left of its burden (pure).

Source: 民法典 art. 444 ¶2 for pledges; a waiver (放弃) by whoever an option, a first refusal, a
holdback or a mandate serves works the same way.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from contracts.encumbrances import moments, rules
from contracts.encumbrances.moments import FOREVER
from contracts.encumbrances.rules import Burden
from contracts.rights.logic import Span
from contracts.window import BadWindow

_AXES = ("uses", "territories", "languages")


@dataclass(frozen=True, slots=True)
class Consent:
    """A box in which a beneficiary lets others be: masks, and two instants."""

    uses: int
    territories: int
    languages: int
    start: datetime
    end: datetime


def consent_of(wire: Mapping[str, Any]) -> Consent:
    """Return the box of a consent, which names two days.

    Raises:
        BadWindow: the window is counted from an event, or has no end.
        and those of `resolve`.
    """
    terms = rules.resolve(wire)
    span = terms.when.span({})
    start, end = span.start_latest, span.end_latest
    if not span.is_fixed or start is None or end in (None, FOREVER):
        raise BadWindow("A consent is given from one day to another.")
    return Consent(terms.uses, terms.territories, terms.languages, start, end)


def without(burden: Burden, consents: Iterable[Consent]) -> list[Burden]:
    """Return what is left of a burden where its beneficiary consented; nothing of it twice."""
    left = [burden]
    for consent in consents:
        left = [piece for one in left for piece in _cut(one, consent)]
    return left


def _cut(burden: Burden, consent: Consent) -> list[Burden]:
    """Return the disjoint parts of a burden outside a consent, one axis after the other."""
    span = burden.span
    if not _touches(burden, consent):
        return [burden]
    inner = replace(burden, span=_between(span, consent.start, consent.end))
    pieces = [
        replace(burden, span=replace(span, end_earliest=_sooner(span.end_earliest, consent.start),
                                     end_latest=_at_most(span.end_latest, consent.start))),
        replace(burden, span=replace(span, start_earliest=_at_least(span.start_earliest,
                                                                    consent.end),
                                     start_latest=_later(span.start_latest, consent.end))),
    ]  # fmt: skip
    for axis in _AXES:
        held, agreed = getattr(inner, axis), getattr(consent, axis)
        pieces.append(replace(inner, **{axis: held & ~agreed}))
        inner = replace(inner, **{axis: held & agreed})
    return [piece for piece in pieces if not _is_nothing(piece)]


def _touches(burden: Burden, consent: Consent) -> bool:
    axes_meet = all(getattr(burden, axis) & getattr(consent, axis) for axis in _AXES)
    return axes_meet and not moments.is_never(_between(burden.span, consent.start, consent.end))


def _between(span: Span, start: datetime, end: datetime) -> Span:
    return Span(
        _at_least(span.start_earliest, start),
        _later(span.start_latest, start),
        _sooner(span.end_earliest, end),
        _at_most(span.end_latest, end),
    )


# An earliest bound of None lies before everything, a latest one after everything.
def _at_least(earliest: datetime | None, other: datetime) -> datetime:
    return other if earliest is None else max(earliest, other)


def _later(latest: datetime | None, other: datetime) -> datetime | None:
    return None if latest is None else max(latest, other)


def _sooner(earliest: datetime | None, other: datetime) -> datetime | None:
    return None if earliest is None else min(earliest, other)


def _at_most(latest: datetime | None, other: datetime) -> datetime:
    return other if latest is None else min(latest, other)


def _is_nothing(burden: Burden) -> bool:
    held = burden.uses and burden.territories and burden.languages
    return not held or moments.is_never(burden.span)
