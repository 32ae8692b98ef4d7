"""Kinds of fact about taxes withheld from payees abroad, and what is remitted of them.

They are part of `contracts.facts.kinds.KINDS`, which is what everybody asks. No account number and
no number of a certificate of residence is ever told.
"""

from collections.abc import Mapping

from contracts.facts.rules import Audience, KindOfFact

_PARTIES, _STAFF = Audience.PARTIES, Audience.STAFF
_RESIDENCE = {
    "residence": str,
    "party": str,
    "country": str,
    "claims_treaty": bool,
    "content_sha256": str,
}
_REMITTANCE = {
    "remittance": str,
    "authority": str,
    "tax": str,
    "period": str,
    "content_sha256": str,
    "amount_minor": int,
    "currency": str,
}

WITHHOLDING: Mapping[str, KindOfFact] = {
    "tax-residence.prepared": KindOfFact(_PARTIES, _RESIDENCE),
    "tax-residence.approved": KindOfFact(_PARTIES, _RESIDENCE),
    "tax-residence.refused": KindOfFact(_PARTIES, _RESIDENCE),
    "tax.withheld": KindOfFact(
        _PARTIES,
        {
            "payout": str,
            "deal": str,
            "party": str,
            "gross_minor": int,
            "currency": str,
            "withheld": list,
        },
    ),
    "tax.returned": KindOfFact(
        _PARTIES,
        {
            "withheld": str,
            "cause": str,
            "party": str,
            "amount_minor": int,
            "currency": str,
            "state": str,
        },
    ),
    "remittance.prepared": KindOfFact(_STAFF, _REMITTANCE),
    "remittance.approved": KindOfFact(_STAFF, _REMITTANCE),
    "remittance.refused": KindOfFact(_STAFF, _REMITTANCE),
    "remittance.paid": KindOfFact(_STAFF, _REMITTANCE),
    "remittance.returned": KindOfFact(_STAFF, _REMITTANCE),
    "remittance.receipted": KindOfFact(_PARTIES, {**_REMITTANCE, "receipt": str, "issued_on": str}),
}
