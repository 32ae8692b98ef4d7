"""Putting the evidence of a signed agreement together, as `bundle` does for a deal."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from uuid import UUID

import anyio.to_thread
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.agreements import queries
from contracts.agreements.tables import Agreement
from contracts.deals import extraction
from contracts.deals.sealing import AGREEMENT_ROLES
from contracts.evidence.manifest import SIGNED
from contracts.evidence.opened import BASE, CONTRACT, README, ROOT, RULEBOOK, TERMS, TIME_ROOTS
from contracts.facts.tables import Fact
from contracts.log import queries as log
from contracts.log.gateway import LogSigner
from contracts.log.tables import LogEntry
from contracts.parties.gateway import LocalAuthority
from exchange.evidence import bundle
from exchange.evidence.bundle import EvidenceNotReady
from listings.auctions import queries as auctions

README_FILE = Path(__file__).with_name("README-agreement.zh-en.txt")
TOOLS = bundle.TOOLS[:2]  # there is no bidding to decide again


async def assemble(
    session: AsyncSession,
    agreement_id: UUID,
    *,
    party: UUID | None,
    signer: LogSigner,
    authority: LocalAuthority,
) -> bytes:
    """Return the evidence of a signed agreement as a zip.

    Args:
        session: an open transaction; it only reads.
        agreement_id: the agreement.
        party: who asks; None for staff, who may have every bundle.
        signer: the log's key, which signs the manifest.
        authority: the root that the signatures lead to.

    Raises:
        Unknown: there is no such agreement, or it is another party's.
        EvidenceNotReady: it is not signed, or not sealed yet.
    """
    agreement = await queries.get_agreement_of(session, agreement_id, party)
    keys = [one.key_id for one in await queries.completed_sessions(session, agreement.id)]
    sealed = await log.entries_about(session, [agreement.id, *keys])
    if "agreement.signed" not in [fact.kind for _, fact in sealed]:
        raise EvidenceNotReady("The agreement is not signed, or not sealed yet.")
    auction = await auctions.get_auction(session, agreement.subject_id)
    files = {
        **await bundle.of_log(session, sealed, signer, shown=lambda _: True),
        **await _of_file(session, agreement, authority, sealed),
        RULEBOOK: auction.rulebook,
        README: README_FILE.read_bytes(),
        **{f"verify/{one.name}": one.read_bytes() for one in TOOLS},
    }
    packing = partial(bundle.sign_and_pack, files, deal=agreement.id, stage=SIGNED, signer=signer)
    return await anyio.to_thread.run_sync(packing)


async def _of_file(
    session: AsyncSession,
    agreement: Agreement,
    authority: LocalAuthority,
    sealed: Sequence[tuple[LogEntry, Fact]],
) -> dict[str, bytes]:
    """Return the file as the log has recorded it last, and what its signatures lead to."""
    told = [fact for _, fact in sealed if fact.kind in ("agreement.signed", "agreement.archived")]
    last = canonical.loads(told[-1].record)["pdf_sha256"]
    document = await queries.document_of_hash(session, agreement.id, last)
    base = await queries.base_document(session, agreement.id)
    signed = await queries.completed_sessions(session, agreement.id)
    copies = partial(extraction.copies, document.pdf, roles=AGREEMENT_ROLES)
    files = {
        **await anyio.to_thread.run_sync(copies),
        BASE: base.pdf,
        CONTRACT: document.pdf,
        TERMS: agreement.terms,
        ROOT: authority.roots_of(one.certificate_pem.encode() for one in signed),
        "pki/exchange.pem": authority.certifier.certificate_pem,
        **{f"pki/{one.role}.pem": one.certificate_pem.encode() for one in signed},
    }
    if authority.certifier.time_roots_pem:
        files[TIME_ROOTS] = authority.certifier.time_roots_pem
    return files
