"""Kinds of fact about witnesses: the policies on them, and the deals that their quorum has seen.

They are part of `contracts.facts.kinds.KINDS`, which is what everybody asks.
"""

from collections.abc import Mapping

from contracts.facts.rules import Audience, KindOfFact

WITNESSING: Mapping[str, KindOfFact] = {
    "policy.adopted": KindOfFact(
        Audience.PUBLIC, {"policy": str, "policy_sha256": str, "demands": bool}
    ),
    "deal.witnessed": KindOfFact(
        Audience.PARTIES,
        {"deal": str, "size": (int, type(None)), "policy_sha256": (str, type(None))},
    ),
}
