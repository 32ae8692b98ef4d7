"""Each check of the evidence on its own: a bundle that breaks its one rule fails it, by name.

The log's own checks would notice most of these forgeries first. Here they are passed by, because
the exchange itself could have sealed a false fact: then the other checks have to see it.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from contracts.evidence import (
    archive,
    deal_checks,
    log_checks,
    manifest,
    money_checks,
    origin_checks,
)
from contracts.evidence.opened import (
    CHECKPOINT,
    EVENTS,
    FINGERPRINT,
    LISTING,
    POSTINGS,
    PROBE,
    Bundle,
    Failed,
    read_events,
)
from contracts.log import checkpoint, note
from contracts.log.gateway import LogSigner
from contracts.parties.gateway import LocalAuthority
from exchange import keys
from exchange.db import Database
from exchange.evidence import bundle
from exchange.evidence.verify import replay
from exchange.settings import Settings
from tests.exchange.evidence_changes import (
    Change,
    cheaper,
    cut_back,
    fact,
    file,
    late_key,
    old,
    other_terms,
    pocket,
    postings,
    rename,
    revoked_key,
    spoil_proof,
    swap_proofs,
    twice,
    with_events,
    with_file,
    without,
)
from tests.exchange.evidence_factory import settled_trade

CHECKS = (
    log_checks.proofs,
    log_checks.leaves,
    log_checks.chains,
    deal_checks.listing,
    origin_checks.origin,
    deal_checks.terms,
    deal_checks.contract,
    deal_checks.signatures,
    money_checks.stage,
    money_checks.balance,
    money_checks.settlement,
)
Check = Callable[[Bundle], str]


@pytest.fixture(scope="module")
async def whole(db: Database, settings: Settings) -> Bundle:
    """The opened evidence of a settled trade."""
    trade = await settled_trade(db, settings)
    signer = keys.log_signer(settings)
    async with db.transaction() as session:
        _, raw = await bundle.assemble(
            session,
            trade.deal.id,
            party=trade.licensee.id,
            signer=signer,
            authority=LocalAuthority.open(settings.keys),
        )
    return opened(raw, signer)


def opened(raw: bytes, signer: LogSigner) -> Bundle:
    files = archive.unpack(raw).files
    signed = note.open_note(files[manifest.FILE].decode(), trusted=[signer.verifier])
    tree = checkpoint.open_checkpoint(
        files[CHECKPOINT].decode(), origin=signer.origin, trusted=[signer.verifier]
    )
    return Bundle(
        files,
        manifest.parse(signed),
        signer.verifier,
        tree,
        read_events(files[EVENTS]),
        replay,
    )


X = "00" * 32
BROKEN: dict[str, tuple[Check, Change, str]] = {
    "a proof too many": (
        log_checks.proofs,
        lambda whole: with_file(whole, "proofs/x.tlog-proof", b""),
        "one proof for each fact",
    ),
    "the proof of another fact": (log_checks.proofs, swap_proofs, "the proof of this fact"),
    "a proof under another checkpoint": (
        log_checks.proofs,
        lambda whole: with_file(whole, CHECKPOINT, whole.files[CHECKPOINT] + b"\n"),
        "under checkpoint.txt",
    ),
    "a proof that leads elsewhere": (log_checks.proofs, spoil_proof, "does not lead"),
    "a record that is not in its leaf": (
        log_checks.leaves, fact("bid.placed", paddle=9), "does not open its leaf",
    ),
    "a fact about something else": (
        log_checks.chains, fact("deal.opened", deal="another"), "about something else",
    ),
    "a fact that is missing": (log_checks.chains, without("deal.certified"), "is missing"),
    "a fact that has no place": (
        log_checks.chains,
        lambda whole: with_events(
            whole, [replace(whole.events[0], kind="party.verified"), *whole.events[1:]]
        ),
        "has no place",
    ),
    "a listing that was published twice": (
        deal_checks.listing, twice("listing.published"), "not one",
    ),
    "another listing than was published": (
        deal_checks.listing, file(LISTING, lambda v: {**v, "party": "x"}), "was published",
    ),
    "a listing that is not canonical": (
        deal_checks.listing,
        lambda whole: with_file(whole, LISTING, whole.files[LISTING] + b" "),
        "canonical",
    ),
    "another probe than the listing binds": (
        deal_checks.listing, file(PROBE, lambda v: {**v, "uhd": None}), "probe_sha256",
    ),
    "another fingerprint than the listing binds": (
        deal_checks.listing, file(FINGERPRINT, lambda v: {**v, "version": "u0"}),
        "fingerprint_sha256",
    ),
    "a log of the auction with another bid": (
        origin_checks.origin, cheaper, "event",
    ),
    "an award that is not in the result": (
        origin_checks.origin, fact("award.made", amount_minor=1), "is not the award",
    ),
    "a close with another result": (
        origin_checks.origin, fact("auction.closed", result_sha256=X), "result was recorded",
    ),
    "a close that counts other bids": (
        origin_checks.origin, fact("auction.closed", bids=5), "result was recorded",
    ),
    "an award in another currency": (
        origin_checks.origin, fact("award.made", currency="USD"), "result was recorded",
    ),
    "a close with another end of the log": (
        origin_checks.origin, fact("auction.closed", log_head=X), "recorded as its last",
    ),
    "an award of another auction": (
        origin_checks.origin, fact("award.made", auction="x"), "result was recorded",
    ),
    "a bid too few": (origin_checks.origin, old(fact("auction.closed", bids=5)), "as many"),
    "no bid at all": (
        origin_checks.origin,
        old(without("bid.placed"), fact("auction.closed", bids=0)),
        "as many",
    ),
    "a better bid that did not win": (
        origin_checks.origin, old(fact("bid.placed", amount_minor=10**10)), "differ in bid",
    ),
    "an award for less than the bid": (
        origin_checks.origin, old(fact("award.made", amount_minor=1)), "differ in amount_minor",
    ),
    "a close at another price": (
        origin_checks.origin, old(fact("auction.closed", amount_minor=1)), "differ in amount",
    ),
    "a deal about another listing": (
        origin_checks.origin, fact("deal.opened", listing="x"), "belong together",
    ),
    "an award of another listing": (
        origin_checks.origin, fact("listing.published", listing="x"), "belong together",
    ),
    "another deal than the bundle's": (
        origin_checks.origin, fact("deal.executed", deal="x"), "belong together",
    ),
    "a deal for another price": (
        origin_checks.origin, fact("deal.executed", amount_minor=1), "belong together",
    ),
    "terms other than those opened": (
        deal_checks.terms, fact("deal.opened", terms_sha256=X), "deal.opened recorded",
    ),
    "terms other than those certified": (
        deal_checks.terms, fact("deal.certified", terms_sha256=X), "deal.certified recorded",
    ),
    "terms other than those executed": (
        deal_checks.terms, fact("deal.executed", terms_sha256=X), "deal.executed recorded",
    ),
    "terms other than those in the contract": (deal_checks.terms, other_terms, "other terms"),
    "terms of another master": (
        deal_checks.terms, fact("listing.published", master_sha256=X), "does not fit",
    ),
    "terms of another fingerprint": (
        deal_checks.terms, fact("listing.published", fingerprint_sha256=X), "does not fit",
    ),
    "terms of another price": (
        deal_checks.terms, fact("award.made", amount_minor=1), "does not fit",
    ),
    "terms of another licensor": (
        deal_checks.terms, fact("award.made", licensor="x"), "does not fit",
    ),
    "terms of another licensee": (
        deal_checks.terms, fact("award.made", licensee="x"), "does not fit",
    ),
    "terms of another bid": (deal_checks.terms, fact("award.made", bid="x"), "not one"),
    "another file than was executed": (
        deal_checks.contract, fact("deal.executed", pdf_sha256=X), "recorded as executed",
    ),
    "a contract that the licensee has not signed": (
        deal_checks.signatures, cut_back, "signed by exchange, licensor and licensee",
    ),
    "a signature of another key": (
        deal_checks.signatures, fact("deal.signed", spki_sha256=X), "keys that were recorded",
    ),
    "a signature on another revision": (
        deal_checks.signatures, fact("deal.signed", nth=1, pdf_sha256=X), "keys that were recorded",
    ),
    "another text than was certified": (
        deal_checks.signatures, fact("deal.certified", pdf_sha256=X), "certified text",
    ),
    "a key registered after it signed": (deal_checks.signatures, late_key, "not in force"),
    "a key revoked before it signed": (deal_checks.signatures, revoked_key, "not in force"),
    "a key that was never registered": (
        deal_checks.signatures, without("key.registered"), "not in force",
    ),
    "a key of another party": (
        deal_checks.signatures, fact("deal.signed", party="x"), "not in force",
    ),
    "a settled deal without its settlement": (
        money_checks.stage, without("settlement.booked"), "do not fit",
    ),
    "a journal that does not balance": (
        money_checks.balance,
        file(POSTINGS, lambda v: [{**v[0], "lines": v[0]["lines"][:-1]}, *v[1:]]),
        "does not balance",
    ),
    "a journal without lines": (
        money_checks.balance,
        file(POSTINGS, lambda v: [{**v[0], "lines": []}, *v[1:]]),
        "does not balance",
    ),
    "a journal that is there twice": (
        money_checks.balance, file(POSTINGS, lambda v: [*v, v[0]]), "there twice",
    ),
    "other postings than were booked": (
        money_checks.settlement, fact("settlement.booked", postings_sha256=X), "hash was recorded",
    ),
    "a payment of another price": (
        money_checks.settlement, fact("invoice.issued", amount_minor=1), "differ in amount_minor",
    ),
    "a payment of another deal": (
        money_checks.settlement, fact("deal.executed", deal="x"), "differ in deal",
    ),
    "a payment in another currency": (
        money_checks.settlement, fact("invoice.issued", currency="USD"), "differ in currency",
    ),
    "a payment that was not booked": (
        money_checks.settlement, rename("payment.received"), "moves what its fact says",
    ),
    "a transfer that was not booked": (
        money_checks.settlement, rename("transfer.made"), "moves what its fact says",
    ),
    "a transfer of more than was booked": (
        money_checks.settlement, fact("transfer.made", amount_minor=1), "moves what its fact says",
    ),
    "a transfer left out": (
        money_checks.settlement,
        lambda whole: with_events(
            whole, [one for one in whole.events if one is not whole.all_of("transfer.made")[0]]
        ),
        "not the transfers and the commission",
    ),
    "a commission that took from the payees": (
        money_checks.settlement, postings(pocket), "not the transfers and the commission",
    ),
}  # fmt: skip


def test_an_honest_bundle_passes_each_check(whole: Bundle) -> None:
    for check in CHECKS:
        assert check(whole)


@pytest.mark.parametrize("fault", BROKEN)
def test_a_bundle_that_breaks_one_rule_fails_the_check_of_it(whole: Bundle, fault: str) -> None:
    check, change, said = BROKEN[fault]
    with pytest.raises(Failed, match=said):
        check(change(whole))


def test_facts_out_of_order_or_in_another_form_are_not_read(whole: Bundle) -> None:
    raw = whole.files[EVENTS]
    first, *rest = raw.splitlines(keepends=True)
    with pytest.raises(Failed, match="order of their index"):
        read_events(b"".join([*rest, first]))
    with pytest.raises(Failed, match="order of their index"):
        read_events(first + raw)
    with pytest.raises(Failed, match="canonical form"):
        read_events(raw.replace(b'{"blind"', b'{ "blind"', 1))
