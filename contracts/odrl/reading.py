"""Reading ODRL policies: Turtle, JSON-LD and N-Triples into plain values, without a network.

Source: W3C RDF 1.1 Turtle, N-Triples; JSON-LD 1.1 §3.1 and §9.15 (contexts).
Differs from the source: contexts other than ODRL's own are refused, because they would have to be
fetched.
"""

import json
import re
from typing import Any, Literal

import rdflib
from rdflib.term import BNode, Node, URIRef

from contracts.odrl import assembling, context
from contracts.odrl.graph import Graph, Sort, Term
from contracts.odrl.policy import BadPolicy, Policy

MOST_BYTES = 256 * 1024
MOST_TRIPLES = 10_000
Format = Literal["turtle", "json-ld", "n-triples"]
SUFFIXES: dict[str, Format] = {
    ".ttl": "turtle",
    ".jsonld": "json-ld",
    ".json": "json-ld",
    ".nt": "n-triples",
}
# What neither a terminal nor UTF-8 should be given: control characters, lone surrogates.
_UNSPEAKABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_PARSERS: dict[Format, str] = {"turtle": "turtle", "json-ld": "json-ld", "n-triples": "nt"}


def read(text: str, *, form: Format) -> Policy:
    """Return the one policy that a text holds.

    Raises:
        BadPolicy: the text is too long, cannot be parsed, or is no policy of ODRL 2.2.
    """
    if len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise BadPolicy("The text is too long.", most_bytes=MOST_BYTES)
    return assembling.policy(_graph(text, form))


def _graph(text: str, form: Format) -> Graph:
    found = rdflib.Graph()
    source = _offline(text) if form == "json-ld" else text
    # Literals stay as they were written: a date that is normalised loses its zone. The switch is
    # the library's own and other users of it turn it back.
    rdflib.NORMALIZE_LITERALS = False
    try:
        found.parse(data=source, format=_PARSERS[form])
    except RecursionError as deep:
        raise BadPolicy("The text is nested too deep.") from deep
    except Exception as broken:  # rdflib's parsers raise many kinds that share no base
        detail = str(broken).strip().splitlines() or [type(broken).__name__]
        raise BadPolicy(f"The text is no {form}.", said=detail[0][:200]) from broken
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


def _offline(text: str) -> str:
    """Return JSON-LD whose contexts are all in it, ODRL's own put in the place of its address."""
    try:
        document = json.loads(text)
        return json.dumps(_with_context(document))
    except ValueError as broken:  # no JSON, or a number of thousands of digits
        raise BadPolicy("The text is no JSON.", said=str(broken)[:200]) from broken
    except RecursionError as deep:
        raise BadPolicy("The text is nested too deep.") from deep


def _with_context(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_context(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "@import" in value:
        raise BadPolicy("The policy imports a context.", context=str(value["@import"])[:200])
    return {
        key: _context(one) if key == "@context" else _with_context(one)
        for key, one in value.items()
    }


def _context(value: Any) -> Any:
    if isinstance(value, str):
        if value not in context.URLS:
            raise BadPolicy(
                "The policy names a context that is not kept here.", context=value[:200]
            )
        return dict(context.PUBLISHED)
    if isinstance(value, list):
        return [_context(one) for one in value]
    return _with_context(value)
