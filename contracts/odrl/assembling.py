"""From a graph to a policy: compact policies expanded to atomic rules (pure).

Source: W3C ODRL Information Model 2.2 (2018-02-15) §2.1 to §2.8; compact policies §2.7.1.
Differs from the source: a text holds one policy, not several; a rule without a target or an action
is refused rather than left out.
"""

from collections.abc import Iterable
from itertools import product

from contracts.odrl.constraints import Constraints
from contracts.odrl.graph import RDF, Graph, Sort, Term
from contracts.odrl.policy import (
    MOST_RULES,
    MOST_STEPS,
    BadPolicy,
    Constraint,
    Group,
    Joint,
    Modality,
    Names,
    Policy,
    Rule,
    Unread,
    order_of,
)
from contracts.odrl.vocabulary import ODRL

OWL = "http://www.w3.org/2002/07/owl#"
SKOS = "http://www.w3.org/2004/02/skos/core#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
SAME = (OWL + "sameAs", SKOS + "exactMatch")
_BROADER = (SKOS + "broader", SKOS + "broaderTransitive", RDFS + "subClassOf", *SAME)
_KINDS = ("Agreement", "Offer", "Set", "Policy", "Request", "Ticket", "Assertion", "Privacy")
_MODALITIES = {ODRL + modality.value: modality for modality in Modality}


def policy(graph: Graph) -> Policy:
    """Return the policy of a graph.

    Raises:
        BadPolicy: there is none, more than one, or it breaks the information model.
    """
    node = _only(graph)
    rules, whole = _rules(Constraints(graph), node, seen=frozenset())
    if not rules:
        raise BadPolicy("The policy has no rule.", policy=node.text)
    kind = _kind(graph, node)
    _check_parties(kind, rules)
    same = _both_ways(graph.pairs(*SAME))
    return Policy(
        uid=node.text,
        kind=kind,
        rules=tuple(sorted(rules, key=order_of)),
        included=_steps(graph.pairs(ODRL + "includedIn")),
        broader=_steps({*graph.pairs(*_BROADER), *same}),
        parts=_steps({*graph.pairs(ODRL + "partOf"), *same}),
        whole=whole,
    )


def _only(graph: Graph) -> Term:
    """Return the one policy; those that it inherits from do not count."""
    found = dict.fromkeys(graph.with_any(*_MODALITIES))
    parents = {parent for node in found for parent in graph.all(node, ODRL + "inheritFrom")}
    children = [node for node in found if node not in parents]
    if len(children) != 1:
        raise BadPolicy("The text does not hold exactly one policy.", policies=len(children))
    return children[0]


def _kind(graph: Graph, node: Term) -> str:
    types = {term.text for term in graph.all(node, RDF + "type")}
    return next((kind for kind in _KINDS if ODRL + kind in types), "Set")


def _check_parties(kind: str, rules: Iterable[Rule]) -> None:
    needed = {"Agreement": ("assigner", "assignee"), "Offer": ("assigner",)}.get(kind, ())
    for rule in rules:
        for party in needed:
            if getattr(rule, party) is None:
                raise BadPolicy(f"A rule of the {kind} has no {party}.", action=rule.action)


def _rules(
    constraints: Constraints, node: Term, *, seen: frozenset[Term]
) -> tuple[list[Rule], bool]:
    """Return the rules of a policy and of those it inherits from, and whether that is all."""
    graph = constraints.graph
    found: list[Rule] = []
    for predicate, modality in _MODALITIES.items():
        for rule in graph.all(node, predicate):
            found += _Atoms(constraints, node, rule, modality).rules()
            if len(found) > MOST_RULES:
                raise BadPolicy("The policy has too many rules.", most=MOST_RULES)
    whole = True
    for parent in graph.all(node, ODRL + "inheritFrom"):
        if parent in seen or parent not in graph.triples:
            whole = False
            continue
        inherited, complete = _rules(constraints, parent, seen=seen | {node})
        found, whole = found + inherited, whole and complete
    return found[: MOST_RULES + 1], whole


class _Atoms:
    """One rule of a graph, taken apart: one action, target, assigner and assignee each."""

    def __init__(
        self, constraints: Constraints, policy: Term, node: Term, modality: Modality
    ) -> None:
        self._constraints, self._graph = constraints, constraints.graph
        self._policy, self._node, self._modality = policy, node, modality

    def rules(self) -> list[Rule]:
        constraint, keeps_out = self._constraints.of_rule(self._node)
        actions = self._needed("action")
        targets: list[Term | None] = [*self._needed("target")]
        return [
            Rule(
                modality=self._modality,
                action=self._action(action)[0],
                target=self._names(target) or frozenset(),
                assigner=self._names(assigner),
                assignee=self._names(assignee),
                constraint=_all([constraint, *self._action(action)[1], *self._narrowed(target),
                                 *self._narrowed(assignee)]),
                keeps_out=keeps_out if self._modality is Modality.PERMISSION else False,
            )
            for action, target, assigner, assignee in product(
                actions, targets, self._parties("assigner"), self._parties("assignee")
            )
        ]  # fmt: skip

    def _stated(self, term: str) -> list[Term]:
        """Return what the rule says, or else the policy for all of its rules."""
        own = self._graph.all(self._node, ODRL + term)
        return list(own or self._graph.all(self._policy, ODRL + term))

    def _needed(self, term: str) -> list[Term]:
        found = self._stated(term)
        if term == "target" and not found:
            found = [
                asset for asset in self._graph.with_any(ODRL + "hasPolicy")
                if self._policy in self._graph.all(asset, ODRL + "hasPolicy")
            ]  # fmt: skip
        if not found and not (term == "target" and self._modality is Modality.OBLIGATION):
            raise BadPolicy(f"A {self._modality.value} has no {term}.", rule=self._node.text)
        return found or [Term("", Sort.BLANK)]

    def _parties(self, function: str) -> list[Term | None]:
        return [*self._stated(function)] or [None]

    def _action(self, node: Term) -> tuple[str, list[Constraint]]:
        """Return the action, and what refines it."""
        value = self._graph.one(node, RDF + "value")
        refined = self._constraints.of(node, ODRL + "refinement")
        name = value or node
        if name.sort is not Sort.IRI:
            raise BadPolicy("An action has no IRI.", rule=self._node.text)
        return name.text, refined

    def _names(self, node: Term | None) -> Names | None:
        """Return every name of a party or asset, a collection by its source; None for nobody."""
        if node is None:
            return None
        around = [
            node,
            *self._graph.all(node, ODRL + "source"),
            *self._graph.all(node, ODRL + "uid"),
        ]
        same = [other for one in around for link in SAME for other in self._graph.all(one, link)]
        return frozenset(one.text for one in (*around, *same) if one.sort is not Sort.BLANK)

    def _narrowed(self, node: Term | None) -> list[Constraint]:
        """Return what keeps a rule to a part of a collection: nothing that is decided here."""
        refined = node is not None and self._graph.all(node, ODRL + "refinement")
        return [Unread(ODRL + "refinement")] if refined else []


def _all(parts: list[Constraint]) -> Constraint:
    return parts[0] if len(parts) == 1 else Group(Joint.ALL, tuple(parts))


def _steps(pairs: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    found = frozenset(pairs)
    if len(found) > MOST_STEPS:
        raise BadPolicy("The policy declares too many terms.", most=MOST_STEPS)
    return found


def _both_ways(pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    return {pair for a, b in pairs for pair in ((a, b), (b, a))}
