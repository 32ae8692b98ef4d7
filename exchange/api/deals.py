"""Deals (合同): their terms, their contract, and signing it in two phases."""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Protocol
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.deals import queries, rules, service, timestamps
from contracts.deals.gateway import PressFailed, TypstPress
from contracts.deals.lifecycle import DealDeclined, DealExpired, DealNotInForce
from contracts.deals.rules import (
    BadSignature,
    CertificateExpired,
    DealExecuted,
    DealVoided,
    NotYourTurn,
    SessionExpired,
    SessionUsed,
    WrongKey,
)
from contracts.deals.tables import Deal
from contracts.deals.terms import TextCannotBePrinted
from contracts.deals.verification import DocumentNotSound
from contracts.parties.gateway import AuthorityMissing
from contracts.parties.rules import KeyNotActive
from contracts.refusal import IdReused, InvalidContent, Malformed, NotAllowed, Unknown
from contracts.titles.rules import HoldExpired, RightsNotReserved
from exchange import witnessing
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Ctx, Now, Session, Shape, Signed, next_after, page_after
from exchange.api.packaged import PackagedWorkOut, works_of
from exchange.authority import open_authority
from exchange.identity.rules import Caller, CsrfToken, Role, ScopeMissing, SignInNeeded

router = APIRouter(route_class=JsonRoute, tags=["deals"])

_READ = (SignInNeeded, ScopeMissing, InvalidContent)
_SIGN = (*_READ, CsrfToken, NotAllowed, Malformed, Unknown)
_VOID = problems.responses(*_SIGN, DealExecuted, DealDeclined, DealExpired)
_PRESS = TypstPress()
_ID = "01990000-0000-7000-8000-000000000001"
Signing = Literal[
    "drafted", "certified", "licensor_signed", "executed", "voided", "declined", "expired"
]
Performance = Literal["pending", "effective", "paid"]
Ended = Literal["expired", "terminated", "rescinded", "superseded"]


class SideOut(Shape):
    """A party of a deal under the name that the contract gives it."""

    id: UUID
    name_zh: str
    name_en: str


class DealOut(Shape):
    """A deal: its contract, its price, and where its signing and performance stand."""

    id: UUID
    contract_no: str
    listing_id: Annotated[UUID | None, Field(description="null where no listing was sold")]
    offer_id: Annotated[UUID | None, Field(description="the offer that was accepted, if one was")]
    work_id: Annotated[UUID, Field(description="the work; of several, the one named first")]
    works: Annotated[
        Sequence[PackagedWorkOut],
        Field(description="of a contract of several works: all of them; else empty"),
    ]
    licensor: SideOut
    licensee: SideOut
    amount_minor: int
    currency: str
    terms_sha256: str
    pdf_sha256: Annotated[
        str | None,
        Field(
            description="of the contract with its last signature; archive time-stamps added later "
            "give the file a hash of its own, which is the ETag of contract.pdf"
        ),
    ]
    signing: Signing
    performance: Performance
    ended: Annotated[Ended | None, Field(description="null while it is in force, and before")]
    supersedes: Annotated[UUID | None, Field(description="the deal that this one amends")]
    next_signer: Annotated[UUID | None, Field(description="the party whose turn it is to sign")]
    created_at: AwareDatetime
    executed_at: AwareDatetime | None


class DealWitnessesOut(Shape):
    """Who has seen the contract's execution in the public log, and how many it takes.

    `policy_sha256` names the policy in force, which GET /v1/log/policy returns.
    """

    policy_sha256: str
    cosigned: Annotated[Sequence[str], Field(description="by their names in the policy")]
    needed: Annotated[int, Field(description="cosignatures that make the quorum, these included")]


class DealSeenOut(DealOut):
    """A deal, and who has seen it executed."""

    witnesses: Annotated[
        DealWitnessesOut | None,
        Field(description="null until everybody has signed, or where no policy asks for any"),
    ]


class DealPage(Shape):
    """A page of deals."""

    items: Sequence[DealOut]
    next: UUID | None


