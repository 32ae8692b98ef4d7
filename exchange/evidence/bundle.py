"""Putting a deal's evidence together: everything a stranger needs, in one archive.

The bytes depend on what is recorded about the deal and on nothing else: proofs and checkpoint are
those of the earliest checkpoint that covers its facts (where witnesses are asked for, of the
earliest that their quorum cosigned), however far the log has grown since.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import UUID

import anyio.to_thread
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, rfc3339
from contracts.deals import extraction, works
from contracts.deals import queries as deals
from contracts.deals.tables import Deal
from contracts.evidence import archive, handing_checks, manifest
from contracts.evidence.manifest import EXECUTED, SETTLED
from contracts.evidence.opened import (
    AUCTION,
    BASE,
    CHECKPOINT,
    CONTRACT,
    EVENTS,
    FINGERPRINT,
    LISTING,
    LOG_KEY,
    LOG_POLICY,
    OFFER,
    POSTINGS,
    PROBE,
    README,
    ROOT,
    TERMS,
    TIME_ROOTS,
    Event,
    of_work,
    patch_name,
    proof_name,
    terms_name,
)
from contracts.facts.tables import Fact
from contracts.log import queries as log
from contracts.log import rules, witnesses
from contracts.log.gateway import LogSigner
from contracts.log.tables import LogEntry
from contracts.parties import queries as parties
from contracts.parties.gateway import LocalAuthority
from contracts.refusal import Kind, Refusal
from listings.auctions import chain, export, verify_auction
from listings.auctions import queries as auctions
from listings.masters import queries as masters
from listings.offers import queries as offers
from settlement.invoices.tables import Invoice
from settlement.ledger import queries as ledger
from settlement.payouts.tables import Payout
from settlement.plans import queries as plans

README_FILE = Path(__file__).with_name(README)
# What checks a bundle without this program; the auction's verifier is a program of its own.
TOOLS = (
    Path(__file__).with_name("verify.sh"),
    Path(__file__).with_name("tlogverify.go"),
    Path(verify_auction.__file__),
)


# What a bundle opens of the contracts that were amended: what shows which took whose place.
OF_AMENDED = ("deal.opened", "deal.executed", "deal.ended")


class EvidenceNotReady(Refusal):
    """The deal is not executed yet, or the log and its witnesses have not seen that yet."""

    kind, code = Kind.CONFLICT, "evidence-not-ready"
    hint = "Ask again when all parties have signed; the log follows within a second."


async def assemble(
    session: AsyncSession,
    deal_id: UUID,
    *,
    party: UUID | None,
    signer: LogSigner,
    authority: LocalAuthority,
) -> tuple[Deal, bytes]:
    """Return the deal and its evidence as a zip.

    Args:
        session: an open transaction; it only reads.
        deal_id: the deal.
        party: who asks; None for staff, who may have every bundle.
        signer: the log's key, which signs the manifest.
        authority: the root that the contract's signatures lead to.

    Raises:
        Unknown: there is no such deal, or the party has no part in it.
        EvidenceNotReady: nothing is executed and sealed yet.
    """
    deal = await deals.get_deal_of(session, deal_id, party)
    before = await deals.amended_by(session, deal)
    sealed = await log.entries_about(session, await _subjects(session, [*before, deal]))
    told = {(fact.subject, fact.kind) for _, fact in sealed}
    wanted = {(deal.id, "deal.executed"), *((one.id, "deal.ended") for one in before)}
    if not wanted <= told or deal.performance == "pending":
        raise EvidenceNotReady("The deal is not executed, or not sealed yet.", signing=deal.signing)
    files = {
        **await of_log(
            session, sealed, signer, shown=lambda fact: _is_shown(fact, [*before, deal])
        ),
        **_of_amendments([*before, deal]),
        **await _of_assignors(session, [*before, deal]),
        **await _of_listings(session, deal, sealed),
        **await _of_origin(session, deal),
        **await _of_contract(session, deal, authority, sealed),
        POSTINGS: canonical.dumps(
            await ledger.journals_of_deal(session, *await _parts(session, deal))
        ),
        README: README_FILE.read_bytes(),
        **{f"verify/{one.name}": one.read_bytes() for one in TOOLS},
    }
    stage = SETTLED if (deal.id, "settlement.booked") in told else EXECUTED
    packing = partial(sign_and_pack, files, deal=deal.id, stage=stage, signer=signer)
    return deal, await anyio.to_thread.run_sync(packing)  # hashing megabytes holds nobody up


def sign_and_pack(
    files: Mapping[str, bytes], *, deal: UUID, stage: str, signer: LogSigner
) -> bytes:
    """Return the archive of the files with their signed manifest."""
    signed = signer.attest(manifest.of(files, deal=deal, stage=stage).text)
    return archive.pack({**files, manifest.FILE: signed.encode()})


def _of_amendments(row: Sequence[Deal]) -> dict[str, bytes]:
    """Return the terms of the contracts amended, and the patch of every amendment."""
    files = {terms_name(number): one.terms for number, one in enumerate(row[:-1])}
    patches = {patch_name(number): one.patch or b"[]" for number, one in enumerate(row)}
    return files | {name: patch for name, patch in patches.items() if name != patch_name(0)}


async def _of_assignors(session: AsyncSession, row: Sequence[Deal]) -> dict[str, bytes]:
    """Return the certificates of those who handed the contract on."""
    files = {}
    for number, deal in enumerate(row):
        assignment = await deals.assignment_of(session, deal)
        if assignment is not None:
            key = await parties.find_key(session, assignment.assignor_id, assignment.key_id)
            certificate = key.certificate_pem if key else ""
            files[handing_checks.certificate_name(number)] = certificate.encode()
    return files


async def _subjects(session: AsyncSession, row: Sequence[Deal]) -> list[UUID]:
    """Return the objects whose facts make up the trade; of contracts amended, the contracts."""
    *before, deal = row
    keys = [one.key_id for one in await deals.completed_sessions(session, deal.id)]
    parts = await _parts(session, deal)
    invoices = await session.execute(select(col(Invoice.id)).where(col(Invoice.deal_id).in_(parts)))
    payouts = await session.execute(select(col(Payout.id)).where(col(Payout.deal_id).in_(parts)))
    handed_on = [await deals.assignment_of(session, one) for one in row]
    keys += [one.key_id for one in handed_on if one is not None]
    found = [*invoices.scalars(), *payouts.scalars()]
    origin = [one for one in (deal.auction_id, deal.offer_id) if one is not None]
    origin += _listings(deal)
    return [*origin, *(one.id for one in before), deal.id, *keys, *found]


async def _parts(session: AsyncSession, deal: Deal) -> list[UUID]:
    """Return the deal's id, and those of the settlements of its further instalments."""
    parts = await plans.parts_of(session, deal.id)
    return [deal.id, *(one.deal_id for one in parts if one.deal_id != deal.id)]


