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
from itertools import chain, product
from typing import Any

from contracts.odrl import denoting, describing, vocabulary
from contracts.odrl.denoting import Sense
from contracts.odrl.extents import Box, Boxes, Extent
from contracts.odrl.policy import Modality, Names, Policy, Rule, above
from contracts.rights import logic
from contracts.rights.logic import Verdict

MOST_REASONS = 20
_USES = (Modality.PERMISSION, Modality.OBLIGATION)


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
    pairs = product(_sides(first, sense), _sides(second, sense))
    found = [_judged(one, other, sense) for one, other in pairs if _face(one.rule, other.rule)]
    verdict = logic.either(*(reason.verdict for reason in found))
    if not (first.whole and second.whole) and verdict is Verdict.COMPATIBLE:
        gap = Finding("inheritFrom", Verdict.UNKNOWN, _whole(first), _whole(second))
        return Comparison(gap.verdict, (Reason(gap.verdict, first.uid, second.uid, (gap,)),))
    deciding = [reason for reason in found if reason.verdict is verdict]
    return Comparison(verdict, tuple(deciding[:MOST_REASONS]))


def _sides(policy: Policy, sense: Sense) -> list[_Side]:
    return [_Side(rule, denoting.boxes_of(rule, sense)) for rule in policy.rules]


def _face(a: Rule, b: Rule) -> bool:
    """Tell whether the kinds of two rules can collide at all."""
    if a.modality is b.modality is Modality.PERMISSION:
        return a.keeps_out is not False or b.keeps_out is not False
    return (a.modality is Modality.PROHIBITION) != (b.modality is Modality.PROHIBITION)


def _judged(a: _Side, b: _Side, sense: Sense) -> Reason:
    findings = [_parties(a.rule, b.rule), _target(a.rule, b.rule, sense)]
    findings.append(_action(a.rule, b.rule, sense))
    meeting, seen = _meeting(a.boxes, b.boxes, sense)
    verdict = logic.both(meeting, *(finding.verdict for finding in findings))
    deciding = [one for one in (*findings, *seen) if one.verdict is verdict]
    return Reason(verdict, describing.rule(a.rule), describing.rule(b.rule), tuple(deciding))


def _parties(a: Rule, b: Rule) -> Finding:
    if a.modality is b.modality:
        verdict = logic.either(_shut_out(a, b), _shut_out(b, a))
    elif a.modality is Modality.PROHIBITION:
        verdict = _bound(a, b)
    else:
        verdict = _bound(b, a)
    return Finding("parties", verdict, describing.parties(a), describing.parties(b))


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


def _target(a: Rule, b: Rule, sense: Sense) -> Finding:
    steps = frozenset(chain.from_iterable(policy.parts for policy in sense.policies))
    within_a = frozenset(chain.from_iterable(above(name, steps) for name in a.target))
    within_b = frozenset(chain.from_iterable(above(name, steps) for name in b.target))
    known = True if within_a & b.target or within_b & a.target else _one_thing(a.target, b.target)
    return Finding(
        "target", logic.of(known), describing.names(a.target), describing.names(b.target)
    )


def _one_thing(a: Names, b: Names) -> bool | None:
    """Tell whether two sets of names are of one thing; names of different schemes tell nothing."""
    if a & b:
        return True
    schemes = {_scheme(name) for name in a} & {_scheme(name) for name in b}
    return False if schemes else None


def _scheme(name: str) -> str:
    """Return the authority that keeps its names apart: all of an IRI before its last part."""
    return name[: max(name.rfind(mark) for mark in "/#:") + 1]


def _action(a: Rule, b: Rule, sense: Sense) -> Finding:
    declared = chain.from_iterable(policy.included for policy in sense.policies)
    steps = frozenset({*vocabulary.INCLUDED_IN.items(), *declared})
    if a.action in above(b.action, steps) or b.action in above(a.action, steps):
        known: bool | None = True
    else:
        known = False if _apart(a.action, b.action, steps) else None
    names = (describing.short(a.action), describing.short(b.action))
    return Finding("action", logic.of(known), *names)


def _apart(a: str, b: str, steps: frozenset[tuple[str, str]]) -> bool:
    """Tell whether two actions, neither within the other, are known to be different ones."""
    declared = {narrow for narrow, _ in steps} | vocabulary.TOP_ACTIONS
    return _scheme(a) == _scheme(b) and a in declared and b in declared


def _meeting(a: Boxes, b: Boxes, sense: Sense) -> tuple[Verdict, list[Finding]]:
    """Return whether any box of one meets any of the other, and the axes that say so."""
    pairs = [_axes(one, other, sense) for one, other in product(a, b)]
    each = [logic.both(*(finding.verdict for finding in axes)) for axes in pairs]
    verdict = logic.either(*each)
    if Verdict.CONFLICT is verdict:
        return verdict, pairs[each.index(verdict)]
    telling = chain.from_iterable(
        [axis for axis in axes if axis.verdict is verdict]
        for axes, known in zip(pairs, each, strict=True)
        if known is verdict
    )
    return verdict, list(dict.fromkeys(telling))


def _axes(a: Box, b: Box, sense: Sense) -> list[Finding]:
    return [
        Finding(
            describing.short(axis),
            logic.of(_holds(a.get(axis), b.get(axis))),
            describing.extent(axis, a.get(axis), sense),
            describing.extent(axis, b.get(axis), sense),
        )
        for axis in sorted({*a, *b})
    ]


def _holds(a: Extent | None, b: Extent | None) -> bool | None:
    common = a.meet(b) if a and b else a or b
    return True if common is None else common.holds_any()


def _whole(policy: Policy) -> str:
    return "all of it is here" if policy.whole else "inherits from a policy that is not here"
