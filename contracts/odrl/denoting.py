"""What the constraints of a rule let through, axis by axis (pure).

Source: W3C ODRL Information Model 2.2 §2.5 (operators, logical constraints) and the vocabulary's
left operands. What is not understood is unknown, never nothing and never everything.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property
from itertools import chain
from math import ceil, floor

from contracts.odrl import extents, moments, vocabulary
from contracts.odrl.extents import HIGH, Bits, Boxes, Cut, Extent, Spans, TooMany, dark, union
from contracts.odrl.policy import (
    Atom,
    Constraint,
    Group,
    Joint,
    Names,
    Policy,
    Rule,
    Value,
    above,
    atoms_of,
)
from contracts.odrl.vocabulary import DEPTH, ODRL, RIGHT
from contracts.rights import axes

TIME, SPATIAL, LANGUAGE, COUNT, PURPOSE, CHANNEL = (
    ODRL + name
    for name in ("dateTime", "spatial", "language", "count", "purpose", "deliveryChannel")
)
LARGEST = 10**15  # beyond it a count is a slip of the pen
_ANY = frozenset({"eq", "isA", "isPartOf", "isAnyOf"})
_NONE = frozenset({"neq", "isNoneOf"})
_SINGLE = frozenset({"eq", "neq"})
OTHER = "other"  # the purposes that no policy names


@dataclass(frozen=True)
class Sense:
    """What two policies that are compared declare together, so that both are read alike."""

    policies: tuple[Policy, ...]

    @cached_property
    def atoms(self) -> tuple[Atom, ...]:
        """Return every atomic constraint of both."""
        rules = (rule for policy in self.policies for rule in policy.rules)
        return tuple(atom for rule in rules for atom in atoms_of(rule.constraint))

    @cached_property
    def local(self) -> bool:
        """Tell whether no date of either says its zone, so that all are in one."""
        dates = (value.text for atom in self.atoms if atom.left == TIME for value in atom.values)
        return not any(moments.is_zoned(text) for text in dates)

    @cached_property
    def one_unit(self) -> bool:
        """Tell whether all counts count the same."""
        return len({atom.unit for atom in self.atoms if atom.left == COUNT}) < 2

    @cached_property
    def actions(self) -> Mapping[str, frozenset[str]]:
        """Return for each action of a rule itself and what it is within."""
        declared = chain.from_iterable(policy.included for policy in self.policies)
        steps = frozenset({*vocabulary.INCLUDED_IN.items(), *declared})
        rules = (rule for policy in self.policies for rule in policy.rules)
        return {action: above(action, steps) for action in {rule.action for rule in rules}}

    @cached_property
    def _parts(self) -> Mapping[str, frozenset[str]]:
        steps = frozenset(chain.from_iterable(policy.parts for policy in self.policies))
        rules = (rule for policy in self.policies for rule in policy.rules)
        return {name: above(name, steps) for rule in rules for name in rule.target}

    def around(self, target: Names) -> Names:
        """Return the names of a target and of all that it is a part of."""
        return frozenset(chain.from_iterable(self._parts[name] for name in target))

    @cached_property
    def broader(self) -> frozenset[tuple[str, str]]:
        """Return the steps from concepts to wider ones that either declares."""
        return frozenset().union(*(policy.broader for policy in self.policies))

    @cached_property
    def purposes(self) -> tuple[str, ...]:
        """Return every purpose that is named, and one for all others."""
        named = {value.text for atom in self.atoms if atom.left == PURPOSE for value in atom.values}
        wider = {concept for name in named for concept in above(name, self.broader)}
        return (OTHER, *sorted(wider))

    @cached_property
    def wider(self) -> Mapping[str, frozenset[str]]:
        """Return for each purpose itself and what it is a kind of."""
        return {name: above(name, self.broader) for name in self.purposes}


def boxes_of(rule: Rule, sense: Sense) -> Boxes:
    """Return what a rule is about, beside its parties, target and action."""
    try:
        found = _boxes(rule.constraint, sense)
    except TooMany:
        found = dark("logic")
    bit = vocabulary.right_mask(rule.action)
    right = {} if bit is None else {RIGHT: Extent.exact(_bits(RIGHT, bit))}
    return tuple({**box, **right} for box in found)


def _boxes(constraint: Constraint, sense: Sense) -> Boxes:
    if isinstance(constraint, Group):
        parts = [_boxes(part, sense) for part in constraint.parts]
        by_joint = {Joint.ALL: extents.meet, Joint.ANY: extents.join, Joint.ONE: extents.one}
        return by_joint[constraint.joint](*parts)
    if isinstance(constraint, Atom):
        return _compared(constraint, sense)
    return dark(constraint.about)


def _compared(atom: Atom, sense: Sense) -> Boxes:
    operator = atom.operator.removeprefix(ODRL)
    if operator in _SINGLE and len(atom.values) > 1:
        return dark(atom.left)
    if atom.left in (TIME, COUNT, DEPTH):
        whole = _numbers(atom, operator, sense)
    elif atom.left == PURPOSE:
        whole = _purposes(atom, operator, sense)
    elif atom.left in _ALL:
        whole = _leaves(atom, operator)
    else:
        return dark(atom.left)
    return ({atom.left: whole},)


def _numbers(atom: Atom, operator: str, sense: Sense) -> Extent:
    everything = Spans.of(extents.LOW, HIGH, floor=_floor(atom.left))
    if atom.left == COUNT and not sense.one_unit:
        return Extent.unknown(everything)
    one = {"isAnyOf": "eq", "isNoneOf": "eq", "neq": "eq"}.get(operator, operator)
    parts = [_number(atom.left, one, value, sense) for value in atom.values]
    known = [part or Extent.unknown(everything) for part in parts]
    if len(known) > 1 and one == operator:  # "before both of two dates": an operator of one value
        return Extent.unknown(everything)
    whole = union(known, everything.rest())
    return whole.rest() if operator in _NONE else whole


def _number(left: str, operator: str, value: Value, sense: Sense) -> Extent | None:
    if left == TIME:
        at = moments.moment(value.text, local=sense.local)
        return None if at is None else moments.extent(operator, at)
    return _counted(operator, value, lowest=_floor(left))


def _counted(operator: str, value: Value, *, lowest: int) -> Extent | None:
    """Return the numbers that a comparison lets through, one for each time the action is done."""
    try:
        number = Decimal(value.text.strip())
    except InvalidOperation:
        return None
    if not number.is_finite() or number.adjusted() > 15 or abs(number) > LARGEST:
        return None
    low, high = floor(number), ceil(number)
    bounds = {
        "lt": (extents.LOW, high),
        "lteq": (extents.LOW, low + 1),
        "gt": (low + 1, HIGH),
        "gteq": (high, HIGH),
        "eq": (high, low + 1),
    }
    if operator not in bounds:
        return None
    return Extent.exact(Spans.of(*bounds[operator], floor=lowest))


def _floor(left: str) -> int:
    """Return the least number of an axis: the first run is number one."""
    return {COUNT: 1, DEPTH: 0}.get(left, extents.LOW)


_ALL: Mapping[str, int] = {
    SPATIAL: axes.TERRITORIES.all,
    LANGUAGE: axes.LANGUAGES.all,
    CHANNEL: axes.MEDIA.all,
    RIGHT: (1 << len(vocabulary.LICENSABLE)) - 1,
}


def _bits(left: str, mask: int) -> Bits:
    return Bits(mask, _ALL[left])


def _leaves(atom: Atom, operator: str) -> Extent:
    nothing = _bits(atom.left, 0)
    parts = [_leaf(atom.left, value) for value in atom.values]
    if operator == "isAllOf":
        return _every(parts, nothing)
    return _any_or_none(parts, operator, nothing)


def _any_or_none(parts: list[Extent], operator: str, nothing: Cut) -> Extent:
    if operator in _ANY:
        return union(parts, nothing)
    if operator in _NONE:
        return union(parts, nothing).rest()
    return Extent.unknown(nothing.rest())


def _every(parts: Iterable[Extent], nothing: Cut) -> Extent:
    """Return what is all of several: one inside the other; else nobody here knows what is meant."""
    whole = Extent.exact(nothing.rest())
    for part in parts:
        whole = whole.meet(part)
    return whole if whole.holds_any() else Extent.unknown(nothing.rest())


def _leaf(left: str, value: Value) -> Extent:
    everything = _bits(left, _ALL[left])
    mask = _mask(left, value)
    if mask is not None:
        return Extent.exact(_bits(left, mask))
    if left == LANGUAGE and not value.is_iri:  # a variety that is not kept is part of its language
        primary = vocabulary.language_mask(value.text.partition("-")[0], is_iri=False)
        return Extent(everything.rest(), everything if primary is None else _bits(left, primary))
    return Extent.unknown(everything)


def _mask(left: str, value: Value) -> int | None:
    if left == SPATIAL:
        return vocabulary.territory_mask(value.text, is_iri=value.is_iri)
    if left == LANGUAGE:
        return vocabulary.language_mask(value.text, is_iri=value.is_iri)
    return (
        vocabulary.medium_mask(value.text) if left == CHANNEL else vocabulary.right_mask(value.text)
    )


def _purposes(atom: Atom, operator: str, sense: Sense) -> Extent:
    kinds = operator in ("isA", "isPartOf")
    parts = [_purpose(value.text, kinds=kinds, sense=sense) for value in atom.values]
    everything = _named(sense.purposes, sense)
    if operator == "isAllOf" and len(parts) > 1:
        return Extent.unknown(everything)
    return _any_or_none(parts, "eq" if operator == "isAllOf" else operator, everything.rest())


def _purpose(name: str, *, kinds: bool, sense: Sense) -> Extent:
    """Return the purposes that a name stands for: with `kinds`, all that are declared its kinds.

    What the policies do not place in a hierarchy may be the same as anything; what stands in one
    hierarchy with the name, and neither below nor above it, is another purpose.
    """
    everything = _named(sense.purposes, sense)
    below = [one for one in sense.purposes if name in sense.wider[one]]
    if not any(name in step for step in sense.broader):
        return Extent(_named([name], sense), everything)
    if not kinds:
        return Extent(_named([name], sense), _named(below, sense))
    apart = [
        one for one in sense.purposes
        if one not in below and one not in sense.wider[name]
        and sense.wider[one] & sense.wider[name]
    ]  # fmt: skip
    return Extent(_named(below, sense), _named(apart, sense).rest())


def _named(names: Iterable[str], sense: Sense) -> Bits:
    places = {name: place for place, name in enumerate(sense.purposes)}
    mask = sum(1 << places[name] for name in set(names))
    return Bits(mask, (1 << len(places)) - 1)
