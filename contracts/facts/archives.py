"""Kinds of fact about the time-stamps that keep a contract's signatures provable.

They are part of `contracts.facts.kinds.KINDS`, which is what everybody asks.
"""

from collections.abc import Mapping

from contracts.facts.rules import Audience, KindOfFact

_ARCHIVED = KindOfFact(
    Audience.PARTIES,
    {"deal": str, "revision": int, "pdf_sha256": str, "signatures": list, "stamped_at": str},
)
ARCHIVES: Mapping[str, KindOfFact] = {
    # a signature that no authority time-stamped: the contract's level, until it is archived
    "deal.unstamped": KindOfFact(
        Audience.PARTIES, {"deal": str, "role": str, "pdf_sha256": str, "level": str}
    ),
    "deal.archived": _ARCHIVED,
    "deal.lta-refreshed": _ARCHIVED,
}
