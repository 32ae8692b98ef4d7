"""Kinds of fact about keys, their certificates and the lists of revoked ones.

They are part of `contracts.facts.kinds.KINDS`, which is what everybody asks.
"""

from collections.abc import Mapping

from contracts.facts.rules import Audience, KindOfFact

AUTHORITIES: Mapping[str, KindOfFact] = {
    # `issuer` is null for the exchange's own authority; `basis` is first, endorsed or reset, and
    # `endorsement` what the key before signed, with its public key.
    "key.registered": KindOfFact(
        Audience.PUBLIC,
        {
            "party": str,
            "key": str,
            "spki_sha256": str,
            "certificate_sha256": str,
            "issuer": (str, type(None)),
            "basis": str,
            "endorsement": (dict, type(None)),
        },
    ),
    "key.revoked": KindOfFact(Audience.PUBLIC, {"party": str, "key": str, "spki_sha256": str}),
    "key.reset": KindOfFact(
        Audience.PARTIES, {"party": str, "reset": str, "by": str, "reason": str}
    ),
    "crl.issued": KindOfFact(
        Audience.PUBLIC,
        {"list": str, "issuer": str, "sha256": str, "entries": int, "next_update": str},
    ),
}
