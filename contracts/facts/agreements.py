"""Kinds of fact about agreements with the exchange: certified, signed, archived.

They are part of `contracts.facts.kinds.KINDS`, which is what everybody asks.
"""

from collections.abc import Mapping

from contracts.facts.rules import Audience, KindOfFact

_PARTIES = Audience.PARTIES

AGREEMENTS: Mapping[str, KindOfFact] = {
    "agreement.certified": KindOfFact(
        _PARTIES,
        {
            "agreement": str,
            "party": str,
            "kind": str,
            "about": str,  # the auction of a deposit agreement
            "terms_sha256": str,
            "base_sha256": str,
            "pdf_sha256": str,
            "level": str,
        },
    ),
    "agreement.signed": KindOfFact(
        _PARTIES,
        {
            "agreement": str,
            "party": str,
            "role": str,
            "spki_sha256": str,
            "pdf_sha256": str,
            "level": str,
        },
    ),
    "agreement.archived": KindOfFact(
        _PARTIES,
        {
            "agreement": str,
            "party": str,
            "revision": int,
            "pdf_sha256": str,
            "signatures": list,
            "stamped_at": str,
        },
    ),
}
