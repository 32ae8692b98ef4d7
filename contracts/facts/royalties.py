"""Kinds of fact about royalties: what was reported, what is asked for, what has been paid out.

They are part of `contracts.facts.kinds.KINDS`, which is what everybody asks.
"""

from collections.abc import Mapping

from contracts.facts.rules import Audience, KindOfFact

_PARTIES = Audience.PARTIES
_MAYBE = (str, type(None))

ROYALTIES: Mapping[str, KindOfFact] = {
    "usage.reported": KindOfFact(
        _PARTIES,
        {
            "report": str,
            "deal": str,
            "first_day": str,
            "last_day": str,
            "version": int,
            "receipts_minor": int,
            "runs": int,
            "currency": str,
            "content_sha256": str,
        },
    ),
    "royalties.stated": KindOfFact(
        _PARTIES,
        {
            "report": str,
            "deal": str,
            "number": int,
            "earned_minor": int,
            "recouped_minor": int,
            "payable_minor": int,
            "due_minor": int,
            "carried_minor": int,
            "currency": str,
            "claim": _MAYBE,
            "waterfall_sha256": str,
        },
    ),
    "claim.booked": KindOfFact(
        _PARTIES, {"claim": str, "deal": str, "payout": str, "postings_sha256": str}
    ),
}
