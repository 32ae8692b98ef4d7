"""The reasons of a comparison in words: what each side says on an axis (pure)."""

from contracts.odrl import moments, vocabulary
from contracts.odrl.denoting import CHANNEL, LANGUAGE, PURPOSE, SPATIAL, TIME, Sense
from contracts.odrl.extents import HIGH, LOW, Bits, Cut, Extent, Spans
from contracts.odrl.policy import Names, Rule
from contracts.odrl.vocabulary import CC, ODRL, UHDX
from contracts.rights import axes

MOST_SHOWN = 12
_AXES = {SPATIAL: axes.TERRITORIES, LANGUAGE: axes.LANGUAGES, CHANNEL: axes.MEDIA}
_SHORT = {ODRL: "", UHDX: "uhdx:", CC: "cc:"}


def short(iri: str) -> str:
    """Return a term without the namespaces that everybody knows."""
    for space, prefix in _SHORT.items():
        if iri.startswith(space):
            return prefix + iri[len(space) :]
    return iri


def names(things: Names | None) -> str:
    """Return what a party or an asset goes by."""
    if things is None:
        return "anybody"
    return ", ".join(sorted(things)) or "without a name"


def parties(rule: Rule) -> str:
    """Return who lets whom do, or keeps whom from doing, something."""
    kept = {True: " keeping others out", None: " perhaps keeping others out"}
    return f"{rule.modality.value}{kept.get(rule.keeps_out, '')} for {names(rule.assignee)}"


def rule(one: Rule) -> str:
    """Return a rule in a few words."""
    between = f"by {names(one.assigner)} to {names(one.assignee)}"
    return f"{one.modality.value} of {short(one.action)} {between}"


def outside(one: Rule) -> tuple[str, str, str]:
    """Return what a rule says of its parties, its target and its action."""
    return parties(one), names(one.target), short(one.action)


def extent(axis: str, found: Extent | None, sense: Sense) -> str:
    """Return what passes on an axis; the surely and the possibly, where they differ."""
    if found is None:
        return "anything"
    if found.inner.is_empty and found.outer.rest().is_empty:
        return "a condition that is not understood"
    inner, outer = _cut(axis, found.inner, sense), _cut(axis, found.outer, sense)
    return inner if inner == outer else f"between {inner} and {outer}"


def _cut(axis: str, cut: Cut, sense: Sense) -> str:
    if cut.is_empty:
        return "nothing"
    if cut.rest().is_empty:
        return "anything"
    if isinstance(cut, Spans):
        return " and ".join(_span(axis, *span) for span in cut.spans)
    return _listed(_codes(axis, cut.mask, sense)) if isinstance(cut, Bits) else ""


def _codes(axis: str, mask: int, sense: Sense) -> list[str]:
    if axis in _AXES:
        included, left_out = _AXES[axis].said(mask)
        return [*included, *(f"-{code}" for code in left_out)]
    every = sense.purposes if axis == PURPOSE else vocabulary.LICENSABLE
    return [name for place, name in enumerate(every) if mask >> place & 1]


def _listed(codes: list[str]) -> str:
    more = f" and {len(codes) - MOST_SHOWN} more" if len(codes) > MOST_SHOWN else ""
    return " ".join(codes[:MOST_SHOWN]) + more


def _span(axis: str, low: int, high: int) -> str:
    def bound(value: int) -> str:
        return moments.said(value) if axis == TIME else str(value)

    if low <= LOW:
        return f"before {bound(high)}"
    if high >= HIGH:
        return f"from {bound(low)} on"
    return f"from {bound(low)} until {bound(high)}" if axis == TIME else f"{low} to {high - 1}"
