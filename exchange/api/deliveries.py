"""Deliveries of masters (母带交付): manifests, the content's key once it is paid, acceptance."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.deals import queries as deals
from contracts.deals.tables import Deal
from contracts.refusal import IdReused, InvalidContent, Malformed, NotAllowed, Unknown
from exchange import keys
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Ctx, Now, Session, Shape, Signed
from exchange.identity.rules import Caller, CsrfToken, Role, ScopeMissing, SignInNeeded
from listings.deliveries import envelopes, manifests, queries, rules, service
from listings.deliveries.envelopes import EnvelopeBroken
from listings.deliveries.gateway import EscrowKeyMissing
from listings.deliveries.manifests import BadManifest, Manifest
from listings.deliveries.rules import (
    DeliveryNotPossible,
    DeliveryStands,
    DeliveryStepNotPossible,
    EscrowUnsound,
    KeyNotReleased,
    NothingToDeliver,
    NotPaidYet,
)
from listings.deliveries.service import Offer
from listings.deliveries.tables import Delivery, DeliveryComplaint, DeliveryKey

router = APIRouter(route_class=JsonRoute, tags=["deliveries"])

_READ = (SignInNeeded, ScopeMissing, InvalidContent, Unknown)
_DO = (*_READ, CsrfToken, NotAllowed, Malformed)
_ENVELOPE_B64 = {"min_length": 108, "max_length": 108}
_SHOWN = Manifest("ab" * 32, 1, b"\xcd" * 32, b"\xef" * 56, b"\x12" * 32, "34" * 32, "56" * 32)
_NO_ENVELOPE = base64.b64encode(bytes(envelopes.SEALED_BYTES)).decode()
State = Literal["offered", "released", "accepted", "disputed", "replaced"]


class EscrowKeyOut(Shape):
    """The exchange's key that licensors seal content keys to (X25519)."""

    public_b64: str
    sha256: Annotated[str, Field(description="its name in manifests")]


class RecipientOut(Shape):
    """The licensee's key that content keys are sealed to (X25519)."""

    id: UUID
    public_b64: str
    sha256: str


class ComplaintOut(Shape):
    """A complaint that was judged."""

    sha256: str
    segment: int
    verdict: Literal["upheld", "rejected"]
    reason: str
    filed_at: AwareDatetime


class DeliveryOut(Shape):
    """A delivery: what was promised in it, and where it stands."""

    id: UUID
    number: int
    state: State
    how: Annotated[
        Literal["said", "deemed"] | None, Field(description="how it was accepted, once it is")
    ]
    place: Annotated[str, Field(description="where the licensor says that the ciphertext lies")]
    manifest: Mapping[str, Any]
    manifest_sha256: str
    offered_at: AwareDatetime
    released_at: AwareDatetime | None
    accept_by: Annotated[AwareDatetime | None, Field(description="silence is acceptance then")]
    settled_at: AwareDatetime | None
    complaints: Sequence[ComplaintOut]


class DeliveriesOut(Shape):
    """The deliveries under a deal, the latest first, and what a release waits for."""

    contract_no: str
    paid: Annotated[bool, Field(description="the settlement is booked, and in the log")]
    recipient: Annotated[
        RecipientOut | None, Field(description="the key of the licensee; null until it has one")
    ]
    items: Sequence[DeliveryOut]


class DeliveryIn(Shape):
    """A sealed delivery, as `exchange delivery seal` makes it, and where its file lies."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "manifest": _SHOWN.wire(),
                    "escrow_b64": _NO_ENVELOPE,
                    "place": "https://delivery.licensor.example/main.mxf.sealed",
                }
            ]
        }
    )

    manifest: dict[str, Any]
    escrow_b64: Annotated[
        str, Field(description="the content's key, sealed to the escrow key", **_ENVELOPE_B64)
    ]
    place: Annotated[
        str,
        Field(
            max_length=rules.LONGEST_PLACE,
            pattern=r"^[!-~]+$",
            description="an address for the licensee alone; the exchange never asks it",
        ),
    ]


class ReleaseIn(Shape):
    """The content's key, sealed by the licensor to the licensee's key for this contract."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"sealed_b64": _NO_ENVELOPE}]})

    sealed_b64: Annotated[str, Field(**_ENVELOPE_B64)]


