"""Whether two policies collide: a rule of one against each rule of the other, axis by axis (pure).

Two rules collide where a permission (or an obligation) meets a prohibition of the same party, or
where a permission that keeps others out (独占, 排他) meets one for another party, provided that
they share an action, a target and a use on every axis. Each question is answered yes, no or not
known, and the answers are joined by strong Kleene logic: one axis apart settles it whatever else is
unknown, and what is unknown never makes a conflict.

Source: W3C ODRL Information Model 2.2 §2.6 and §2.7, with `prohibit` as the one strategy.
Differs from the source: the model does not say when two policies conflict; exclusivity is a term of
our profile, or a duty `ensureExclusivity`; duties of a permission count as fulfilled.
"""

from dataclasses import dataclass
from itertools import islice, product
from typing import Any

from contracts.odrl import denoting, describing, extents, vocabulary
from contracts.odrl.denoting import Sense
from contracts.odrl.extents import Box, Boxes, Extent
from contracts.odrl.policy import Modality, Names, Policy, Rule
from contracts.rights import logic
from contracts.rights.logic import Verdict

MOST_REASONS = 20
MOST_BOXES = 150  # of one policy: 22,500 pairs of boxes are compared within a second
MOST_SHOWN = 1_000  # pairs of boxes that are looked through for words


