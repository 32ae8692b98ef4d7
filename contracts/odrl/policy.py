"""A policy as it was read: rules over actions, targets, parties and a tree of constraints (pure).

Source: W3C ODRL Information Model 2.2 (2018-02-15) §2.1 to §2.7.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from contracts.refusal import Kind, Refusal

MOST_RULES = 50  # after expansion; a policy of more is no licence but a catalogue
MOST_ATOMS = 300  # constraints of one policy
MOST_STEPS = 300  # statements that one term is within, a kind or a part of another
DEEPEST = 8  # logical constraints inside one another


class BadPolicy(Refusal):
    """The text is no ODRL policy that can be read."""

    kind, code = Kind.INVALID, "bad-policy"
    hint = (
        "Send one ODRL 2.2 policy as Turtle, JSON-LD or N-Triples; each rule with one target and "
        "action, each constraint with left operand, operator and right operand."
    )


class Modality(Enum):
    """What a rule says of its action."""

    PERMISSION = "permission"
    PROHIBITION = "prohibition"
    OBLIGATION = "obligation"


@dataclass(frozen=True, slots=True)
class Value:
    """A right operand: an IRI, or a literal with its datatype."""

    text: str
    is_iri: bool
    datatype: str = ""


@dataclass(frozen=True, slots=True)
class Atom:
    """One constraint: left operand and operator as IRIs, right operands, unit."""

    left: str
    operator: str
    values: tuple[Value, ...]
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Unread:
    """A condition that is there and that nobody here can evaluate."""

    about: str


class Joint(Enum):
    """How constraints are combined."""

    ALL = "and"
    ANY = "or"
    ONE = "xone"


@dataclass(frozen=True, slots=True)
class Group:
    """Constraints combined by a logical one."""

    joint: Joint
    parts: tuple["Atom | Unread | Group", ...]


Constraint = Atom | Unread | Group
# Every name that one thing goes by; empty where it has none that can be compared.
Names = frozenset[str]


@dataclass(frozen=True, slots=True)
class Rule:
    """One atomic rule: one action, one target, at most one assigner and assignee (None: anybody).

    `keeps_out` tells whether a permission keeps every other licensee out (独占, 排他); None where
    that hangs on something unread.
    """

    modality: Modality
    action: str
    target: Names
    assigner: Names | None
    assignee: Names | None
    constraint: Constraint
    keeps_out: bool | None = False


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy and what its graph declares of the terms it uses.

    `included` are (action, wider action), `broader` (concept, wider concept), `parts` (asset,
    collection), all as IRIs. `whole` is False where rules may be missing (inheritance from a policy
    that is not in the text).
    """

    uid: str
    kind: str
    rules: tuple[Rule, ...]
    included: frozenset[tuple[str, str]] = frozenset()
    broader: frozenset[tuple[str, str]] = frozenset()
    parts: frozenset[tuple[str, str]] = frozenset()
    whole: bool = True


def atoms_of(constraint: Constraint) -> Iterator[Atom]:
    """Yield every atom of a constraint, however deep."""
    if isinstance(constraint, Atom):
        yield constraint
    elif isinstance(constraint, Group):
        for part in constraint.parts:
            yield from atoms_of(part)


def written(constraint: Constraint) -> str:
    """Return a constraint as text, the same however its parts were ordered."""
    if isinstance(constraint, Unread):
        return f"?{constraint.about}"
    if isinstance(constraint, Atom):
        values = sorted(f"{value.text}^^{value.datatype}" for value in constraint.values)
        return f"{constraint.left} {constraint.operator} {values} {constraint.unit}"
    return f"{constraint.joint.value}{sorted(written(part) for part in constraint.parts)}"


def order_of(rule: Rule) -> tuple[str, ...]:
    """Return what rules are put in order by: a graph has none of its own."""
    named = (sorted(names or ()) for names in (rule.target, rule.assigner, rule.assignee))
    texts = (" ".join(names) for names in named)
    return (rule.modality.value, rule.action, *texts, written(rule.constraint))


def above(thing: str, steps: frozenset[tuple[str, str]]) -> frozenset[str]:
    """Return a thing and everything wider that the steps lead to; cycles end where they began."""
    wider: dict[str, list[str]] = {}
    for narrow, wide in steps:
        wider.setdefault(narrow, []).append(wide)
    found, fresh = {thing}, [thing]
    while fresh:
        new = {wide for narrow in fresh for wide in wider.get(narrow, ())} - found
        found |= new
        fresh = list(new)
    return frozenset(found)