async def of_log(
    session: AsyncSession,
    sealed: Sequence[tuple[LogEntry, Fact]],
    signer: LogSigner,
    *,
    shown: Callable[[Fact], bool],
) -> dict[str, bytes]:
    """Return facts, proofs, checkpoint and key; a fact that is not shown is there as its leaf."""
    seqs = [entry.seq for entry, _ in sealed]
    covering = await witnesses.quorum_over(session, seqs[-1])
    covering = covering or await log.first_checkpoint_over(session, seqs[-1])
    signed = await witnesses.cosigned_note(session, covering)
    in_force = await witnesses.demanded(session)
    policy = {} if in_force is None else {LOG_POLICY: in_force.text.encode()}
    proofs = await log.proofs(session, seqs, covering)
    files = {
        proof_name(proof.index): replace(proof, checkpoint=signed).text.encode() for proof in proofs
    }
    events = [_event(entry, fact, shown(fact)).line() + b"\n" for entry, fact in sealed]
    return {
        **files,
        EVENTS: b"".join(events),
        **policy,
        CHECKPOINT: signed.encode(),
        LOG_KEY: f"{signer.verifier.vkey}\n".encode(),
    }


def _event(entry: LogEntry, fact: Fact, shown: bool) -> Event:
    return Event(
        index=entry.seq,
        fact=str(fact.id),
        kind=fact.kind,
        subject=str(fact.subject),
        recorded_at=rfc3339.to_the_second(fact.recorded_at),
        record=canonical.loads(fact.record) if shown else {},
        blind=fact.blind if shown else b"",
        leaf=entry.leaf,
    )


