"""Drawing up agreements with the exchange, and signing them in two phases, as deals are."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, locking
from contracts.agreements import queries, rules
from contracts.agreements.tables import Agreement, AgreementDocument, AgreementSession
from contracts.deals import papers, sealing, timestamps
from contracts.deals import rules as signing
from contracts.deals.gateway import Press
from contracts.deals.papers import Paper, Revision
from contracts.deals.rules import NotYourTurn, SessionUsed
from contracts.facts import service as facts
from contracts.parties import queries as parties
from contracts.parties import service as registry
from contracts.parties.gateway import Certifier
from contracts.parties.tables import Party
from contracts.refusal import IdReused, Unknown


@dataclass(frozen=True, slots=True)
class Draft:
    """An agreement to be drawn up: its kind, what it is about, whose it is, and its terms."""

    id: UUID
    kind: str
    subject_id: UUID
    party_id: UUID
    terms: bytes
    frozen_at: datetime


async def draw_up(
    session: AsyncSession, draft: Draft, *, press: Press, certifier: Certifier, now: datetime
) -> tuple[Agreement, bool]:
    """Typeset an agreement and certify it; return it and whether it is new.

    From now on only the party's signature may be added, and nothing about it changes: drawn up
    again, it is what it was.

    Raises:
        TextCannotBePrinted: a character has no glyph.
        PressFailed: the typesetter did not finish.
    """
    exchange = await registry.ensure_exchange(session, now=now)
    # One after the other for each party: two requests at once draw up one agreement.
    await locking.find_locked(session, Party, col(Party.id) == draft.party_id)
    known = await queries.find_agreement(session, draft.id)
    if known is not None:
        return known, False
    base = await press.contract(draft.terms, frozen_at=draft.frozen_at)
    paper = Paper(draft.terms, sealing.AGREEMENT_ROLES)
    made = await papers.certified(
        paper, base, press=press, certifier=certifier, exchange=exchange, now=now
    )
    agreement = _row(draft, base=base, pdf=made.pdf, now=now)
    session.add(agreement)
    await session.flush()
    session.add(document(agreement, 0, base, now=now))
    session.add(document(agreement, 1, made.pdf, now=now))
    await session.flush()
    told = {
        "kind": agreement.kind,
        "about": str(agreement.subject_id),
        "terms_sha256": agreement.terms_sha256,
        "base_sha256": agreement.base_sha256,
        "pdf_sha256": agreement.pdf_sha256,
        "level": made.level,
    }
    await tell(session, "agreement.certified", agreement, told, now=now)
    return agreement, True


async def open_session(  # noqa: PLR0913 - a session has that many parts.
    session: AsyncSession,
    agreement_id: UUID,
    session_id: UUID,
    *,
    party_id: UUID,
    key_id: UUID,
    press: Press,
    now: datetime,
    room: int = timestamps.OWN_BYTES,
) -> tuple[AgreementSession, bool]:
    """Begin the party's signature: prepare the exact bytes; return the session, whether it is new.

    Raises:
        Unknown: the party has no such agreement.
        AgreementSigned: it is signed.
        KeyNotActive: the key is revoked or not the party's.
        CertificateExpired: its certificate is not in force.
        IdReused: the id belongs to a session for another key.
        SessionExpired: the session of this id ran out.
    """
    agreement = await _locked(session, agreement_id, party_id=party_id)
    known = await queries.find_session(session, agreement_id, session_id)
    if known is not None:
        return _again(known, key_id=key_id, now=now), False
    rules.check_awaited(agreement.state)
    key = await parties.active_key(session, party_id, key_id)
    latest = await queries.document(session, agreement_id)
    lay = partial(
        sealing.prepare, latest.pdf, role=rules.ROLE, room=room, roles=sealing.AGREEMENT_ROLES
    )
    laid = await papers.prepared(session, key, lay, press=press, now=now)
    begun = AgreementSession(
        agreement_id=agreement_id, id=session_id, party_id=party_id, key_id=key_id,
        role=rules.ROLE, **papers.opened(key, laid, on_sha256=latest.sha256, now=now),
    )  # fmt: skip
    session.add(begun)
    await session.flush()
    return begun, True


async def complete_session(
    session: AsyncSession,
    agreement_id: UUID,
    session_id: UUID,
    *,
    party_id: UUID,
    signature: bytes,
    certifier: Certifier,
    now: datetime,
) -> Agreement:
    """Put the party's signature into the agreement, which takes effect with it.

    When this refuses, nothing has changed. `signature` is r‖s (64 bytes) or DER, over the session's
    `tbs`; the whole file is checked against the root of `certifier` before it is kept.

    Raises:
        Unknown: the party has no such agreement or session.
        SessionUsed: the session is completed, with another signature.
        SessionExpired: the session ran out.
        AgreementSigned: it was signed in another session meanwhile.
        NotYourTurn: the file has changed since the session was opened.
        KeyNotActive: the key was revoked meanwhile.
        WrongKey: the signature is of another key of the party.
        BadSignature: the signature does not fit.
        DocumentNotSound: the signed file does not pass its own check.
    """
    agreement = await _locked(session, agreement_id, party_id=party_id)
    begun = await queries.find_session(session, agreement_id, session_id)
    if begun is None:
        raise Unknown("There is no such signing session.", session=str(session_id))
    der = signing.signature_der(signature)
    if begun.completed_at is not None:
        if begun.signature != der:
            raise SessionUsed("This session is completed with another signature.")
        return agreement
    rules.check_awaited(agreement.state)
    signing.check_time(begun.expires_at, now=now)
    before = await queries.document(session, agreement_id)
    if begun.on_sha256 != before.sha256:
        raise NotYourTurn("The agreement has changed since this session was opened.")
    await papers.check_key(session, begun, der, sides=[party_id])
    made = await papers.signed(
        paper(agreement), before.pdf, begun, der, keys={}, certifier=certifier, now=now
    )
    begun.completed_at, begun.signature = now, der
    await _keep(session, agreement, begun, made, now=now)
    return agreement


def paper(agreement: Agreement) -> Paper:
    """Return what the file of an agreement is checked against."""
    return Paper(agreement.terms, sealing.AGREEMENT_ROLES)


def document(
    agreement: Agreement, revision: int, pdf: bytes, *, now: datetime
) -> AgreementDocument:
    """Return the row that keeps a revision."""
    return AgreementDocument(
        agreement_id=agreement.id, revision=revision, pdf=pdf,
        sha256=canonical.sha256_hex(pdf), made_at=now,
    )  # fmt: skip


async def tell(
    session: AsyncSession,
    kind: str,
    agreement: Agreement,
    said: Mapping[str, Any],
    *,
    now: datetime,
) -> None:
    """Record a fact about an agreement for its party."""
    record = {"agreement": str(agreement.id), "party": str(agreement.party_id), **said}
    await facts.record(session, kind, agreement.id, record, parties=[agreement.party_id], now=now)


def _row(draft: Draft, *, base: bytes, pdf: bytes, now: datetime) -> Agreement:
    return Agreement(
        id=draft.id,
        kind=draft.kind,
        subject_id=draft.subject_id,
        party_id=draft.party_id,
        terms=draft.terms,
        terms_sha256=canonical.sha256_hex(draft.terms),
        base_sha256=canonical.sha256_hex(base),
        pdf_sha256=canonical.sha256_hex(pdf),
        created_at=now,
    )


async def _keep(
    session: AsyncSession,
    agreement: Agreement,
    begun: AgreementSession,
    made: Revision,
    *,
    now: datetime,
) -> None:
    signed = document(agreement, len(sealing.AGREEMENT_ROLES), made.pdf, now=now)
    session.add(signed)
    agreement.state, agreement.pdf_sha256, agreement.signed_at = rules.SIGNED, signed.sha256, now
    await session.flush()
    told = {
        "role": begun.role,
        "spki_sha256": begun.spki_sha256,
        "pdf_sha256": signed.sha256,
        "level": made.level,
    }
    await tell(session, "agreement.signed", agreement, told, now=now)


def _again(known: AgreementSession, *, key_id: UUID, now: datetime) -> AgreementSession:
    if known.key_id != key_id:
        raise IdReused("This id belongs to a session for another key.")
    if known.completed_at is None:
        signing.check_time(known.expires_at, now=now)
    return known


async def _locked(session: AsyncSession, agreement_id: UUID, *, party_id: UUID) -> Agreement:
    found = await locking.find_locked(session, Agreement, col(Agreement.id) == agreement_id)
    if found is None or found.party_id != party_id:
        raise Unknown("There is no such agreement.", agreement=str(agreement_id))
    return found