@dataclass(frozen=True, slots=True)
class Finding:
    """One axis of two rules: whether they meet on it, and what each says of it."""

    axis: str
    verdict: Verdict
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Two rules in words, one of each policy, and the axes that decided."""

    verdict: Verdict
    first: str
    second: str
    axes: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The verdict on two policies, and why."""

    verdict: Verdict
    reasons: tuple[Reason, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as plain JSON values."""
        return {
            "verdict": self.verdict.value,
            "reasons": [
                {
                    "verdict": reason.verdict.value,
                    "rules": [reason.first, reason.second],
                    "axes": [
                        {
                            "axis": finding.axis,
                            "verdict": finding.verdict.value,
                            "values": [finding.first, finding.second],
                        }
                        for finding in reason.axes
                    ],
                }
                for reason in self.reasons
            ],
        }


@dataclass(frozen=True, slots=True)
class _Side:
    """A rule and what it lets through."""

    rule: Rule
    boxes: Boxes


def compare(first: Policy, second: Policy) -> Comparison:
    """Return whether two policies collide: CONFLICT, COMPATIBLE or UNKNOWN, with the reasons.

    The verdict is the same whichever comes first. The reasons are those of the verdict: the pairs
    of rules that collide; else those of which it is not known; else what keeps them apart.
    """
    sense = Sense((first, second))
    sides = product(_sides(first, sense), _sides(second, sense))
    pairs = [(one, other) for one, other in sides if _face(one.rule, other.rule)]
    each = [_judged(one, other, sense) for one, other in pairs]
    verdict = logic.either(*each)
    if not (first.whole and second.whole) and verdict is Verdict.COMPATIBLE:
        gap = Finding("inheritFrom", Verdict.UNKNOWN, _whole(first), _whole(second))
        return Comparison(gap.verdict, (Reason(gap.verdict, first.uid, second.uid, (gap,)),))
    deciding = [pair for pair, known in zip(pairs, each, strict=True) if known is verdict]
    told = (_reason(*pair, verdict, sense) for pair in deciding[:MOST_REASONS])
    return Comparison(verdict, tuple(told))


def _sides(policy: Policy, sense: Sense) -> list[_Side]:
    """Return the rules with their boxes; beyond the bound, boxes that say nothing."""
    sides, count = [], 0
    for rule in policy.rules:
        boxes = denoting.boxes_of(rule, sense)
        count += len(boxes)
        sides.append(_Side(rule, boxes if count <= MOST_BOXES else extents.dark("logic")))
    return sides


def _face(a: Rule, b: Rule) -> bool:
    """Tell whether the kinds of two rules can collide at all."""
    if a.modality is b.modality is Modality.PERMISSION:
        return a.keeps_out is not False or b.keeps_out is not False
    return (a.modality is Modality.PROHIBITION) != (b.modality is Modality.PROHIBITION)


def _judged(a: _Side, b: _Side, sense: Sense) -> Verdict:
    outside = logic.both(*_outside(a.rule, b.rule, sense))
    return outside if outside is Verdict.COMPATIBLE else logic.both(outside, _meeting(a, b))


def _outside(a: Rule, b: Rule, sense: Sense) -> tuple[Verdict, Verdict, Verdict]:
    """Return whether two rules meet in their parties, targets and actions."""
    return _parties(a, b), _target(a, b, sense), _action(a, b, sense)


def _reason(a: _Side, b: _Side, verdict: Verdict, sense: Sense) -> Reason:
    """Return a verdict with the axes that bear it."""
    names = zip(("parties", "target", "action"), _outside(a.rule, b.rule, sense), strict=True)
    words = zip(describing.outside(a.rule), describing.outside(b.rule), strict=True)
    found = [Finding(name, known, *said) for (name, known), said in zip(names, words, strict=True)]
    found += _telling(a, b, verdict, sense)
    axes = tuple(finding for finding in found if finding.verdict is verdict)
    return Reason(verdict, describing.rule(a.rule), describing.rule(b.rule), axes)


def _parties(a: Rule, b: Rule) -> Verdict:
    if a.modality is b.modality:
        return logic.either(_shut_out(a, b), _shut_out(b, a))
    return _bound(a, b) if a.modality is Modality.PROHIBITION else _bound(b, a)


def _shut_out(keeper: Rule, other: Rule) -> Verdict:
    """Tell whether an exclusive permission shuts the other one's assignee out.

    It does not shut out whom it was granted to or by (the grantor's own title), nor whom its
    assignee grants to in turn. Kept for nobody in particular, it may be kept for the other.
    """
    in_chain = (
        logic.of(None if keeper.assignee is None else False),
        _same(other.assignee, keeper.assignee),
        _same(other.assignee, keeper.assigner),
        _same(other.assigner, keeper.assignee),
    )
    return logic.both(logic.of(keeper.keeps_out), logic.negate(logic.either(*in_chain)))


def _bound(prohibition: Rule, use: Rule) -> Verdict:
    """Tell whether a prohibition binds the one who uses, or who lets use."""
    if prohibition.assignee is None or use.assignee is None:
        return Verdict.CONFLICT
    mine = _same(prohibition.assignee, use.assignee)
    if use.modality is Modality.OBLIGATION:
        return mine
    return logic.either(mine, _same(prohibition.assignee, use.assigner))


def _same(a: Names | None, b: Names | None) -> Verdict:
    """Tell whether two parties are one; somebody who is not named is nobody in particular."""
    if a is None or b is None:
        return Verdict.UNKNOWN if a is b else Verdict.COMPATIBLE
    return logic.of(_one_thing(a, b))


def _target(a: Rule, b: Rule, sense: Sense) -> Verdict:
    if sense.around(a.target) & b.target or sense.around(b.target) & a.target:
        return Verdict.CONFLICT
    return logic.of(_one_thing(a.target, b.target))


def _one_thing(a: Names, b: Names) -> bool | None:
    """Tell whether two sets of names are of one thing; names of different schemes tell nothing."""
    if a & b:
        return True
    schemes = {_scheme(name) for name in a} & {_scheme(name) for name in b}
    return False if schemes else None


def _scheme(name: str) -> str:
    """Return the authority that keeps its names apart: all of an IRI before its last part."""
    return name[: max(name.rfind(mark) for mark in "/#:") + 1]


def _action(a: Rule, b: Rule, sense: Sense) -> Verdict:
    if a.action in sense.actions[b.action] or b.action in sense.actions[a.action]:
        return Verdict.CONFLICT
    return logic.of(False if _apart(a.action, b.action, sense) else None)


def _apart(a: str, b: str, sense: Sense) -> bool:
    """Tell whether two actions, neither within the other, are known to be different ones."""
    known = all(len(sense.actions[one]) > 1 or one in vocabulary.TOP_ACTIONS for one in (a, b))
    return known and _scheme(a) == _scheme(b)


def _meeting(a: _Side, b: _Side) -> Verdict:
    """Return whether any box of one meets any of the other."""
    found = Verdict.COMPATIBLE
    for one, other in product(a.boxes, b.boxes):
        found = logic.either(found, logic.both(*_axes(one, other).values()))
        if found is Verdict.CONFLICT:
            break
    return found


def _axes(a: Box, b: Box) -> dict[str, Verdict]:
    return {axis: logic.of(_holds(a.get(axis), b.get(axis))) for axis in sorted({*a, *b})}


def _holds(a: Extent | None, b: Extent | None) -> bool | None:
    common = a.meet(b) if a and b else a or b
    return True if common is None else common.holds_any()


def _telling(a: _Side, b: _Side, verdict: Verdict, sense: Sense) -> list[Finding]:
    """Return what the boxes say for a verdict, of a collision the first that is found."""
    found: dict[Finding, None] = {}
    for one, other in islice(product(a.boxes, b.boxes), MOST_SHOWN):
        axes = _axes(one, other)
        if logic.both(*axes.values()) is not verdict:
            continue
        for axis, known in axes.items():
            said = (describing.extent(axis, box.get(axis), sense) for box in (one, other))
            found[Finding(describing.short(axis), known, *said)] = None
        if verdict is Verdict.CONFLICT:
            break
    return list(found)


def _whole(policy: Policy) -> str:
    return "all of it is here" if policy.whole else "inherits from a policy that is not here"
