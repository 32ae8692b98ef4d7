"""Every kind of fact there is, with its audience and the schema of its record.

Ids are text (UUID), times are RFC 3339 UTC text, amounts are integer minor units beside a currency.
"""

from collections.abc import Mapping

from contracts.facts.agreements import AGREEMENTS
from contracts.facts.archives import ARCHIVES
from contracts.facts.authorities import AUTHORITIES
from contracts.facts.banking import BANKING
from contracts.facts.changes import CHANGES
from contracts.facts.deliveries import DELIVERIES
from contracts.facts.lateness import LATENESS
from contracts.facts.lives import LIVES
from contracts.facts.notices import NOTICES
from contracts.facts.refunding import REFUNDING
from contracts.facts.royalties import ROYALTIES
from contracts.facts.rules import Audience, KindOfFact
from contracts.facts.texts import TEXTS
from contracts.facts.withholding import WITHHOLDING
from contracts.facts.witnessing import WITNESSING

_PUBLIC, _PARTIES, _STAFF = Audience.PUBLIC, Audience.PARTIES, Audience.STAFF
_SIDES = Audience.SIDES
_MAYBE = (str, type(None))

KINDS: Mapping[str, KindOfFact] = {
    # parties and their keys
    "party.registered": KindOfFact(_PARTIES, {"party": str, "kind": str}),
    "party.verified": KindOfFact(_PARTIES, {"party": str, "by": str}),
    **AUTHORITIES,
    # works and who owns them
    "work.registered": KindOfFact(_PARTIES, {"work": str, "party": str, "title_sha256": str}),
    "work.placed": KindOfFact(
        _PARTIES, {"work": str, "parent": str, "root": str, "unit_first": int, "unit_after": int}
    ),
    "work.dated": KindOfFact(
        _PARTIES, {"work": str, "completed_on": _MAYBE, "published_on": _MAYBE}
    ),
    "shares.declared": KindOfFact(_PARTIES, {"work": str, "shares": list}),
    "shares.consented": KindOfFact(_PARTIES, {"work": str, "party": str}),
    # offers that came as avails
    "avails.imported": KindOfFact(
        _PARTIES,
        {
            "import": str,
            "party": str,
            "sha256": str,
            "created": int,
            "changed": int,
            "unchanged": int,
            "withdrawn": int,
        },
    ),
    # what limits works, and what has been shown of them
    "encumbrance.declared": KindOfFact(
        _PARTIES,
        {
            "encumbrance": str,
            "work": str,
            "kind": str,
            "terms": dict,
            "beneficiary": _MAYBE,
            "reference": _MAYBE,
            "document_sha256": _MAYBE,
        },
    ),
    "encumbrance.lifted": KindOfFact(
        _PARTIES, {"encumbrance": str, "work": str, "reason": str, "by": _MAYBE}
    ),
    "consent.given": KindOfFact(
        _PARTIES,
        {
            "consent": str,
            "encumbrance": str,
            "work": str,
            "terms": dict,
            "document_sha256": _MAYBE,
            "by": _MAYBE,
        },
    ),
    "event.recorded": KindOfFact(
        _PARTIES, {"work": str, "event": str, "happened_on": str, "reason": _MAYBE}
    ),
    "run-rule.agreed": KindOfFact(
        _PARTIES,
        {
            "grant": str,
            "work": str,
            "repeats_max": int,
            "within_hours": (int, type(None)),
            "within_days": (int, type(None)),
            "same_channel": bool,
            "day_starts_min": int,
        },
    ),
    "telecast.logged": KindOfFact(
        _PARTIES,
        {
            "telecast": str,
            "grant": str,
            "work": str,
            "channel": str,
            "started_at": str,
            "runs_used": int,
        },
    ),
    "telecast.cancelled": KindOfFact(
        _PARTIES, {"telecast": str, "grant": str, "work": str, "reason": str, "runs_used": int}
    ),
    # masters
    "master.referenced": KindOfFact(_PARTIES, {"master": str, "bytes": int, "url": str}),
    "delivery.matched": KindOfFact(
        _PARTIES,
        {
            "deal": str,
            "listing": str,
            "by": str,
            "sha256": str,
            "outcome": str,
            "coverage_bp": int,
            "answer_sha256": str,
        },
    ),
    "master.received": KindOfFact(
        _PARTIES, {"master": str, "bytes": int, "sha256": str, "chunk_root": str}
    ),
    "asset.declared": KindOfFact(_PARTIES, {"asset": str, "work": str, "kind": str, "sha256": str}),
    "asset.checked": KindOfFact(
        _PARTIES, {"asset": str, "work": str, "state": str, "code": _MAYBE}
    ),
    "package.declared": KindOfFact(_PARTIES, {"package": str, "work": str, "files": int}),
    "package.checked": KindOfFact(
        _PARTIES, {"package": str, "work": str, "state": str, "faults": int, "master": _MAYBE}
    ),
    "asset.received": KindOfFact(
        _PARTIES, {"master": str, "bytes": int, "sha256": str, "chunk_root": str}
    ),
    "master.examined": KindOfFact(
        _PARTIES, {"master": str, "sha256": str, "probe_sha256": str, "fingerprint_sha256": str}
    ),
    "master.refused": KindOfFact(_PARTIES, {"master": str, "code": str}),
    "master.judged": KindOfFact(
        _PARTIES,
        {
            "master": str,
            "profile": str,
            "tier": str,
            "report_sha256": str,
            "verdict": str,
        },
    ),
    # who may watch a master
    "screener.granted": KindOfFact(_PARTIES, {"screener": str, "master": str}),
    "screener.opened": KindOfFact(_PARTIES, {"screener": str, "master": str, "viewing": str}),
    "screener.revoked": KindOfFact(_PARTIES, {"screener": str, "master": str}),
    # what masters resemble, and what is said of it
    "master.recognised": KindOfFact(
        _PARTIES, {"master": str, "state": str, "epoch": int, "found": int, "found_sha256": str}
    ),
    "recognition.asked": KindOfFact(_PARTIES, {"master": str}),
    "recognition.decided": KindOfFact(_PARTIES, {"master": str, "outcome": str, "reason": str}),
    "declaration.made": KindOfFact(
        _PARTIES, {"declaration": str, "master": str, "claim": str, "listing": str}
    ),
    "declaration.objected": KindOfFact(
        _PARTIES, {"declaration": str, "master": str, "objection": str}
    ),
    "declaration.decided": KindOfFact(
        _PARTIES, {"declaration": str, "master": str, "outcome": str, "reason": str}
    ),
    # the market
    "listing.published": KindOfFact(
        _PUBLIC,
        {
            "listing": str,
            "work": str,
            "title": dict,
            "master": str,
            "master_sha256": str,
            "master_chunk_root": _MAYBE,
            "probe_sha256": str,
            "fingerprint_sha256": str,
            "rights": list,
            "sale": dict,
            "party": str,
            "auction": str,
        },
    ),
    "listing.ended": KindOfFact(_PUBLIC, {"listing": str, "outcome": str}),
    "fees.announced": KindOfFact(
        _PUBLIC, {"announcement": str, "schedule": str, "sha256": str, "valid_from": str}
    ),
    "fees.prepared": KindOfFact(_STAFF, {"announcement": str, "content_sha256": str}),
    "fees.refused": KindOfFact(_STAFF, {"announcement": str, "content_sha256": str}),
    "auction.opened": KindOfFact(
        _PUBLIC,
        {"auction": str, "listing": str, "rulebook_sha256": str, "opens_at": str, "closes_at": str},
    ),
    "bid.placed": KindOfFact(
        _PUBLIC,
        {
            "auction": str,
            "bid": str,
            "paddle": (int, type(None)),  # null while bidders stay hidden, and so the sequence
            "amount_minor": int,  # the visible price after it
            "currency": str,
            "sequence": (int, type(None)),
            "received_at": str,
            "closes_at": str,
        },
    ),
    "bid.received": KindOfFact(  # where amounts are secret or sealed; read by the bidder
        _PARTIES, {"auction": str, "bid": str, "event_sha256": str, "received_at": str}
    ),
    "bidding.ended": KindOfFact(  # the result comes later
        _PUBLIC, {"auction": str, "listing": str, "method": str, "closed_at": str}
    ),
    "auction.closed": KindOfFact(
        _PUBLIC,
        {
            "auction": str,
            "listing": str,
            "sold": bool,
            "bid": _MAYBE,
            "amount_minor": (int, type(None)),
            "currency": str,
            "bids": int,
            "closed_at": str,
            "result_sha256": str,
            "log_head": str,  # the auction's log up to its result
        },
    ),
    "clock.stepped": KindOfFact(_STAFF, {"ingress": _MAYBE, "offset_ms": int, "found_at": str}),
    "award.made": KindOfFact(
        _PARTIES,
        {
            "auction": str,
            "listing": str,
            "work": str,
            "licensor": str,
            "licensee": str,
            "bid": str,
            "amount_minor": int,
            "currency": str,
            "rights": (list, type(None)),  # of the listing's rights; null for all of them
            "price": (dict, type(None)),  # how the price is reckoned; null for the fixed amount
        },
    ),
    **NOTICES,
    **BANKING,
    **LATENESS,
    **ROYALTIES,
    **REFUNDING,
    **WITHHOLDING,
    **ARCHIVES,
    **WITNESSING,
    **LIVES,
    **DELIVERIES,
    **CHANGES,
    **AGREEMENTS,
    **TEXTS,
    # negotiated in private: nobody but the two sides reads these
    "offerable.opened": KindOfFact(_PARTIES, {"offerable": str, "work": str, "models": list}),
    "offerable.closed": KindOfFact(_PARTIES, {"offerable": str, "work": str}),
    "offer.made": KindOfFact(
        _SIDES,
        {
            "offer": str,
            "version": str,
            "number": int,
            "by": str,
            "version_sha256": str,
            "expires_at": str,
        },
    ),
    "offer.accepted": KindOfFact(
        _SIDES, {"offer": str, "version": str, "version_sha256": str, "by": str}
    ),
    "offer.ended": KindOfFact(_SIDES, {"offer": str, "outcome": str, "reason": _MAYBE}),
    "request.made": KindOfFact(
        _SIDES, {"request": str, "sha256": str, "open": bool, "deadline_at": str}
    ),
    "request.ended": KindOfFact(_SIDES, {"request": str, "outcome": str, "commitments": list}),
    "award.lapsed": KindOfFact(_PARTIES, {"auction": str, "listing": str, "reason": str}),
    # deals and the register
    "deal.opened": KindOfFact(
        _PARTIES,
        {
            "deal": str,
            "listing": _MAYBE,
            "offer": _MAYBE,
            "terms_sha256": str,
            "supersedes": _MAYBE,
        },
    ),
    "deal.certified": KindOfFact(
        _PARTIES, {"deal": str, "terms_sha256": str, "base_sha256": str, "pdf_sha256": str}
    ),
    "deal.signed": KindOfFact(
        _PARTIES,
        {"deal": str, "party": str, "role": str, "spki_sha256": str, "pdf_sha256": str},
    ),
    "deal.executed": KindOfFact(
        _PARTIES,
        {
            "deal": str,
            "terms_sha256": str,
            "pdf_sha256": str,
            "amount_minor": int,
            "currency": str,
            "policy_sha256": _MAYBE,  # of the witnesses' policy that performance waits for
        },
    ),
    "deal.voided": KindOfFact(_PARTIES, {"deal": str, "reason": str, "by": str}),
    "grant.made": KindOfFact(_PARTIES, {"deal": str, "work": str, "grants": list}),
    "grant.recorded": KindOfFact(
        _PARTIES,
        {
            "work": str,
            "record": str,
            "grantor": str,
            "licensee": _MAYBE,
            "licensee_name": _MAYBE,
            "grants": list,
            "documents": list,
        },
    ),
    "grant.reverted": KindOfFact(
        _PARTIES,
        {
            "work": str,
            "grant": str,
            "deal": _MAYBE,
            "reason": str,
            "note": str,
            "by": str,
            "ended": list,
        },
    ),
    "hold.placed": KindOfFact(
        _PARTIES,
        {
            "work": str,
            "hold": str,
            "grantor": str,
            "grantee": str,
            "expires_at": str,
            "grants": list,
        },
    ),
    "hold.lifted": KindOfFact(_PARTIES, {"work": str, "hold": str, "grants": list}),
    "hold.expired": KindOfFact(
        _PARTIES, {"work": str, "source": str, "deal": _MAYBE, "grants": list}
    ),
    "document.filed": KindOfFact(
        _PARTIES, {"work": str, "document": str, "kind": str, "sha256": str, "bytes": int}
    ),
    # deposits (保证金); nothing is recorded of them while their auction runs
    "deposit.released": KindOfFact(
        _PARTIES, {"auction": str, "party": str, "amount_minor": int, "currency": str}
    ),
    "deposit.applied": KindOfFact(
        _PARTIES,
        {
            "auction": str,
            "party": str,
            "deal": str,
            "invoice": str,
            "amount_minor": int,
            "currency": str,
        },
    ),
    "deposit.forfeited": KindOfFact(
        _PARTIES,
        {"auction": str, "party": str, "amount_minor": int, "currency": str, "reason": str},
    ),
    "deposit.distributed": KindOfFact(
        _PARTIES,
        {
            "auction": str,
            "party": str,
            "amount_minor": int,
            "currency": str,
            "fees_minor": int,
            "shortfall_minor": int,
            "seller_minor": int,
            "claim_minor": int,
        },
    ),
    "settlement.booked": KindOfFact(_PARTIES, {"deal": str, "payout": str, "postings_sha256": str}),
}
