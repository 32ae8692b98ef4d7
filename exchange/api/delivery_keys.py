"""The keys that organisations open deliveries with; apart from those they sign with."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field

from contracts.parties.rules import KeyTaken
from contracts.refusal import IdReused, InvalidContent, Malformed, NotAllowed, Unknown
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Now, Session, Shape, Signed
from exchange.identity.rules import Caller, CsrfToken, Role, ScopeMissing, SignInNeeded
from listings.deliveries import queries, recipients
from listings.deliveries.envelopes import BadDeliveryKey
from listings.deliveries.tables import DeliveryKey

router = APIRouter(route_class=JsonRoute, tags=["deliveries"])

_READ = (SignInNeeded, ScopeMissing, InvalidContent, Unknown)
_DO = (*_READ, CsrfToken, NotAllowed, Malformed)


class DeliveryKeyIn(Shape):
    """The public half of an X25519 key, 32 bytes in base64."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"public_b64": base64.b64encode(b"\x09" + bytes(31)).decode()}]
        }
    )

    public_b64: Annotated[str, Field(min_length=44, max_length=44)]


class DeliveryKeyOut(Shape):
    """A registered key; `sha256` of its 32 bytes is its name everywhere."""

    id: UUID
    public_b64: str
    sha256: str
    state: Literal["active", "revoked"]
    registered_at: AwareDatetime
    revoked_at: AwareDatetime | None


class DeliveryKeysOut(Shape):
    """The keys of an organisation; content keys are sealed to the newest that is active."""

    items: Sequence[DeliveryKeyOut]


@router.get("/parties/{party_id}/delivery-keys", responses=problems.responses(*_READ))
async def list_delivery_keys(
    party_id: UUID, *, session: Session, caller: Signed
) -> DeliveryKeysOut:
    """List the delivery keys of one's own organisation, active and revoked, the oldest first."""
    caller.need("read")
    _own(party_id, caller)
    return DeliveryKeysOut(
        items=[_key_out(key) for key in await queries.keys_of(session, party_id)]
    )


@router.put(
    "/parties/{party_id}/delivery-keys/{key_id}",
    status_code=201,
    responses={
        200: {"model": DeliveryKeyOut, "description": "It was registered before."},
        **problems.responses(*_DO, IdReused, KeyTaken, BadDeliveryKey),
    },
)
async def register_delivery_key(
    party_id: UUID,
    key_id: UUID,
    body: DeliveryKeyIn,
    *,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> DeliveryKeyOut:
    """Register a key whose private half never leaves the organisation.

    What was paid for and not yet released is released to it.
    """
    caller.need("deal", Role.HOLDER, Role.BROADCASTER)
    _own(party_id, caller)
    key, created = await recipients.register(
        session, party_id, key_id, public=_public(body.public_b64), now=now
    )
    response.status_code = 201 if created else 200
    return _key_out(key)


@router.delete("/parties/{party_id}/delivery-keys/{key_id}", responses=problems.responses(*_DO))
async def revoke_delivery_key(
    party_id: UUID, key_id: UUID, *, session: Session, caller: Signed, now: Now
) -> DeliveryKeyOut:
    """Revoke a delivery key: nothing more is sealed to it. A second time changes nothing."""
    caller.need("deal", Role.HOLDER, Role.BROADCASTER)
    _own(party_id, caller)
    return _key_out(await recipients.revoke(session, party_id, key_id, now=now))


def _own(party_id: UUID, caller: Caller) -> None:
    if party_id != caller.party_id:
        raise Unknown("There is no such party.", party=str(party_id))


def _public(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as unreadable:
        raise BadDeliveryKey("The key is not base64.") from unreadable


def _key_out(key: DeliveryKey) -> DeliveryKeyOut:
    return DeliveryKeyOut(
        id=key.id,
        public_b64=base64.b64encode(key.public).decode(),
        sha256=key.sha256,
        state="active" if key.state == "active" else "revoked",
        registered_at=key.registered_at,
        revoked_at=key.revoked_at,
    )
