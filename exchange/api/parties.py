"""Parties (主体): sign-up, verification, and the keys they sign contracts with."""

import base64
from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field

from contracts.deals import glyphs
from contracts.deals.terms import TextCannotBePrinted
from contracts.parties import csr, licensed, rules, trusted, vouching
from contracts.parties import queries as parties
from contracts.parties import service as registry
from contracts.parties.gateway import AuthorityMissing, BadCsr, LocalAuthority
from contracts.parties.licensed import (
    BadCertificate,
    CertificateNotForSigning,
    CertificateNotInForce,
    CertificateNotTrusted,
    CertificateOfAnother,
)
from contracts.parties.rules import (
    BadName,
    BadUscc,
    ConfusableName,
    KeyTaken,
    PartyNotVerified,
    UsccTaken,
)
from contracts.parties.service import Issuer
from contracts.parties.tables import Party, PartyKey
from contracts.parties.trusted import TrustedUnreadable
from contracts.parties.vouching import Endorsement, EndorsementBroken, KeyNotEndorsed
from contracts.refusal import IdReused, InvalidContent, Malformed, Unknown
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Ctx, Limit, Now, Session, Shape, Signed, next_after, page_after
from exchange.authority import open_authority
from exchange.identity import service as identity
from exchange.identity.rules import (
    STAFF,
    BadEmail,
    Caller,
    EmailTaken,
    PersonFields,
    Role,
    WeakPassword,
)

router = APIRouter(route_class=JsonRoute, tags=["parties"])

_CSR = "-----BEGIN CERTIFICATE REQUEST-----\n…\n-----END CERTIFICATE REQUEST-----\n"


class FirstPersonIn(Shape):
    """The first person who acts for a new party."""

    id: UUID
    email: Annotated[str, Field(max_length=254)]
    name: Annotated[str, Field(max_length=400)]
    password: Annotated[str, Field(max_length=1024)]


