"""Kinds of fact about money: invoices, payouts, payees' accounts, files of banks, suspense.

They are part of `contracts.facts.kinds.KINDS`, which is what everybody asks. No account number is
ever told: who may see it reads it where it is kept, and the hash says that it is the same.
"""

from collections.abc import Mapping

from contracts.facts.rules import Audience, KindOfFact

_PARTIES, _STAFF = Audience.PARTIES, Audience.STAFF
_MAYBE = (str, type(None))
_ACCOUNT = {"account": str, "party": str, "content_sha256": str}
_FILE = {
    "file": str,
    "message": str,
    "content_sha256": str,
    "items": int,
    "sum_minor": int,
    "currency": str,
}
_BATCH = {"batch": str, "content_sha256": str}
_ORDER = {"order": str, "kind": str, "content_sha256": str}
_RELEASE = {"release": str, "content_sha256": str}
_SWEEP = {
    "sweep": str,
    "account": str,
    "content_sha256": str,
    "amount_minor": int,
    "currency": str,
}

BANKING: Mapping[str, KindOfFact] = {
    "invoice.issued": KindOfFact(
        _PARTIES,
        {"invoice": str, "deal": str, "number": str, "amount_minor": int, "currency": str},
    ),
    "payment.received": KindOfFact(
        _PARTIES,
        {
            "invoice": str,
            "payment": str,
            "deal": str,
            "amount_minor": int,
            "currency": str,
            "provider": str,
        },
    ),
    "payout.prepared": KindOfFact(_PARTIES, {"payout": str, "deal": str, "content_sha256": str}),
    "payout.approved": KindOfFact(_PARTIES, {"payout": str, "content_sha256": str}),
    "payout.refused": KindOfFact(_PARTIES, {"payout": str, "content_sha256": str}),
    "payout-batch.prepared": KindOfFact(_STAFF, _BATCH),
    "payout-batch.approved": KindOfFact(_STAFF, _BATCH),
    "payout-batch.refused": KindOfFact(_STAFF, _BATCH),
    "ledger-order.prepared": KindOfFact(_STAFF, _ORDER),
    "ledger-order.approved": KindOfFact(_STAFF, _ORDER),
    "ledger-order.refused": KindOfFact(_STAFF, _ORDER),
    "transfer.made": KindOfFact(
        _PARTIES,
        {"payout": str, "party": str, "amount_minor": int, "currency": str, "provider": str},
    ),
    "bank-account.declared": KindOfFact(_PARTIES, _ACCOUNT),
    "bank-account.withdrawn": KindOfFact(_PARTIES, _ACCOUNT),
    "bank-account.verified": KindOfFact(_PARTIES, _ACCOUNT),
    "bank-account.refused": KindOfFact(_PARTIES, _ACCOUNT),
    "collecting-account.approved": KindOfFact(_STAFF, {"proposal": str, "content_sha256": str}),
    "payment-file.prepared": KindOfFact(_STAFF, _FILE),
    "payment-file.approved": KindOfFact(_STAFF, _FILE),
    "payment-file.refused": KindOfFact(_STAFF, _FILE),
    "payment-file.reported": KindOfFact(
        _STAFF,
        {
            "file": str,
            "message": str,
            "report": str,
            "accepted": int,
            "pending": int,
            "rejected": int,
        },
    ),
    "transfer.rejected": KindOfFact(
        _PARTIES,
        {"payout": str, "party": str, "amount_minor": int, "currency": str, "reason": _MAYBE},
    ),
    "statement.imported": KindOfFact(
        _STAFF,
        {
            "statement": str,
            "account": str,
            "entries": int,
            "matched": int,
            "closing_minor": int,
            "currency": str,
        },
    ),
    "provider.compared": KindOfFact(
        _STAFF,
        {
            "cutoff": str,
            "currency": str,
            "entries": int,
            "ledger_minor": int,
            "provider_minor": int,
            "items": int,
        },
    ),
    "provider-suspense.taken": KindOfFact(
        _STAFF,
        {"item": str, "reference": str, "owner": str, "amount_minor": int, "currency": str},
    ),
    "sweep.prepared": KindOfFact(_STAFF, _SWEEP),
    "sweep.approved": KindOfFact(_STAFF, _SWEEP),
    "sweep.refused": KindOfFact(_STAFF, _SWEEP),
    "sweep.made": KindOfFact(_STAFF, _SWEEP),
    "sweep.failed": KindOfFact(_STAFF, _SWEEP),
    "sweep.landed": KindOfFact(_STAFF, _SWEEP),
    "transfer.returned": KindOfFact(
        _PARTIES,
        {"payout": str, "party": str, "amount_minor": int, "currency": str, "reason": _MAYBE},
    ),
    "suspense.proposed": KindOfFact(_STAFF, _RELEASE),
    "suspense.released": KindOfFact(_STAFF, _RELEASE),
    "suspense.refused": KindOfFact(_STAFF, _RELEASE),
}
