"""Kinds of fact about money that goes back, and about fapiao: refunds, disputes, red letters.

They are part of `contracts.facts.kinds.KINDS`, which is what everybody asks.
"""

from collections.abc import Mapping

from contracts.facts.rules import Audience, KindOfFact

_REFUND: Mapping[str, type | tuple[type, ...]] = {
    "refund": str,
    "deal": str,
    "content_sha256": str,
    "amount_minor": int,
    "currency": str,
    "resends": (str, type(None)),
}

_RED_LETTER: Mapping[str, type | tuple[type, ...]] = {
    "red_letter": str,
    "invoice": str,
    "deal": str,
    "number": (str, type(None)),
    "content_sha256": str,
    "amount_minor": int,
    "tax_minor": int,
    "currency": str,
    "refund": (str, type(None)),
}

_FAPIAO: Mapping[str, type | tuple[type, ...]] = {
    "fapiao": str,
    "invoice": str,
    "red_letter": (str, type(None)),
    "number": (str, type(None)),
    "content_sha256": str,
    "total_minor": int,
    "tax_minor": int,
}

REFUNDING: Mapping[str, KindOfFact] = {
    "refund.prepared": KindOfFact(Audience.STAFF, _REFUND),
    "refund.approved": KindOfFact(Audience.PARTIES, _REFUND),
    "refund.refused": KindOfFact(Audience.STAFF, _REFUND),
    "refund.made": KindOfFact(Audience.PARTIES, _REFUND),
    "refund.failed": KindOfFact(Audience.PARTIES, _REFUND),
    "red-letter.prepared": KindOfFact(Audience.STAFF, _RED_LETTER),
    "red-letter.issued": KindOfFact(Audience.PARTIES, _RED_LETTER),
    "red-letter.refused": KindOfFact(Audience.STAFF, _RED_LETTER),
    "fapiao.requested": KindOfFact(Audience.PARTIES, _FAPIAO),
    "fapiao.issued": KindOfFact(Audience.PARTIES, _FAPIAO),
    "fapiao.refused": KindOfFact(Audience.PARTIES, _FAPIAO),
    "transfer.reversed": KindOfFact(
        Audience.PARTIES,
        {
            "deal": str,
            "cause": str,
            "party": str,
            "amount_minor": int,
            "currency": str,
            "provider": str,
        },
    ),
    "dispute.seen": KindOfFact(
        Audience.STAFF,
        {
            "dispute": str,
            "deal": str,
            "payment": str,
            "state": str,
            "amount_minor": int,
            "currency": str,
            "provider": str,
        },
    ),
}
