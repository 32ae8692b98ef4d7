"""Reading ODRL policies: Turtle, JSON-LD and N-Triples into plain values, without a network.

Source: W3C RDF 1.1 Turtle, N-Triples; JSON-LD 1.1 §3.1 and §9.15 (contexts).
Differs from the source: contexts other than ODRL's own are refused, because they would have to be
fetched.
"""

import json
from typing import Any, Literal

from contracts.odrl import assembling, context
from contracts.odrl.graph import Graph
from contracts.odrl.policy import BadPolicy, Policy

MOST_BYTES = 256 * 1024
Format = Literal["turtle", "json-ld", "n-triples"]
SUFFIXES: dict[str, Format] = {
    ".ttl": "turtle",
    ".jsonld": "json-ld",
    ".json": "json-ld",
    ".nt": "n-triples",
}


def read(text: str, *, form: Format) -> Policy:
    """Return the one policy that a text holds.

    Raises:
        BadPolicy: the text is too long, cannot be parsed, or is no policy of ODRL 2.2.
    """
    if len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise BadPolicy("The text is too long.", most_bytes=MOST_BYTES)
    return assembling.policy(_graph(text, form))


def _graph(text: str, form: Format) -> Graph:
    source = _offline(text) if form == "json-ld" else text
    # A server that reads no policy keeps RDFLib out of its memory.
    from contracts.odrl import triples  # noqa: PLC0415 - loaded by whoever reads a policy

    return triples.parsed(source, syntax=form)


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