class ReleasedOut(Shape):
    """A released key: HPKE, base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.

    `info` is "uhdx/key-release/v1", NUL, the contract's number, and the 32 bytes of the manifest's
    SHA-256.
    """

    sealed_b64: str
    recipient: Annotated[str, Field(description="SHA-256 of the key that it is sealed to")]
    by: Literal["exchange", "licensor"]
    fact: Annotated[UUID, Field(description="`key.released`, recorded before this was answered")]
    leaf: Annotated[int, Field(description="its number in the log")]


class ReleasedKeysOut(Shape):
    """The released keys of a delivery, for the licensee alone."""

    contract_no: str
    manifest_sha256: str
    items: Sequence[ReleasedOut]


@router.get("/deliveries/escrow-key", responses=problems.responses(EscrowKeyMissing))
async def get_escrow_key(context: Ctx) -> EscrowKeyOut:
    """Return the exchange's public escrow key; anybody may ask."""
    escrow = keys.escrow_key(context.settings)
    return EscrowKeyOut(public_b64=base64.b64encode(escrow.public).decode(), sha256=escrow.name)


@router.get("/deals/{deal_id}/deliveries", responses=problems.responses(*_READ))
async def list_deliveries(deal_id: UUID, *, session: Session, caller: Signed) -> DeliveriesOut:
    """List the deliveries under a deal; its two sides and the staff see them."""
    caller.need("read")
    deal = await _visible(session, deal_id, caller)
    recipient = await queries.key_in_use(session, deal.licensee_id)
    return DeliveriesOut(
        contract_no=deal.contract_no,
        paid=await queries.is_paid(session, deal.id),
        recipient=recipient and _recipient(recipient),
        items=[
            delivery_out(one, await queries.complaints_of(session, one))
            for one in await queries.of_deal(session, deal.id)
        ],
    )


@router.put(
    "/deals/{deal_id}/deliveries/{delivery_id}",
    status_code=201,
    responses={
        200: {"model": DeliveryOut, "description": "It was offered before."},
        **problems.responses(
            *_DO, IdReused, BadManifest, NothingToDeliver, DeliveryNotPossible, DeliveryStands,
            EscrowUnsound, EscrowKeyMissing,
        ),
    },
)  # fmt: skip
async def offer_delivery(  # noqa: PLR0913 - FastAPI injects each as an argument.
    deal_id: UUID,
    delivery_id: UUID,
    body: DeliveryIn,
    *,
    response: Response,
    context: Ctx,
    session: Session,
    caller: Signed,
    now: Now,
) -> DeliveryOut:
    """Offer the master of a deal, encrypted: the licensor, from the frozen terms on.

    One that was offered before gives way to it while its key is not released.
    """
    caller.need("deal", Role.HOLDER, Role.BROADCASTER)
    said = Offer(manifests.read(body.manifest), envelope(body.escrow_b64), body.place)
    delivery, created = await service.offer(
        session, deal_id, delivery_id, party_id=caller.party_id, said=said,
        escrow=keys.escrow_key(context.settings), now=now,
    )  # fmt: skip
    response.status_code = 201 if created else 200
    return delivery_out(delivery, ())


@router.get(
    "/deals/{deal_id}/deliveries/{delivery_id}/keys",
    responses=problems.responses(*_READ, NotAllowed, KeyNotReleased),
)
async def get_released_keys(
    deal_id: UUID, delivery_id: UUID, *, response: Response, session: Session, caller: Signed
) -> ReleasedKeysOut:
    """Return the content's key, sealed to the licensee, once its release is in the log."""
    caller.need("deal", Role.HOLDER, Role.BROADCASTER)
    deal = await _visible(session, deal_id, caller)
    delivery = await queries.get_delivery(session, deal.id, delivery_id)
    if caller.party_id != deal.licensee_id:
        raise NotAllowed("This is for the licensee to have.", role="licensee")
    found = await queries.released(session, deal.id, delivery.id)
    response.headers["Cache-Control"] = "private, no-store"
    return ReleasedKeysOut(
        contract_no=deal.contract_no,
        manifest_sha256=delivery.manifest_sha256,
        items=[
            ReleasedOut(
                sealed_b64=base64.b64encode(one.release.sealed).decode(),
                recipient=one.recipient,
                by="exchange" if one.release.by == "exchange" else "licensor",
                fact=one.release.fact_id,
                leaf=one.leaf,
            )
            for one in found
        ],
    )


