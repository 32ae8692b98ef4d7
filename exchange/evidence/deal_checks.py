"""Checks of what was sold and signed: listing record, award, terms, contract, signatures."""

from collections.abc import Iterable, Mapping
from typing import Any

from contracts import canonical
from contracts.deals import verification
from contracts.deals.sealing import ROLES
from contracts.money import Money
from exchange.evidence.opened import (
    CONTRACT,
    EVENTS,
    FINGERPRINT,
    LISTING,
    PROBE,
    ROOT,
    TERMS,
    Bundle,
    Event,
    Failed,
)


def listing(bundle: Bundle) -> str:
    """The listing is the published one, and binds probe and fingerprint."""
    record = bundle.one("listing.published").record
    if bundle.json(LISTING) != record:
        raise Failed(LISTING, "is not the record that was published")
    for name, field in ((PROBE, "probe_sha256"), (FINGERPRINT, "fingerprint_sha256")):
        bundle.json(name)
        if canonical.sha256_hex(bundle.files[name]) != record[field]:
            raise Failed(name, f"is not what the listing's {field} names")
    return f"listing {record['listing']}, master {record['master_sha256'][:16]}…"


def award(bundle: Bundle) -> str:
    """The best bid won, for its amount, and the deal is about that listing."""
    given, closed = bundle.one("award.made").record, bundle.one("auction.closed").record
    bids = [event.record for event in bundle.all_of("bid.placed")]
    best = max(bids, key=lambda bid: (bid["amount_minor"], -bid["sequence"]), default=None)
    if best is None or len(bids) != closed["bids"]:
        raise Failed(EVENTS, "the bids are not as many as the auction closed with")
    for field in ("bid", "amount_minor", "currency"):
        if not best[field] == closed[field] == given[field]:
            raise Failed(EVENTS, f"the best bid and the award differ in {field}")
    opened, executed = bundle.one("deal.opened").record, bundle.one("deal.executed").record
    same = (
        (opened["listing"], given["listing"]),
        (bundle.one("listing.published").record["listing"], given["listing"]),
        (bundle.one("listing.published").record["auction"], given["auction"]),
        (str(bundle.manifest.deal), executed["deal"]),
        (executed["amount_minor"], given["amount_minor"]),
        (executed["currency"], given["currency"]),
    )
    _all_same(same, EVENTS, "listing, award and deal do not belong together")
    return f"{len(bids)} bids; {_money(given)}"


def terms(bundle: Bundle) -> str:
    """The terms are those recorded, those in the PDF, and those of this award."""
    agreed = bundle.json(TERMS)
    digest = canonical.sha256_hex(bundle.files[TERMS])
    for kind in ("deal.opened", "deal.certified", "deal.executed"):
        if bundle.one(kind).record["terms_sha256"] != digest:
            raise Failed(TERMS, f"is not what {kind} recorded")
    if any(one != bundle.files[TERMS] for one in verification.attachments(bundle.files[CONTRACT])):
        raise Failed(CONTRACT, "carries other terms than terms.json")
    published, given = bundle.one("listing.published"), bundle.one("award.made").record
    asset, sides = agreed["asset"], {side["role"]: side["party"] for side in agreed["parties"]}
    price = Money(given["amount_minor"], given["currency"])
    same = [
        (agreed["deal"], str(bundle.manifest.deal)),
        (asset["fact"], published.fact),
        (agreed["award"], {"auction": given["auction"], "bid": given["bid"]}),
        (agreed["consideration"]["amount"], price.decimal()),
        (agreed["consideration"]["currency"], price.currency),
        (sides.get("licensor"), given["licensor"]),
        (sides.get("licensee"), given["licensee"]),
    ]
    bound = ("listing", "master", "master_sha256", "probe_sha256", "fingerprint_sha256")
    same += [(asset[field], published.record[field]) for field in bound]
    _all_same(same, TERMS, "does not fit the listing and the award")
    return f"contract {agreed['contract']}, terms {digest[:16]}…"


def contract(bundle: Bundle) -> str:
    """The PDF is, byte for byte, the one whose execution was recorded."""
    digest = canonical.sha256_hex(bundle.files[CONTRACT])
    if bundle.one("deal.executed").record["pdf_sha256"] != digest:
        raise Failed(CONTRACT, "is not the file that was recorded as executed")
    return f"contract.pdf {digest[:16]}…"


def signatures(bundle: Bundle) -> str:
    """Exchange, licensor and licensee signed, in this order, with the keys that were registered."""
    verdicts = verification.check_signatures(bundle.files[CONTRACT], bundle.files[ROOT])
    if [verdict.role for verdict in verdicts] != list(ROLES):
        raise Failed(CONTRACT, "is not signed by exchange, licensor and licensee")
    for verdict in verdicts:
        if not verdict.good:
            raise Failed(CONTRACT, f"the signature of the {verdict.role} does not hold")
    signed = bundle.all_of("deal.signed")
    recorded = [
        (one["role"], one["spki_sha256"], one["pdf_sha256"]) for one in map(_record, signed)
    ]
    if [(one.role, one.spki_sha256, one.sha256) for one in verdicts[1:]] != recorded:
        raise Failed(CONTRACT, "is not signed by the keys that were recorded")
    if verdicts[0].sha256 != bundle.one("deal.certified").record["pdf_sha256"]:
        raise Failed(CONTRACT, "is not the certified text")
    for event in signed:
        if not _was_registered(bundle, event):
            raise Failed(EVENTS, f"the key of the {event.record['role']} was not in force")
    return "; ".join(f"{one.role}: {one.signer}" for one in verdicts)


def _was_registered(bundle: Bundle, signed: Event) -> bool:
    """Tell whether the party had registered this key, and not revoked it, when it signed."""
    wanted = (signed.record["party"], signed.record["spki_sha256"])
    before = [
        event.kind
        for event in bundle.events
        if event.index < signed.index
        and event.kind.startswith("key.")
        and (event.record["party"], event.record["spki_sha256"]) == wanted
    ]
    return before == ["key.registered"]


def _record(event: Event) -> Mapping[str, Any]:
    return event.record


def _all_same(pairs: Iterable[tuple[Any, Any]], where: str, detail: str) -> None:
    for left, right in pairs:
        if left != right:
            raise Failed(where, f"{detail}: {left} is not {right}")


def _money(record: Mapping[str, Any]) -> str:
    price = Money(record["amount_minor"], record["currency"])
    return f"{price.currency} {price.decimal()}"
