"""What a signing client needs: a party's keys, and the very file that its signature is for."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, Field

from contracts.deals import queries
from contracts.parties import csr
from contracts.parties import queries as parties
from contracts.parties.gateway import AuthorityMissing
from contracts.parties.tables import PartyKey
from contracts.refusal import InvalidContent, Unknown
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Ctx, Now, Session, Shape, Signed
from exchange.authority import open_authority
from exchange.identity.rules import ScopeMissing, SignInNeeded

router = APIRouter(route_class=JsonRoute, tags=["deals"])

_READ = (SignInNeeded, ScopeMissing, InvalidContent, Unknown)


class KeyOfPartyOut(Shape):
    """A registered key of the caller's organisation."""

    id: UUID
    spki_sha256: str
    certificate_pem: str
    signs: Literal["contracts", "bids"]
    state: Literal["active", "revoked"]
    registered_at: AwareDatetime
    revoked_at: AwareDatetime | None
    issuer: Annotated[str | None, Field(description="Null: the exchange's own authority.")]


class KeysOfPartyOut(Shape):
    """Every key that the organisation has registered, and what signatures and time-stamps lead to.

    `time_roots_pem` is of outside time-stamping authorities; empty where the exchange stamps.
    """

    items: Sequence[KeyOfPartyOut]
    root_pem: str
    time_roots_pem: str


@router.get(
    "/parties/{party_id}/signing-keys", responses=problems.responses(*_READ, AuthorityMissing)
)
async def list_signing_keys(
    party_id: UUID, *, context: Ctx, session: Session, caller: Signed, now: Now
) -> KeysOfPartyOut:
    """List the signing keys of one's own organisation, active and revoked, the oldest first."""
    caller.need("read")
    if party_id != caller.party_id:
        raise Unknown("There is no such party.", party=str(party_id))
    found = await parties.keys_of(session, party_id)
    authority = open_authority(context.settings, now=now)
    return KeysOfPartyOut(
        items=[key_out(key) for key in found],
        root_pem=authority.root_pem.decode(),
        time_roots_pem=authority.certifier.time_roots_pem.decode(),
    )


@router.get(
    "/deals/{deal_id}/signing-sessions/{session_id}/contract.pdf",
    response_class=Response,
    responses={
        200: {
            "description": (
                "The contract with the field of this signature and a gap where it will stand. "
                "The SHA-256 of everything but the gap is the messageDigest in `tbs_der_b64`."
            ),
            "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
        },
        **problems.responses(*_READ),
    },
)
async def get_prepared_contract(
    deal_id: UUID, session_id: UUID, *, session: Session, caller: Signed
) -> Response:
    """Return the file that a signing session prepared, so that its signer can check it."""
    caller.need("read")
    begun = await queries.find_session(session, deal_id, session_id)
    if begun is None or begun.party_id != caller.party_id:
        raise Unknown("There is no such signing session.", session=str(session_id))
    headers = {
        "Content-Disposition": f'attachment; filename="{session_id}.pdf"',
        "Cache-Control": "private, no-store",
    }
    return Response(begun.prepared, media_type="application/pdf", headers=headers)


def key_out(key: PartyKey) -> KeyOfPartyOut:
    """Return a party's key as the wire carries it."""
    return KeyOfPartyOut(
        id=key.id,
        spki_sha256=key.spki_sha256,
        certificate_pem=key.certificate_pem,
        signs="contracts" if csr.signs_documents(key.public_key_pem) else "bids",
        state="active" if key.state == "active" else "revoked",
        registered_at=key.registered_at,
        revoked_at=key.revoked_at,
        issuer=key.issuer,
    )
