"""Checks of what was sold and signed: listing record, terms, contract, signatures."""

from collections.abc import Mapping, Sequence
from typing import Any

from contracts import canonical
from contracts.deals import extraction, verification, words, works
from contracts.deals.sealing import ROLES
from contracts.deals.verification import SignatureVerdict
from contracts.evidence import origin_checks
from contracts.evidence.opened import (
    BASE,
    CONTRACT,
    EVENTS,
    FINGERPRINT,
    LISTING,
    PROBE,
    ROOT,
    TERMS,
    TIME_ROOTS,
    Bundle,
    Event,
    Failed,
    all_same,
    of_work,
)
from contracts.money import Money
from contracts.parties import endorsing

# What a contract and the listing that it names say alike.
BOUND = ("listing", "master", "master_sha256", "probe_sha256", "fingerprint_sha256")


def listing(bundle: Bundle) -> str:
    """The listing is the published one, and binds probe and fingerprint."""
    assets = works.assets(bundle.json(TERMS))
    said = [
        _listed(bundle, asset["listing"], place=place, count=len(assets))
        for place, asset in enumerate(assets)
        if asset["listing"] is not None
    ]
    return "; ".join(said) or "never listed: negotiated in private"


def _listed(bundle: Bundle, listing_id: str, *, place: int, count: int) -> str:
    files = {name: of_work(place, name, count=count) for name in (LISTING, PROBE, FINGERPRINT)}
    for name in files.values():
        if name not in bundle.files:
            raise Failed(name, "is missing")
    record = bundle.of(listing_id, "listing.published").record
    if bundle.json(files[LISTING]) != record:
        raise Failed(files[LISTING], "is not the record that was published")
    for name, field in ((PROBE, "probe_sha256"), (FINGERPRINT, "fingerprint_sha256")):
        bundle.json(files[name])
        if canonical.sha256_hex(bundle.files[files[name]]) != record[field]:
            raise Failed(files[name], f"is not what the listing's {field} names")
    return f"listing {record['listing']}, master {record['master_sha256'][:16]}…"


def terms(bundle: Bundle) -> str:
    """The terms are those recorded, those in the PDF, and those of this award."""
    agreed = bundle.json(TERMS)
    digest = canonical.sha256_hex(bundle.files[TERMS])
    for kind in ("deal.opened", "deal.certified", "deal.executed"):
        if bundle.one(kind).record["terms_sha256"] != digest:
            raise Failed(TERMS, f"is not what {kind} recorded")
    if any(one != bundle.files[TERMS] for one in verification.attachments(bundle.files[CONTRACT])):
        raise Failed(CONTRACT, "carries other terms than terms.json")
    first = bundle.json(bundle.first_terms)
    sides = {side["role"]: side["party"] for side in first["parties"]}
    executed = bundle.one("deal.executed").record
    price = Money(executed["amount_minor"], executed["currency"])
    in_words = words.in_chinese(price)
    same = [
        (agreed["deal"], str(bundle.manifest.deal)),
        (agreed["consideration"]["amount"], price.decimal()),
        (agreed["consideration"]["currency"], price.currency),
        (agreed["consideration"].get("in_words", in_words), in_words),
        *origin_checks.agreed(bundle, first, sides),
    ]
    for asset in works.assets(agreed):
        if asset["listing"] is not None:
            published = bundle.of(asset["listing"], "listing.published")
            same += [(asset["fact"], published.fact)]
            same += [(asset[field], published.record[field]) for field in BOUND]
    same += _worth(agreed)
    all_same(same, TERMS, "does not fit what was agreed and listed")
    return f"contract {agreed['contract']}, terms {digest[:16]}…"