class PartyIn(Shape):
    """An organisation that wants to trade, with its first person."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "rights_holder",
                    "name_zh": "示范影视制作有限公司",
                    "name_en": "Demonstration Pictures Co., Ltd.",
                    "uscc": "91110000600037341L",
                    "person": {
                        "id": "01990000-0000-7000-8000-000000000002",
                        "email": "rights@example.com",
                        "name": "版权部",
                        "password": "a sentence does well",
                    },
                }
            ]
        }
    )

    kind: Literal["rights_holder", "broadcaster"]
    name_zh: Annotated[str, Field(max_length=400)]
    name_en: Annotated[str, Field(max_length=400)]
    uscc: Annotated[str, Field(max_length=40, description="统一社会信用代码 (GB 32100-2015)")]
    person: FirstPersonIn


class PartyOut(Shape):
    """A party; `uscc` is null for the exchange itself."""

    id: UUID
    kind: Literal["rights_holder", "broadcaster", "exchange"]
    name_zh: str
    name_en: str
    uscc: str | None
    state: Literal["registered", "verified"]


class PartyPage(Shape):
    """A page of parties."""

    items: Sequence[PartyOut]
    next: UUID | None


class EndorsementIn(Shape):
    """What a key in force says of the next one (前钥背书)."""

    key_id: UUID
    signature_b64: Annotated[
        str,
        Field(
            max_length=200,
            description="Over the RFC 8785 bytes of {v: `uhdx/key/v1`, party, spki_sha256, "
            "previous_sha256}: ECDSA P-256 with SHA-256 (DER, or r and s), or Ed25519.",
        ),
    ]


class SigningKeyIn(Shape):
    """A request (PKCS#10, PEM) signed by its key: P-256 for contracts, Ed25519 for bids."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"csr_pem": _CSR}]})

    csr_pem: Annotated[str, Field(max_length=8192)]
    certificate_pem: Annotated[
        str | None,
        Field(
            max_length=16384,
            description="Of an authority that the exchange trusts (持牌机构), then those it leads "
            "to; without it, the exchange certifies the key.",
        ),
    ] = None
    endorsement: Annotated[
        EndorsementIn | None,
        Field(description="Needed for every key but the first of its kind, or after a reset."),
    ] = None


class KeyResetIn(Shape):
    """Why a party may register a key that no earlier key vouches for."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"reason": "私钥遗失，已当面核验 / key lost; seen in person"}]
        }
    )

    reason: Annotated[str, Field(max_length=1000)]


class KeyResetOut(Shape):
    """Leave to register one key without an endorsement; `used_by` is the key that was."""

    id: UUID
    party_id: UUID
    reason: str
    used_by: UUID | None


class SigningKeyOut(Shape):
    """A registered signing key with its certificate."""

    id: UUID
    spki_sha256: str
    certificate_pem: Annotated[str, Field(description="Those that it leads to follow it.")]
    issuer_pem: Annotated[str, Field(description="Whoever issued the certificate.")]
    issuer: Annotated[str | None, Field(description="Null: the exchange's own authority.")]
    state: Literal["active", "revoked"]


def party_out(party: Party) -> PartyOut:
    """Return a party as the wire carries it."""
    return PartyOut(**party.model_dump(exclude={"created_at", "uscc"}),
                    uscc=party.uscc or None)  # fmt: skip


@router.put(
    "/parties/{party_id}",
    status_code=201,
    responses={
        200: {"model": PartyOut, "description": "It was registered before, with this content."},
        **problems.responses(
            Malformed, IdReused, UsccTaken, EmailTaken, BadName, BadUscc, BadEmail, WeakPassword,
            InvalidContent, TextCannotBePrinted, ConfusableName,
        ),
    },
)  # fmt: skip
async def register_party(
    party_id: UUID, body: PartyIn, response: Response, session: Session, now: Now
) -> PartyOut:
    """Register an organisation and its first person; nobody needs to be signed in."""
    organisation = rules.organisation(
        kind=body.kind, name_zh=body.name_zh, name_en=body.name_en, uscc=body.uscc
    )
    who = PersonFields(
        email=body.person.email, name=body.person.name, password=body.person.password
    )
    party, _ = await identity.sign_up(
        session, party_id, body.person.id, organisation=organisation, person=who, now=now
    )
    if party.created_at != now:
        response.status_code = 200
    else:
        await glyphs.need_printable(name_zh=party.name_zh, name_en=party.name_en)
    return party_out(party)


@router.get("/parties", responses=problems.signed())
async def list_parties(
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> PartyPage:
    """List every party; staff only."""
    caller.need("read", *STAFF)
    rows = await parties.parties_page(session, after=page_after(after), limit=limit)
    return PartyPage(items=[party_out(row) for row in rows], next=next_after(rows, limit))


@router.get("/parties/{party_id}", responses=problems.signed(Unknown))
async def get_party(party_id: UUID, session: Session, caller: Signed) -> PartyOut:
    """Return one's own party; staff may read any."""
    caller.need("read")
    if party_id != caller.party_id and not caller.is_staff:
        raise Unknown("There is no such party.", party=str(party_id))
    return party_out(await parties.get_party(session, party_id))


@router.post("/parties/{party_id}/verification", responses=problems.signed(Unknown))
async def verify_party(party_id: UUID, session: Session, caller: Signed, now: Now) -> PartyOut:
    """Mark a party as verified (核验通过); operators only. A second time changes nothing."""
    caller.need("list", Role.OPERATOR)
    return party_out(await registry.verify(session, party_id, by=caller.person_id, now=now))


@router.put(
    "/parties/{party_id}/signing-keys/{key_id}",
    status_code=201,
    responses={
        200: {"model": SigningKeyOut, "description": "It was registered before."},
        **problems.signed(
            Malformed, Unknown, IdReused, PartyNotVerified, KeyTaken, BadCsr,
            AuthorityMissing, KeyNotEndorsed, EndorsementBroken, BadCertificate,
            CertificateNotTrusted, CertificateNotInForce, CertificateNotForSigning,
            CertificateOfAnother, TrustedUnreadable,
        ),
    },
)  # fmt: skip
async def register_signing_key(  # noqa: PLR0913 - FastAPI injects each as an argument.
    party_id: UUID,
    key_id: UUID,
    body: SigningKeyIn,
    *,
    response: Response,
    context: Ctx,
    session: Session,
    caller: Signed,
    now: Now,
) -> SigningKeyOut:
    """Register a key whose private half never leaves the party; certify it, or judge who did."""
    _own(party_id, caller)
    authority = open_authority(context.settings, now=now)
    asked = body.csr_pem.encode()
    issuer: Issuer = authority
    if body.certificate_pem is not None:
        issuer = await licensed.accept(
            body.certificate_pem.encode(),
            spki_sha256=csr.read(asked).spki_sha256,
            party=await parties.get_party(session, party_id),
            authority=authority,
            now=now,
        )
    key = await registry.register_key(
        session, party_id, key_id,
        csr_pem=asked, issuer=issuer, endorsement=_endorsement(body.endorsement), now=now,
    )  # fmt: skip
    if key.registered_at != now:
        response.status_code = 200
    return _key_out(key, authority)


@router.put(
    "/parties/{party_id}/key-resets/{reset_id}",
    responses=problems.signed(Malformed, Unknown, IdReused, BadName),
)
async def allow_key_reset(
    party_id: UUID, reset_id: UUID, body: KeyResetIn, *, session: Session, caller: Signed, now: Now
) -> KeyResetOut:
    """Let a party whose key is lost or stolen register its next one; operators only, and logged."""
    caller.need("list", Role.OPERATOR)
    reset = await vouching.allow_reset(
        session, party_id, reset_id, by=caller.person_id, reason=body.reason, now=now
    )
    return KeyResetOut(**reset.model_dump(include=set(KeyResetOut.model_fields)))


@router.delete(
    "/parties/{party_id}/signing-keys/{key_id}",
    responses=problems.signed(Unknown, AuthorityMissing),
)
async def revoke_signing_key(
    party_id: UUID, key_id: UUID, *, context: Ctx, session: Session, caller: Signed, now: Now
) -> SigningKeyOut:
    """Revoke a signing key: from now on it prepares no signature."""
    _own(party_id, caller)
    key = await registry.revoke_key(session, party_id, key_id, now=now)
    return _key_out(key, open_authority(context.settings, now=now))


def _own(party_id: UUID, caller: Caller) -> None:
    if party_id != caller.party_id:
        raise Unknown("There is no such party.", party=str(party_id))
    caller.need("deal", Role.HOLDER, Role.BROADCASTER)


def _endorsement(given: EndorsementIn | None) -> Endorsement | None:
    if given is None:
        return None
    try:
        signature = base64.b64decode(given.signature_b64, validate=True)
    except ValueError as unreadable:
        raise EndorsementBroken("The endorsement is no base64.") from unreadable
    return Endorsement(given.key_id, signature)


def _key_out(key: PartyKey, authority: LocalAuthority) -> SigningKeyOut:
    issuer = trusted.next_of(key.certificate_pem.encode()) or authority.own_root_pem
    return SigningKeyOut(
        id=key.id,
        spki_sha256=key.spki_sha256,
        certificate_pem=key.certificate_pem,
        issuer_pem=issuer.decode(),
        issuer=key.issuer,
        state="active" if key.state == "active" else "revoked",
    )
