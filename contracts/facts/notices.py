"""Kinds of fact about notices: disclosures, incidents of auctions, screens, opened seals.

They are part of `contracts.facts.kinds.KINDS`, which is what everybody asks.
"""

from collections.abc import Mapping

from contracts.facts.rules import Audience, KindOfFact

_PUBLIC, _PARTIES, _STAFF = Audience.PUBLIC, Audience.PARTIES, Audience.STAFF
_MAYBE = (str, type(None))

NOTICES: Mapping[str, KindOfFact] = {
    # what is disclosed before a sale, and its result
    "ownership.declared": KindOfFact(
        _PARTIES, {"party": str, "ownership": str, "by_exchange": bool}
    ),
    "disclosure.filed": KindOfFact(
        _PARTIES,
        {
            "listing": str,
            "party": str,
            "floor_minor": int,
            "assessed_minor": int,
            "currency": str,
        },
    ),
    "disclosure.reviewed": KindOfFact(_PARTIES, {"listing": str, "outcome": str, "reason": _MAYBE}),
    "disclosure.begun": KindOfFact(
        _PUBLIC,
        {
            "listing": str,
            "work": str,
            "floor_minor": int,
            "assessed_minor": int,
            "currency": str,
            "started_on": str,
            "last_on": str,
            "working_days": int,
        },
    ),
    "disclosure.changed": KindOfFact(
        _PUBLIC, {"listing": str, "kind": str, "reason": str, "last_on": _MAYBE}
    ),
    "disclosure.ended": KindOfFact(_PUBLIC, {"listing": str, "outcome": str, "basis": str}),
    "result.publicised": KindOfFact(
        _PUBLIC,
        {
            "listing": str,
            "work": str,
            "assessed_minor": int,
            "floor_minor": int,
            "price_minor": int,
            "currency": str,
            "from": str,
            "until": str,
        },
    ),
    # incidents of auctions
    "incident.proposed": KindOfFact(
        _STAFF, {"incident": str, "auction": str, "kind": str, "reason": str, "by": str}
    ),
    "incident.decided": KindOfFact(_STAFF, {"incident": str, "outcome": str, "by": str}),
    "auction.paused": KindOfFact(_PUBLIC, {"auction": str, "listing": str, "reason": str}),
    "auction.resumed": KindOfFact(
        _PUBLIC, {"auction": str, "listing": str, "closes_at": str, "hard_stop_at": _MAYBE}
    ),
    "auction.voided": KindOfFact(
        _PUBLIC, {"auction": str, "listing": str, "reason": str, "successor": _MAYBE}
    ),
    "auction.invited": KindOfFact(_PARTIES, {"auction": str, "listing": str, "supersedes": str}),
    "award.defaulted": KindOfFact(_PUBLIC, {"auction": str, "listing": str, "reason": str}),
    # leads for people to look at
    "screens.run": KindOfFact(
        _STAFF, {"run": str, "auctions": int, "leads": int, "findings_sha256": str}
    ),
    # sealed bids
    "opening.registered": KindOfFact(_PARTIES, {"auction": str, "key_sha256": str, "party": str}),
    "opening.acknowledged": KindOfFact(
        _PARTIES, {"auction": str, "key_sha256": str, "holder": str}
    ),
    "share.released": KindOfFact(_PUBLIC, {"auction": str, "holder": str}),
    "bid.revealed": KindOfFact(_PARTIES, {"auction": str, "bid": str}),
    "bids.revealed": KindOfFact(
        _PUBLIC,
        {
            "auction": str,
            "listing": str,
            "method": str,
            "opened": int,
            "failed": int,
            "revealed_at": str,
        },
    ),
    "seal.failed": KindOfFact(
        _PARTIES, {"auction": str, "listing": str, "bid": str, "party": str, "reason": str}
    ),
}
