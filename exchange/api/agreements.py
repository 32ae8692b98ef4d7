"""Agreements with the exchange, and signing them in two phases as contracts are signed."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.agreements import queries, rules, service
from contracts.agreements.rules import AgreementSigned
from contracts.agreements.tables import Agreement, AgreementSession
from contracts.deals import timestamps
from contracts.deals.gateway import PressFailed, TypstPress
from contracts.deals.rules import (
    BadSignature,
    CertificateExpired,
    NotYourTurn,
    SessionExpired,
    SessionUsed,
    WrongKey,
)
from contracts.deals.terms import TextCannotBePrinted
from contracts.deals.verification import DocumentNotSound
from contracts.log.gateway import LogKeyMissing
from contracts.log.rules import NotSealedYet
from contracts.parties.gateway import AuthorityMissing
from contracts.parties.rules import KeyNotActive
from contracts.refusal import IdReused, InvalidContent, Malformed, NotAllowed, Unknown
from exchange.api import deals, problems
from exchange.api.bodies import JsonRoute
from exchange.api.deals import SignatureIn, SigningSessionIn, SigningSessionOut
from exchange.api.deps import Ctx, Now, Session, Shape, Signed, next_after, page_after
from exchange.api.log import Signer
from exchange.authority import open_authority
from exchange.evidence import agreement as evidence
from exchange.evidence.bundle import EvidenceNotReady
from exchange.identity.rules import Caller, CsrfToken, Role, ScopeMissing, SignInNeeded
from listings.admissions import applying
from listings.admissions import rules as admissions

router = APIRouter(route_class=JsonRoute, tags=["deposits"])

_READ = (SignInNeeded, ScopeMissing, InvalidContent)
_SIGN = (*_READ, CsrfToken, NotAllowed, Malformed, Unknown)
_BARRED = (
    admissions.OwnListing, admissions.BidderNotVerified, admissions.RelatedToSeller,
    admissions.Blocked, admissions.AdmissionClosed, admissions.NoAgreementAsked,
)  # fmt: skip
_PRESS = TypstPress()
_ID = "01990000-0000-7000-8000-000000000001"
_HASH = "5f1c0c2c2f0b6b1f4a9f0f6f5f0e7b8c9d0a1b2c3d4e5f60718293a4b5c6d7e8"


class AgreementOut(Shape):
    """An agreement of one party with the exchange, and whether it is signed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    "kind": "deposit",
                    "auction_id": _ID,
                    "party_id": _ID,
                    "terms_sha256": _HASH,
                    "base_sha256": _HASH,
                    "pdf_sha256": _HASH,
                    "signing": "certified",
                    "next_signer": _ID,
                    "created_at": "2026-11-22T09:00:00Z",
                    "signed_at": None,
                }
            ]
        }
    )

    id: UUID
    kind: Literal["deposit"]
    auction_id: Annotated[UUID, Field(description="the auction whose deposit it is about")]
    party_id: UUID
    terms_sha256: str
    base_sha256: Annotated[str, Field(description="of the agreement as typeset")]
    pdf_sha256: Annotated[
        str,
        Field(
            description="of the agreement with its last signature; archive time-stamps added later "
            "give the file a hash of its own, which is the ETag of contract.pdf"
        ),
    ]
    signing: Literal["certified", "signed"]
    next_signer: Annotated[UUID | None, Field(description="the party; null once it has signed")]
    created_at: AwareDatetime
    signed_at: AwareDatetime | None


class AgreementPage(Shape):
    """A page of agreements."""

    items: Sequence[AgreementOut]
    next: UUID | None


