"""A graph as plain values: what stands in a text, before it is understood (pure)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from contracts.odrl.policy import BadPolicy

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
MOST_LISTED = 1_000


class Sort(Enum):
    """What a term is."""

    IRI = "iri"
    BLANK = "blank"
    LITERAL = "literal"


@dataclass(frozen=True, slots=True)
class Term:
    """An IRI, a node without one, or a literal with its datatype."""

    text: str
    sort: Sort
    datatype: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """Triples by subject and predicate, in no particular order."""

    triples: Mapping[Term, Mapping[str, Sequence[Term]]]

    def all(self, subject: Term, predicate: str) -> Sequence[Term]:
        """Return the objects, those of lists one by one."""
        found = self.triples.get(subject, {}).get(predicate, ())
        return [one for term in found for one in self._flat(term)]

    def one(self, subject: Term, predicate: str) -> Term | None:
        """Return the only object, or None.

        Raises:
            BadPolicy: there are several.
        """
        found = self.all(subject, predicate)
        if len(found) > 1:
            raise BadPolicy(f"There is more than one {predicate}.", subject=subject.text)
        return found[0] if found else None

    def with_any(self, *predicates: str) -> list[Term]:
        """Return the subjects that have one of the predicates."""
        return [
            subject
            for subject, stated in self.triples.items()
            if any(predicate in stated for predicate in predicates)
        ]

    def pairs(self, *predicates: str) -> Iterator[tuple[str, str]]:
        """Yield subject and object of every triple between IRIs with one of the predicates."""
        for subject, stated in self.triples.items():
            for predicate in predicates:
                for term in stated.get(predicate, ()):
                    if subject.sort is term.sort is Sort.IRI:
                        yield subject.text, term.text

    def _flat(self, term: Term) -> Iterator[Term]:
        seen = 0
        if RDF + "first" not in self.triples.get(term, {}):
            yield term
            return
        while term.text != RDF + "nil":
            stated = self.triples.get(term, {})
            seen += 1
            if seen > MOST_LISTED or not stated.get(RDF + "rest"):
                raise BadPolicy("A list does not end.", most=MOST_LISTED)
            yield from stated.get(RDF + "first", ())
            term = stated[RDF + "rest"][0]
