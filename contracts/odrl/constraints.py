"""From a graph to constraints: tests, and the logical groups they stand in (pure).

Source: W3C ODRL Information Model 2.2 §2.5; `ensureExclusivity` of the vocabulary, §1.14.
"""

from contracts.odrl.graph import Graph, Sort, Term
from contracts.odrl.policy import (
    DEEPEST,
    MOST_ATOMS,
    Atom,
    BadPolicy,
    Constraint,
    Group,
    Joint,
    Unread,
    Value,
    atoms_of,
)
from contracts.odrl.vocabulary import EXCLUSIVITY, ODRL, UHDX

_JOINTS = {ODRL + joint.value: joint for joint in Joint}
_SEQUENCE = ODRL + "andSequence"
_KEEPS_OUT = {UHDX + "exclusive": True, UHDX + "sole": True, UHDX + "non-exclusive": False}


class Constraints:
    """The constraints of one graph, counted."""

    def __init__(self, graph: Graph) -> None:
        """Begin with none."""
        self.graph, self._count = graph, 0

    def of_rule(self, rule: Term) -> tuple[Constraint, bool | None]:
        """Return what limits a rule, and whether it keeps other licensees out (None: not known).

        Raises:
            BadPolicy: a constraint lacks a part, or there are too many.
        """
        found = self.of(rule, ODRL + "constraint")
        plain = [one for one in found if not (isinstance(one, Atom) and one.left == EXCLUSIVITY)]
        kept = [_kept(one) for one in found if one not in plain]
        if self._ensured(rule) and not kept:
            kept = [True]
        hidden = any(atom.left == EXCLUSIVITY for one in plain for atom in atoms_of(one))
        known = None if hidden or None in kept else any(kept)
        return Group(Joint.ALL, tuple(plain)), known

    def of(self, node: Term, predicate: str) -> list[Constraint]:
        """Return the constraints that a rule or an action has under a predicate.

        Raises:
            BadPolicy: one lacks a part, or there are too many.
        """
        return [self._constraint(one, depth=0) for one in self.graph.all(node, predicate)]

    def _ensured(self, rule: Term) -> bool:
        duties = self.graph.all(rule, ODRL + "duty")
        wanted = Term(ODRL + "ensureExclusivity", Sort.IRI)
        return any(wanted in self.graph.all(duty, ODRL + "action") for duty in duties)

    def _constraint(self, node: Term, *, depth: int) -> Constraint:
        self._count += 1
        if depth > DEEPEST or self._count > MOST_ATOMS:
            raise BadPolicy("The constraints are too many or too deep.", most=MOST_ATOMS)
        parts: list[Constraint] = []
        for link, joint in (*_JOINTS.items(), (_SEQUENCE, None)):
            operands = self.graph.all(node, link)
            inside = [self._constraint(one, depth=depth + 1) for one in operands]
            if inside and joint is None:  # in an order that nobody here can look at
                parts.append(Group(Joint.ALL, (*inside, Unread(_SEQUENCE))))
            elif inside and joint is not None:
                parts.append(Group(joint, tuple(inside)))
        if len(parts) > 1:
            raise BadPolicy("A logical constraint has more than one operand.", constraint=node.text)
        return parts[0] if parts else self._test(node)

    def _test(self, node: Term) -> Constraint:
        left, operator = (self._needed(node, term) for term in ("leftOperand", "operator"))
        found = self.graph.all(node, ODRL + "rightOperand")
        referred = self.graph.all(node, ODRL + "rightOperandReference")
        if bool(found) == bool(referred):
            raise BadPolicy("A constraint has no right operand, or two.", left=left.text)
        if referred:  # what stands behind the reference would have to be fetched
            return Unread(left.text)
        datatype = self._one(node, "dataType") or self._one(node, "datatype")
        unit = self._one(node, "unit")
        values = tuple(
            Value(term.text, term.sort is Sort.IRI, term.datatype or datatype) for term in found
        )
        if any(term.sort is Sort.BLANK for term in found):
            return Unread(left.text)
        return Atom(left.text, _spelled(operator.text), values, unit)

    def _needed(self, node: Term, term: str) -> Term:
        found = self.graph.one(node, ODRL + term)
        if found is None or found.sort is not Sort.IRI:
            raise BadPolicy(f"A constraint has no {term}.", constraint=node.text)
        return found

    def _one(self, node: Term, term: str) -> str:
        found = self.graph.one(node, ODRL + term)
        return "" if found is None else found.text


def _kept(one: Constraint) -> bool | None:
    if not isinstance(one, Atom) or one.operator != ODRL + "eq" or len(one.values) != 1:
        return None
    return _KEEPS_OUT.get(one.values[0].text)


def _spelled(operator: str) -> str:
    """Return the operator, `neq` also as the published JSON-LD context misspells it."""
    return ODRL + "neq" if operator == ODRL + "neg" else operator