def _is_shown(fact: Fact, row: Sequence[Deal]) -> bool:
    """Tell whether a bundle opens a fact: what other bidders did in the auction stays theirs."""
    *before, deal = row
    if fact.subject in [one.id for one in before]:
        return fact.kind in OF_AMENDED
    if fact.subject not in (deal.auction_id, *_listings(deal)):
        return True
    sides = (deal.licensor_id, deal.licensee_id)
    return any(rules.may_read(fact.kind, fact.parties, party=side, staff=False) for side in sides)


async def _of_listings(
    session: AsyncSession, deal: Deal, sealed: Sequence[tuple[LogEntry, Fact]]
) -> dict[str, bytes]:
    published = {
        str(fact.subject): fact.record for _, fact in sealed if fact.kind == "listing.published"
    }
    assets = works.assets(canonical.known(deal.terms))
    files: dict[str, bytes] = {}
    for place, asset in enumerate(assets):
        record = published.get(str(asset["listing"]))
        if record is None:  # negotiated in private, never listed
            continue
        master = await masters.get_master(session, UUID(canonical.loads(record)["master"]))
        files |= {
            of_work(place, LISTING, count=len(assets)): record,
            of_work(place, PROBE, count=len(assets)): canonical.dumps(master.probe),
            of_work(place, FINGERPRINT, count=len(assets)): canonical.dumps(master.fingerprint),
        }
    return files


def _listings(deal: Deal) -> list[UUID]:
    """Return the listings that a deal's works were published under."""
    assets = works.assets(canonical.known(deal.terms))
    return [UUID(one["listing"]) for one in assets if one["listing"] is not None]


async def _of_origin(session: AsyncSession, deal: Deal) -> dict[str, bytes]:
    """Return what the deal follows from: the auction's log, or the version that was accepted."""
    if deal.offer_id is not None:
        accepted = UUID(canonical.loads(deal.terms)["award"]["version"])
        version = await offers.find_version(session, accepted)
        return {} if version is None else {OFFER: version.content}
    if deal.auction_id is None:
        return {}
    auction = await auctions.get_auction(session, deal.auction_id)
    if auction.seq is None:  # held before auctions had logs
        return {}
    rows = await auctions.log(session, auction.id)
    told = ((chain.event(row.seq, row.kind, row.at, row.body), row.hash) for row in rows)
    return {AUCTION: b"".join(export.lines(auction.rulebook, auction.rulebook_sha256, told))}


async def _of_contract(
    session: AsyncSession,
    deal: Deal,
    authority: LocalAuthority,
    sealed: Sequence[tuple[LogEntry, Fact]],
) -> dict[str, bytes]:
    """Return the contract as the log has recorded it: an archive not sealed yet is left out."""
    kinds = ("deal.executed", "deal.archived", "deal.lta-refreshed")
    hashes = [
        canonical.loads(fact.record)["pdf_sha256"]
        for _, fact in sealed
        if fact.subject == deal.id and fact.kind in kinds
    ]
    document = await deals.document_of_hash(session, deal.id, hashes[-1])
    base = await deals.base_document(session, deal.id)
    signed = await deals.completed_sessions(session, deal.id)
    roots = authority.roots_of(one.certificate_pem.encode() for one in signed)
    files = {
        **await anyio.to_thread.run_sync(extraction.copies, document.pdf),
        BASE: base.pdf,
        CONTRACT: document.pdf,
        TERMS: deal.terms,
        ROOT: roots,
        "pki/exchange.pem": authority.certifier.certificate_pem,
    }
    if authority.certifier.time_roots_pem:
        files[TIME_ROOTS] = authority.certifier.time_roots_pem
    for one in signed:
        files[f"pki/{one.role}.pem"] = one.certificate_pem.encode()
    return files
