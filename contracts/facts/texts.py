"""Kinds of fact about the texts of contracts: the templates that are published.

They are part of `contracts.facts.kinds.KINDS`, which is what everybody asks.
"""

from collections.abc import Mapping

from contracts.facts.rules import Audience, KindOfFact

TEXTS: Mapping[str, KindOfFact] = {
    "template.published": KindOfFact(
        Audience.PUBLIC,
        {
            "template": str,
            "version": str,
            "kind": str,
            "sha256": str,
            "form_sha256": str,
            "clauses": list,
        },
    ),
}