class SigningSessionIn(Shape):
    """The key that will sign; one of the caller's registered signing keys."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"key_id": _ID}]})

    key_id: UUID


class SigningSessionOut(Shape):
    """What to sign: the DER of the signed attributes, and what it stands for."""

    id: UUID
    tbs_der_b64: Annotated[str, Field(description="sign these bytes: ECDSA, P-256, SHA-256")]
    pdf_sha256: Annotated[str, Field(description="of the revision that the signature is put upon")]
    terms_sha256: str
    base_sha256: Annotated[str, Field(description="of the contract as typeset")]
    expires_at: AwareDatetime


class SignatureIn(Shape):
    """The signature: r and s of 32 bytes each, or DER; base64."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"signature_b64": base64.b64encode(b"r" * 64).decode()}]}
    )

    signature_b64: Annotated[str, Field(max_length=256)]


class VoidingIn(Shape):
    """Why the deal is given up; both parties read it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"reason": "合同无法印制 (the contract cannot be printed)"}]
        }
    )

    reason: Annotated[str, Field(min_length=1, max_length=rules.LONGEST_REASON, pattern=r"\S")]


@router.get("/deals", responses=problems.responses(*_READ))
async def list_deals(
    *,
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> DealPage:
    """List the deals of the caller's organisation; the staff sees all."""
    caller.need("read")
    deals = await queries.deals_of(session, caller.for_party, after=page_after(after), limit=limit)
    return DealPage(items=[deal_out(deal) for deal in deals], next=next_after(deals, limit))


@router.get("/deals/{deal_id}", responses=problems.responses(*_READ, Unknown))
async def get_deal(deal_id: UUID, *, session: Session, caller: Signed) -> DealSeenOut:
    """Return a deal, and who of the witnesses has seen it executed (见证)."""
    deal = await _visible(session, deal_id, caller)
    seen = await witnessing.seen(session, deal)
    told = seen and DealWitnessesOut(
        policy_sha256=seen.policy_sha256, cosigned=seen.cosigned, needed=seen.needed
    )
    return DealSeenOut(**deal_out(deal).model_dump(), witnesses=told)


