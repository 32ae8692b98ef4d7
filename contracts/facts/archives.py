"""Kinds of fact about archived contracts: time-stamps that keep their signatures provable.

They are part of `contracts.facts.kinds.KINDS`, which is what everybody asks.
"""

from collections.abc import Mapping

from contracts.facts.rules import Audience, KindOfFact

_ARCHIVED = KindOfFact(
    Audience.PARTIES,
    {"deal": str, "revision": int, "pdf_sha256": str, "signatures": list, "stamped_at": str},
)
ARCHIVES: Mapping[str, KindOfFact] = {
    "deal.archived": _ARCHIVED,
    "deal.lta-refreshed": _ARCHIVED,
}