@router.get("/agreements", responses=problems.responses(*_READ))
async def list_agreements(
    *,
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> AgreementPage:
    """List the agreements of the caller's organisation; the staff sees all."""
    caller.need("read")
    found = await queries.agreements_of(
        session, caller.for_party, after=page_after(after), limit=limit
    )
    return AgreementPage(items=[agreement_out(one) for one in found], next=next_after(found, limit))


@router.get("/agreements/{agreement_id}", responses=problems.responses(*_READ, Unknown))
async def get_agreement(agreement_id: UUID, *, session: Session, caller: Signed) -> AgreementOut:
    """Return an agreement, and whether it is signed."""
    return agreement_out(await _visible(session, agreement_id, caller))


@router.get(
    "/agreements/{agreement_id}/terms",
    response_class=Response,
    responses={
        200: {
            "description": "The agreement of record: RFC 8785 bytes, whose SHA-256 the PDF prints.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
        **problems.responses(*_READ, Unknown),
    },
)
async def get_agreement_terms(agreement_id: UUID, *, session: Session, caller: Signed) -> Response:
    """Return the frozen terms, byte for byte."""
    found = await _visible(session, agreement_id, caller)
    headers = {"ETag": f'"{found.terms_sha256}"'}
    return Response(found.terms, media_type="application/json", headers=headers)


@router.get(
    "/agreements/{agreement_id}/contract.pdf",
    response_class=Response,
    responses={
        200: {
            "description": "PDF/A-3 with the terms attached, every signature so far and, once it "
            "is archived, the time-stamps that keep them provable. Its SHA-256 is the ETag.",
            "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
        },
        **problems.responses(*_READ, Unknown),
    },
)
async def get_agreement_file(agreement_id: UUID, *, session: Session, caller: Signed) -> Response:
    """Return the agreement as it stands."""
    await _visible(session, agreement_id, caller)
    latest = await queries.document(session, agreement_id)
    headers = {
        "ETag": f'"{latest.sha256}"',
        "Content-Disposition": f'inline; filename="agreement-{agreement_id}.pdf"',
        "Cache-Control": "private, no-cache",
    }
    return Response(latest.pdf, media_type="application/pdf", headers=headers)


@router.put(
    "/agreements/{agreement_id}/signing-sessions/{session_id}",
    status_code=201,
    responses={
        200: {"model": SigningSessionOut, "description": "It was opened before, for this key."},
        **problems.responses(
            *_SIGN, *_BARRED, IdReused, AgreementSigned, KeyNotActive, SessionExpired,
            CertificateExpired, PressFailed, TextCannotBePrinted, AuthorityMissing,
        ),
    },
)  # fmt: skip
async def open_agreement_session(  # noqa: PLR0913 - a session has that many parts.
    agreement_id: UUID,
    session_id: UUID,
    body: SigningSessionIn,
    *,
    context: Ctx,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> SigningSessionOut:
    """Begin the caller's signature: prepare the exact bytes to sign. The key stays with the party.

    Before signing, compare `terms_sha256` with the hash of the terms that you showed and read.
    """
    caller.need("deal", Role.BROADCASTER)
    agreement = await queries.get_agreement_of(session, agreement_id, caller.party_id)
    if agreement.state == rules.CERTIFIED:
        await applying.check_may_sign(session, agreement.subject_id, caller.party_id, now=now)
    begun, created = await service.open_session(
        session,
        agreement_id,
        session_id,
        party_id=caller.party_id,
        key_id=body.key_id,
        press=_PRESS,
        now=now,
        room=timestamps.room(open_authority(context.settings, now=now).certifier),
    )
    response.status_code = 201 if created else 200
    return _session_out(begun, agreement)


@router.get(
    "/agreements/{agreement_id}/signing-sessions/{session_id}/contract.pdf",
    response_class=Response,
    responses={
        200: {
            "description": (
                "The agreement with the field of this signature and a gap where it will stand. "
                "The SHA-256 of everything but the gap is the messageDigest in `tbs_der_b64`."
            ),
            "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
        },
        **problems.responses(*_READ, Unknown),
    },
)
async def get_prepared_agreement(
    agreement_id: UUID, session_id: UUID, *, session: Session, caller: Signed
) -> Response:
    """Return the file that a signing session prepared, so that its signer can check it."""
    caller.need("read")
    begun = await queries.find_session(session, agreement_id, session_id)
    if begun is None or begun.party_id != caller.party_id:
        raise Unknown("There is no such signing session.", session=str(session_id))
    headers = {
        "Content-Disposition": f'attachment; filename="{session_id}.pdf"',
        "Cache-Control": "private, no-store",
    }
    return Response(begun.prepared, media_type="application/pdf", headers=headers)


@router.put(
    "/agreements/{agreement_id}/signing-sessions/{session_id}/signature",
    responses=problems.responses(
        *_SIGN, BadSignature, WrongKey, NotYourTurn, AgreementSigned, KeyNotActive, SessionExpired,
        SessionUsed, DocumentNotSound, AuthorityMissing,
    ),
)  # fmt: skip
async def sign_agreement(
    agreement_id: UUID,
    session_id: UUID,
    body: SignatureIn,
    *,
    context: Ctx,
    session: Session,
    caller: Signed,
    now: Now,
) -> AgreementOut:
    """Complete the caller's signature; the agreement takes effect with it.

    The same signature again gets the same answer.
    """
    caller.need("deal", Role.BROADCASTER)
    signed = await service.complete_session(
        session,
        agreement_id,
        session_id,
        party_id=caller.party_id,
        signature=deals.decoded(body.signature_b64),
        certifier=open_authority(context.settings, now=now).certifier,
        now=now,
    )
    return agreement_out(signed)


@router.get(
    "/agreements/{agreement_id}/evidence",
    response_class=Response,
    responses={
        200: {
            "description": "A zip that `exchange verify` checks offline.",
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        },
        **problems.responses(
            *_READ, Unknown, EvidenceNotReady, NotSealedYet, LogKeyMissing, AuthorityMissing
        ),
    },
)
async def get_agreement_evidence(
    agreement_id: UUID, context: Ctx, session: Session, now: Now, caller: Signed, signer: Signer
) -> Response:
    """Download the evidence of a signed agreement (证据包): for its party and staff."""
    caller.need("read")
    content = await evidence.assemble(
        session,
        agreement_id,
        party=caller.for_party,
        signer=signer,
        authority=open_authority(context.settings, now=now),
    )
    headers = {"Content-Disposition": f'attachment; filename="{agreement_id}.evidence.zip"'}
    return Response(content, media_type="application/zip", headers=headers)


def agreement_out(agreement: Agreement) -> AgreementOut:
    """Return an agreement as the wire carries it."""
    awaited = rules.next_role(agreement.state)
    return AgreementOut(
        id=agreement.id,
        kind="deposit",
        auction_id=agreement.subject_id,
        party_id=agreement.party_id,
        terms_sha256=agreement.terms_sha256,
        base_sha256=agreement.base_sha256,
        pdf_sha256=agreement.pdf_sha256,
        signing="signed" if agreement.state == rules.SIGNED else "certified",
        next_signer=agreement.party_id if awaited else None,
        created_at=agreement.created_at,
        signed_at=agreement.signed_at,
    )


def _session_out(begun: AgreementSession, agreement: Agreement) -> SigningSessionOut:
    return deals.session_out(
        begun, terms_sha256=agreement.terms_sha256, base_sha256=agreement.base_sha256
    )


async def _visible(session: AsyncSession, agreement_id: UUID, caller: Caller) -> Agreement:
    caller.need("read")
    return await queries.get_agreement_of(session, agreement_id, caller.for_party)