@router.get(
    "/deals/{deal_id}/terms",
    response_class=Response,
    responses={
        200: {
            "description": "The contract of record: RFC 8785 bytes, whose SHA-256 the PDF prints.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
        **problems.responses(*_READ, Unknown),
    },
)
async def get_deal_terms(deal_id: UUID, *, session: Session, caller: Signed) -> Response:
    """Return the frozen terms, byte for byte."""
    deal = await _visible(session, deal_id, caller)
    return Response(
        deal.terms, media_type="application/json", headers={"ETag": f'"{deal.terms_sha256}"'}
    )


@router.get(
    "/deals/{deal_id}/contract.pdf",
    response_class=Response,
    responses={
        200: {
            "description": "The contract with every signature so far and, once it is archived, "
            "the time-stamps that keep them provable. Its SHA-256 is the ETag.",
            "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
        },
        **problems.responses(*_READ, Unknown),
    },
)
async def get_contract(deal_id: UUID, *, session: Session, caller: Signed) -> Response:
    """Return the contract as PDF/A-3 with its terms attached."""
    deal = await _visible(session, deal_id, caller)
    latest = await queries.document(session, deal_id)
    headers = {
        "ETag": f'"{latest.sha256}"',
        "Content-Disposition": f'inline; filename="{deal.contract_no}.pdf"',
        "Cache-Control": "private, no-cache",
    }
    return Response(latest.pdf, media_type="application/pdf", headers=headers)


@router.put(
    "/deals/{deal_id}/signing-sessions/{session_id}",
    status_code=201,
    responses={
        200: {"model": SigningSessionOut, "description": "It was opened before, for this key."},
        **problems.responses(
            *_SIGN, IdReused, NotYourTurn, DealVoided, DealDeclined, DealExpired, KeyNotActive,
            SessionExpired, CertificateExpired, PressFailed, TextCannotBePrinted, AuthorityMissing,
        ),
    },
)  # fmt: skip
async def open_signing_session(  # noqa: PLR0913 - a session has that many parts.
    deal_id: UUID,
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
    caller.need("deal", Role.HOLDER, Role.BROADCASTER)
    begun, created = await service.open_session(
        session,
        deal_id,
        session_id,
        party_id=caller.party_id,
        key_id=body.key_id,
        press=_PRESS,
        now=now,
        room=timestamps.room(open_authority(context.settings, now=now).certifier),
    )
    response.status_code = 201 if created else 200
    deal = await queries.get_deal(session, deal_id)
    return session_out(begun, terms_sha256=deal.terms_sha256, base_sha256=deal.base_sha256 or "")


@router.put(
    "/deals/{deal_id}/signing-sessions/{session_id}/signature",
    responses=problems.responses(
        *_SIGN, BadSignature, WrongKey, NotYourTurn, DealVoided, DealDeclined, DealExpired,
        DealNotInForce, KeyNotActive, SessionExpired, SessionUsed, RightsNotReserved, HoldExpired,
        DocumentNotSound, AuthorityMissing,
    ),
)  # fmt: skip
async def sign_deal(
    deal_id: UUID,
    session_id: UUID,
    body: SignatureIn,
    *,
    context: Ctx,
    session: Session,
    caller: Signed,
    now: Now,
) -> DealOut:
    """Complete the caller's signature. The licensee signs last, and the deal takes effect.

    The same signature again gets the same answer.
    """
    caller.need("deal", Role.HOLDER, Role.BROADCASTER)
    deal = await service.complete_session(
        session,
        deal_id,
        session_id,
        party_id=caller.party_id,
        signature=decoded(body.signature_b64),
        certifier=open_authority(context.settings, now=now).certifier,
        now=now,
    )
    return deal_out(deal)


@router.post("/deals/{deal_id}/voiding", responses=_VOID)
async def void_deal(
    deal_id: UUID, body: VoidingIn, *, session: Session, caller: Signed, now: Now
) -> DealOut:
    """Give up a deal that cannot go on (作废), before it takes effect; its rights are free again.

    Operators only. A second time changes nothing.
    """
    caller.need("deal", Role.OPERATOR)
    deal = await service.void(
        session, deal_id, reason=body.reason.strip(), by=caller.person_id, now=now
    )
    return deal_out(deal)


def deal_out(deal: Deal) -> DealOut:
    """Return a deal as the wire carries it."""
    terms = canonical.known(deal.terms)
    sides = {side["role"]: side for side in terms["parties"]}
    awaited = rules.next_role(deal.signing)
    return DealOut(
        id=deal.id,
        contract_no=deal.contract_no,
        listing_id=deal.listing_id,
        offer_id=deal.offer_id,
        work_id=deal.work_id,
        works=works_of(terms),
        licensor=_side_out(sides["licensor"]),
        licensee=_side_out(sides["licensee"]),
        amount_minor=deal.amount_minor,
        currency=deal.currency,
        terms_sha256=deal.terms_sha256,
        pdf_sha256=deal.pdf_sha256,
        signing=deal.signing,
        performance=deal.performance,
        ended=deal.ended,
        supersedes=deal.supersedes,
        next_signer=sides[awaited]["party"] if awaited else None,
        created_at=deal.created_at,
        executed_at=deal.executed_at,
    )


def _side_out(side: dict[str, Any]) -> SideOut:
    name = side["legal_name"]
    return SideOut(id=side["party"], name_zh=name["zh"], name_en=name["en"])


class Begun(Protocol):
    """A signing session, of a deal or of an agreement."""

    id: UUID
    tbs: bytes
    on_sha256: str
    expires_at: datetime


def session_out(begun: Begun, *, terms_sha256: str, base_sha256: str) -> SigningSessionOut:
    """Return a signing session as the wire carries it."""
    return SigningSessionOut(
        id=begun.id,
        tbs_der_b64=base64.b64encode(begun.tbs).decode(),
        pdf_sha256=begun.on_sha256,
        terms_sha256=terms_sha256,
        base_sha256=base_sha256,
        expires_at=begun.expires_at,
    )


def decoded(text: str) -> bytes:
    """Return the bytes of a signature that came as base64.

    Raises:
        BadSignature: it is no base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as unreadable:  # binascii.Error, and what is not ASCII
        raise BadSignature("The signature is not base64.") from unreadable


async def _visible(session: AsyncSession, deal_id: UUID, caller: Caller) -> Deal:
    caller.need("read")
    return await queries.get_contract_of(session, deal_id, caller.for_party)
