"""Kinds of fact about the lives of deals: declined, run out, noticed, ended, amended.

They are part of `contracts.facts.kinds.KINDS`, which is what everybody asks.
"""

from collections.abc import Mapping

from contracts.facts.rules import Audience, KindOfFact

_PARTIES = Audience.PARTIES
_MAYBE = (str, type(None))

LIVES: Mapping[str, KindOfFact] = {
    "deal.declined": KindOfFact(
        _PARTIES, {"deal": str, "party": str, "role": str, "reason": str}
    ),
    "deal.expired": KindOfFact(_PARTIES, {"deal": str, "reason": str}),
    "deal.reminded": KindOfFact(_PARTIES, {"deal": str, "awaited": str, "expires_at": str}),
    "deal.ended": KindOfFact(
        _PARTIES,
        {
            "deal": str,
            "ended": str,
            "cause": _MAYBE,
            "notice": _MAYBE,
            "successor": _MAYBE,
            "reason": _MAYBE,
            "by": str,
        },
    ),
    "notice.given": KindOfFact(
        _PARTIES,
        {"deal": str, "notice": str, "kind": str, "party": str, "sha256": str, "text": str},
    ),
    "notice.received": KindOfFact(
        _PARTIES,
        {"deal": str, "notice": str, "how": str, "received_at": str, "cure_by": _MAYBE},
    ),
    "notice.settled": KindOfFact(
        _PARTIES, {"deal": str, "notice": str, "outcome": str, "party": _MAYBE}
    ),
    "timer.fired": KindOfFact(_PARTIES, {"deal": str, "timer": str, "ref": str, "due_at": str}),
    "grant.carried": KindOfFact(
        _PARTIES, {"work": str, "deal": str, "from_deal": str, "grants": list}
    ),
}  # fmt: skip
