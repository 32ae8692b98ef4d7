"""The certificate authority as it publishes itself: `/ca` is its prefix (RFC 5280, RFC 2585).

Certificates name these addresses where the exchange has one (EXCHANGE_BASE_URL).
"""

from typing import Literal

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from contracts.parties import certificates, revocations
from contracts.parties.certificates import ROOT
from contracts.parties.gateway import AuthorityMissing
from contracts.refusal import InvalidContent, Unknown
from exchange.api import problems
from exchange.api.deps import Ctx, Now, Session
from exchange.authority import open_authority

router = APIRouter(prefix="/ca", tags=["authority"])

Name = Literal["root", "issuing"]
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FOR_A_WHILE = {"Cache-Control": "public, max-age=300"}
_FOR_A_DAY = {"Cache-Control": "public, max-age=86400"}


@router.get(
    "/root.pem",
    response_class=PlainTextResponse,
    responses={
        200: {"content": {"application/x-pem-file": {"example": "-----BEGIN CERTIFICATE-----\n…"}}},
        **problems.responses(AuthorityMissing),
    },
)
async def get_root(context: Ctx, now: Now) -> Response:
    """Return the exchange's root certificate (PEM); compare it with what you have. Public."""
    pem = open_authority(context.settings, now=now).own_root_pem
    return Response(pem, media_type="application/x-pem-file", headers=_FOR_A_DAY)


@router.get(
    "/{name}.cer",
    response_class=Response,
    responses={
        200: {"description": "DER.", "content": {"application/pkix-cert": _BINARY}},
        **problems.responses(AuthorityMissing, InvalidContent),
    },
)
async def get_authority_certificate(name: Name, context: Ctx, now: Now) -> Response:
    """Return the certificate (DER) of the root or of the authority that issues. Public."""
    authority = open_authority(context.settings, now=now)
    pem = authority.own_root_pem if name == ROOT else authority.issuing_pem
    der = certificates.der_of(pem)
    return Response(der, media_type="application/pkix-cert", headers=_FOR_A_DAY)


@router.get(
    "/{name}.crl",
    response_class=Response,
    responses={
        200: {
            "description": "DER; good until its nextUpdate, renewed every day.",
            "content": {"application/pkix-crl": _BINARY},
        },
        **problems.responses(AuthorityMissing, InvalidContent, Unknown),
    },
)
async def get_revocation_list(name: Name, context: Ctx, session: Session, now: Now) -> Response:
    """Return the list of revoked certificates of the root or of who issues. Public."""
    authority = open_authority(context.settings, now=now)
    alone = authority.issuing.name == ROOT  # an authority from before there was one below the root
    if name == ROOT and not alone:
        der = authority.root_list()
    else:
        published = await revocations.latest(session)
        der = None if published is None else published.der
    if der is None:
        raise Unknown("The list is not published yet.", list=name)
    return Response(der, media_type="application/pkix-crl", headers=_FOR_A_WHILE)
