"""Kinds of fact about deals that change: another price, other rights, another licensee.

They are part of `contracts.facts.kinds.KINDS`, which is what everybody asks.
"""

from collections.abc import Mapping

from contracts.facts.rules import Audience, KindOfFact

_PARTIES = Audience.PARTIES

CHANGES: Mapping[str, KindOfFact] = {
    # an amendment with another price: `due_minor` is what it asks for beyond what was paid
    "price.changed": KindOfFact(
        _PARTIES,
        {
            "deal": str,
            "from_deal": str,
            "before_minor": int,
            "amount_minor": int,
            "due_minor": int,
            "currency": str,
        },
    ),
    # what a deal owed was paid under the deal that it took the place of
    "payment.carried": KindOfFact(_PARTIES, {"deal": str, "from_deal": str}),
    # a contract that changes hands (合同转让)
    "assignment.signed": KindOfFact(
        _PARTIES,
        {
            "deal": str,
            "from_deal": str,
            "assignor": str,
            "assignee": str,
            "signed_sha256": str,
            "spki_sha256": str,
            "signature_b64": str,
        },
    ),
    "deal.assigned": KindOfFact(
        _PARTIES,
        {
            "deal": str,
            "from_deal": str,
            "assignor": str,
            "assignee": str,
            "work": str,
            "grants": list,
        },
    ),
}
