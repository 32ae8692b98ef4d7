"""Kinds of fact about when a deal is paid: part by part, late, not at all.

They are part of `contracts.facts.kinds.KINDS`, which is what everybody asks.
"""

from collections.abc import Mapping

from contracts.facts.rules import Audience, KindOfFact

_PARTIES = Audience.PARTIES

LATENESS: Mapping[str, KindOfFact] = {
    "invoice.overdue": KindOfFact(
        _PARTIES,
        {
            "invoice": str,
            "deal": str,
            "number": str,
            "due_minor": int,
            "currency": str,
            "due_at": str,
        },
    ),
    "settlement.defaulted": KindOfFact(
        _PARTIES,
        {
            "deal": str,
            "notice": str,
            "unpaid_minor": int,
            "currency": str,
            "invoices": list,
            "deadline": str,
        },
    ),
    "instalment.booked": KindOfFact(
        _PARTIES,
        {"deal": str, "part": int, "parts": int, "payout": str, "postings_sha256": str},
    ),
}
