"""Statements of a policy's text as plain terms: the one module that holds RDFLib."""

import re

import rdflib
from rdflib.term import BNode, Node, URIRef

from contracts.odrl.graph import Graph, Sort, Term
from contracts.odrl.policy import BadPolicy

MOST_TRIPLES = 10_000
_PARSERS = {"turtle": "turtle", "json-ld": "json-ld", "n-triples": "nt"}
# What neither a terminal nor UTF-8 should be given: control characters, lone surrogates.
_UNSPEAKABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def parsed(source: str, *, syntax: str) -> Graph:
    """Return the statements of a text in Turtle, JSON-LD or N-Triples.

    Raises:
        BadPolicy: the text cannot be parsed, or holds too much.
    """
    found = rdflib.Graph()
    # Literals stay as they were written: a date that is normalised loses its zone. The switch is
    # the library's own and other users of it turn it back.
    rdflib.NORMALIZE_LITERALS = False
    try:
        found.parse(data=source, format=_PARSERS[syntax])
    except RecursionError as deep:
        raise BadPolicy("The text is nested too deep.") from deep
    except Exception as broken:  # rdflib's parsers raise many kinds that share no base
        detail = str(broken).strip().splitlines() or [type(broken).__name__]
        raise BadPolicy(f"The text is no {syntax}.", said=detail[0][:200]) from broken
    if len(found) > MOST_TRIPLES:
        raise BadPolicy("The policy has too many statements.", most=MOST_TRIPLES)
    return _plain(found)


def _plain(found: rdflib.Graph) -> Graph:
    """Return the graph as plain terms."""
    triples: dict[Term, dict[str, list[Term]]] = {}
    for subject, predicate, obj in found:
        stated = triples.setdefault(_term(subject), {})
        stated.setdefault(str(predicate), []).append(_term(obj))
    return Graph(triples)


def _term(node: Node) -> Term:
    if _UNSPEAKABLE.search(str(node)):
        raise BadPolicy("The text holds control characters or halves of characters.")
    if isinstance(node, URIRef):
        return Term(str(node), Sort.IRI)
    if isinstance(node, BNode):
        return Term(str(node), Sort.BLANK)
    return Term(str(node), Sort.LITERAL, str(getattr(node, "datatype", "") or ""))