def _worth(agreed: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """Return what a package has to say alike: its works, their rights, what they are worth."""
    if "works" not in agreed:
        return []
    worth = works.worth(agreed)
    whole = sum(amount.amount_minor for _, amount in worth)
    places = [place for one in agreed["works"] for place in one["grants"]]
    return [
        ([str(work) for work, _ in worth], [one["work"] for one in agreed["works"]]),
        (Money(whole, worth[0][1].currency).decimal(), agreed["consideration"]["amount"]),
        (places, list(range(len(agreed["grants"])))),
    ]


def contract(bundle: Bundle) -> str:
    """The PDF is, byte for byte, the one recorded last: as executed, or as archived since."""
    digest = canonical.sha256_hex(bundle.files[CONTRACT])
    recorded = [
        event.record["pdf_sha256"]
        for kind in ("deal.executed", "deal.archived", "deal.lta-refreshed")
        for event in bundle.all_of(kind)
    ]
    if not recorded or recorded[-1] != digest:
        raise Failed(CONTRACT, "is not the file that was recorded as executed, or archived")
    closed = verdicts_of(bundle)[-1].sha256
    if closed != bundle.one("deal.executed").record["pdf_sha256"]:
        raise Failed(CONTRACT, "does not begin with the file that was recorded as executed")
    return f"contract.pdf {digest[:16]}…"


def signatures(bundle: Bundle) -> str:
    """Exchange, licensor and licensee signed, in this order, with the keys that were registered."""
    verdicts = verdicts_of(bundle)
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
        if not was_registered(bundle, event):
            raise Failed(EVENTS, f"the key of the {event.record['role']} was not in force")
    return "; ".join(f"{one.role}: {one.signer}" for one in verdicts)


def copies(bundle: Bundle) -> str:
    """The text as typeset begins the contract; the copies of signatures are those inside it."""
    if BASE not in bundle.files and not _copies(bundle.files):
        return "none in this bundle"
    return copied(bundle, bundle.one("deal.certified").record["base_sha256"], roles=ROLES)


def copied(bundle: Bundle, base_sha256: str, *, roles: Sequence[str]) -> str:
    """The text as typeset has the hash that was recorded; copies are those of the file."""
    pdf, given = bundle.files[CONTRACT], _copies(bundle.files)
    base = bundle.files.get(BASE, b"")
    digest = canonical.sha256_hex(base)
    if digest != base_sha256 or not pdf.startswith(base):
        raise Failed(BASE, "is not the text that was certified")
    inside = extraction.copies(pdf, roles=roles)
    for name in sorted(given.keys() | inside.keys()):
        if given.get(name) != inside.get(name):
            raise Failed(name, "is not the copy of what the contract holds")
    return f"base.pdf {digest[:16]}…, {len(inside)} copies"


def verdicts_of(bundle: Bundle, *, roles: Sequence[str] = ROLES) -> Sequence[SignatureVerdict]:
    """Judge each signature of the file, once; `roles` are all who sign it, in their order."""
    if tuple(roles) not in bundle.judged:
        bundle.judged[tuple(roles)] = verification.check_signatures(
            bundle.files[CONTRACT],
            bundle.files[ROOT],
            time_roots_pem=bundle.files.get(TIME_ROOTS, b""),
            roles=roles,
        )
    return bundle.judged[tuple(roles)]


def _copies(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: held for name, held in files.items() if name.startswith(extraction.FOLDERS)}


def was_registered(bundle: Bundle, signed: Event) -> bool:
    """Tell whether the party had registered this key, and not revoked it, when it signed.

    Where the record says that an earlier key vouched for it, that key did.
    """
    wanted = (signed.record["party"], signed.record["spki_sha256"])
    before = [
        event
        for event in bundle.events
        if event.index < signed.index
        and event.kind in ("key.registered", "key.revoked")
        and (event.record["party"], event.record["spki_sha256"]) == wanted
    ]
    kinds = [event.kind for event in before]
    return kinds == ["key.registered"] and endorsing.recorded(before[0].record)


def _record(event: Event) -> Mapping[str, Any]:
    return event.record
