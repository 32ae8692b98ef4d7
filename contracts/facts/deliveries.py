"""Kinds of fact about deliveries: manifests, released keys, acceptance, disputes.

They are part of `contracts.facts.kinds.KINDS`, which is what everybody asks.
"""

from collections.abc import Mapping

from contracts.facts.rules import Audience, KindOfFact

_PARTIES = Audience.PARTIES

DELIVERIES: Mapping[str, KindOfFact] = {
    "delivery.manifest": KindOfFact(
        _PARTIES,
        {
            "deal": str,
            "delivery": str,
            "number": int,
            "manifest_sha256": str,
            "master_sha256": str,
            "chunk_root": str,
            "segment_root": str,
            "header": str,  # salt and commitment to the content's key
        },
    ),
    # the content's key, sealed to the licensee: recorded before anybody is given it
    "key.released": KindOfFact(
        _PARTIES,
        {
            "deal": str,
            "delivery": str,
            "manifest_sha256": str,
            "recipient": str,  # SHA-256 of the licensee's public key
            "sealed_sha256": str,
            "by": str,
        },
    ),
    "delivery.accepted": KindOfFact(
        _PARTIES, {"deal": str, "delivery": str, "manifest_sha256": str, "how": str}
    ),
    "delivery.disputed": KindOfFact(
        _PARTIES,
        {
            "deal": str,
            "delivery": str,
            "manifest_sha256": str,
            "complaint_sha256": str,
            "segment": int,
            "verdict": str,
            "reason": str,
        },
    ),
    "delivery-key.registered": KindOfFact(
        _PARTIES, {"party": str, "delivery_key": str, "public_sha256": str}
    ),
    "delivery-key.revoked": KindOfFact(
        _PARTIES, {"party": str, "delivery_key": str, "public_sha256": str}
    ),
}