@router.put(
    "/deals/{deal_id}/deliveries/{delivery_id}/releases/{key_id}",
    status_code=201,
    responses={
        200: {"model": DeliveryOut, "description": "It was released before."},
        **problems.responses(
            *_DO, IdReused, EnvelopeBroken, NotPaidYet, DeliveryNotPossible,
            DeliveryStepNotPossible,
        ),
    },
)  # fmt: skip
async def release_key(  # noqa: PLR0913 - FastAPI injects each as an argument.
    deal_id: UUID,
    delivery_id: UUID,
    key_id: UUID,
    body: ReleaseIn,
    *,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> DeliveryOut:
    """Release the key oneself: the licensor, where the exchange does not, once it is paid."""
    caller.need("deal", Role.HOLDER, Role.BROADCASTER)
    _, created = await service.release_directly(
        session, deal_id, delivery_id, key_id, party_id=caller.party_id,
        sealed=envelope(body.sealed_b64), now=now,
    )  # fmt: skip
    response.status_code = 201 if created else 200
    return await _shown(session, deal_id, delivery_id)


@router.post(
    "/deals/{deal_id}/deliveries/{delivery_id}/acceptance",
    responses=problems.responses(*_DO, DeliveryStepNotPossible),
)
async def accept_delivery(
    deal_id: UUID, delivery_id: UUID, *, session: Session, caller: Signed, now: Now
) -> DeliveryOut:
    """Accept a delivery (验收): the licensee, once its key is released. Again is the same."""
    caller.need("deal", Role.HOLDER, Role.BROADCASTER)
    await service.accept(session, deal_id, delivery_id, party_id=caller.party_id, now=now)
    return await _shown(session, deal_id, delivery_id)


def envelope(text: str) -> bytes:
    """Return an envelope that came in base64.

    Raises:
        EnvelopeBroken: it is none.
    """
    try:
        sealed = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as unreadable:
        raise EnvelopeBroken("The envelope is not base64.") from unreadable
    if len(sealed) != envelopes.SEALED_BYTES:
        raise EnvelopeBroken("An envelope has 80 bytes.")
    return sealed


def delivery_out(delivery: Delivery, complaints: Sequence[DeliveryComplaint]) -> DeliveryOut:
    """Return a delivery as the wire carries it."""
    plain = ("id", "number", "state", "how", "place", "manifest_sha256", "offered_at",
             "released_at", "accept_by", "settled_at")  # fmt: skip
    return DeliveryOut.model_validate(
        {
            **{name: getattr(delivery, name) for name in plain},
            "manifest": canonical.known(delivery.manifest),
            "complaints": [complaint_out(one) for one in complaints],
        }
    )


def complaint_out(complaint: DeliveryComplaint) -> ComplaintOut:
    """Return a judged complaint as the wire carries it."""
    return ComplaintOut(
        sha256=complaint.sha256,
        segment=complaint.segment,
        verdict="upheld" if complaint.verdict == "upheld" else "rejected",
        reason=complaint.reason,
        filed_at=complaint.filed_at,
    )


async def _shown(session: AsyncSession, deal_id: UUID, delivery_id: UUID) -> DeliveryOut:
    delivery = await queries.get_delivery(session, deal_id, delivery_id)
    return delivery_out(delivery, await queries.complaints_of(session, delivery))


def _recipient(key: DeliveryKey) -> RecipientOut:
    public = base64.b64encode(key.public).decode()
    return RecipientOut(id=key.id, public_b64=public, sha256=key.sha256)


async def _visible(session: AsyncSession, deal_id: UUID, caller: Caller) -> Deal:
    viewer = caller.for_party
    return await deals.get_deal_of(session, deal_id, viewer)
