"""Checks of an agreement with the exchange: its terms, the auction's rules, its signatures."""

from contracts import canonical
from contracts.deals import verification
from contracts.deals.sealing import AGREEMENT_ROLES
from contracts.evidence import deal_checks
from contracts.evidence.opened import (
    CONTRACT,
    EVENTS,
    RULEBOOK,
    TERMS,
    Bundle,
    Failed,
    all_same,
)
from contracts.money import Money


def terms(bundle: Bundle) -> str:
    """The terms are those that were certified, those in the PDF, and this party's."""
    agreed = bundle.json(TERMS)
    digest = canonical.sha256_hex(bundle.files[TERMS])
    certified, signed = bundle.one("agreement.certified"), bundle.one("agreement.signed")
    if any(one != bundle.files[TERMS] for one in verification.attachments(bundle.files[CONTRACT])):
        raise Failed(CONTRACT, "carries other terms than terms.json")
    parties = {side["role"]: side["party"] for side in agreed["parties"]}
    same = [
        (digest, certified.record["terms_sha256"]),
        (agreed["agreement"], str(bundle.manifest.deal)),
        (certified.subject, agreed["agreement"]),
        (agreed["auction"], certified.record["about"]),
        (parties["bidder"], certified.record["party"]),
        (parties["bidder"], signed.record["party"]),
    ]
    all_same(same, TERMS, "does not fit what was certified and signed")
    return f"agreement {agreed['agreement']}, terms {digest[:16]}…"


def rulebook(bundle: Bundle) -> str:
    """The deposit, its day and what it is lost for are those of the auction's rules."""
    agreed, book = bundle.json(TERMS), bundle.json(RULEBOOK)
    digest = canonical.sha256_hex(bundle.files[RULEBOOK])
    deposit = Money(book["admission"]["deposit_minor"], book["currency"])
    same = [
        (digest, agreed["rulebook_sha256"]),
        (book["auction"], agreed["auction"]),
        (book["admission"]["agreement"], "signed"),
        (deposit.decimal(), agreed["consideration"]["amount"]),
        (deposit.currency, agreed["consideration"]["currency"]),
        (book["forfeits"], [one["code"] for one in agreed["forfeits"]]),
    ]
    all_same(same, RULEBOOK, "is not what the agreement was made under")
    return f"rulebook {digest[:16]}…, deposit {deposit.currency} {deposit.decimal()}"


def contract(bundle: Bundle) -> str:
    """The PDF is, byte for byte, the one recorded last: as signed, or as archived since."""
    digest = canonical.sha256_hex(bundle.files[CONTRACT])
    kinds = ("agreement.signed", "agreement.archived")
    recorded = [one.record["pdf_sha256"] for kind in kinds for one in bundle.all_of(kind)]
    if not recorded or recorded[-1] != digest:
        raise Failed(CONTRACT, "is not the file that was recorded as signed, or archived")
    return f"contract.pdf {digest[:16]}…"


def signatures(bundle: Bundle) -> str:
    """Exchange and bidder signed, in this order, the bidder with a key that was registered."""
    verdicts = deal_checks.verdicts_of(bundle, roles=AGREEMENT_ROLES)
    if [verdict.role for verdict in verdicts] != list(AGREEMENT_ROLES):
        raise Failed(CONTRACT, "is not signed by exchange and bidder")
    for verdict in verdicts:
        if not verdict.good:
            raise Failed(CONTRACT, f"the signature of the {verdict.role} does not hold")
    certified, signed = bundle.one("agreement.certified"), bundle.one("agreement.signed")
    first, last = verdicts
    same = [
        (first.sha256, certified.record["pdf_sha256"]),
        (last.sha256, signed.record["pdf_sha256"]),
        (last.spki_sha256, signed.record["spki_sha256"]),
    ]
    all_same(same, CONTRACT, "is not signed as it was recorded")
    if not deal_checks.was_registered(bundle, signed):
        raise Failed(EVENTS, "the key of the bidder was not in force")
    return "; ".join(f"{one.role}: {one.signer} ({one.level})" for one in verdicts)


def copies(bundle: Bundle) -> str:
    """The text as typeset begins the agreement; copies of signatures are those inside it."""
    certified = bundle.one("agreement.certified").record
    return deal_checks.copied(bundle, certified["base_sha256"], roles=AGREEMENT_ROLES)
