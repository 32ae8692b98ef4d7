"""Offers (要约): negotiating in private, in versions that never change.

Nobody but the two sides learns that a negotiation exists, the staff of the exchange included; what
is accepted becomes a deal, which the exchange certifies and sees like every deal.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.deals import instalments, pricing, tiers
from contracts.deals import queries as deals
from contracts.money import AmountOutOfRange, WrongCurrency
from contracts.parties import queries as parties
from contracts.parties.rules import PartyNotVerified
from contracts.refusal import (
    CommitUnknown,
    IdReused,
    InvalidContent,
    Malformed,
    NotAllowed,
    Unknown,
)
from contracts.titles import rules as titles
from contracts.titles.explaining import RightsNotAvailable
from contracts.titles.parting import RightsNotOffered
from contracts.titles.sublicence import ExceedsHolding
from exchange.api import listings, problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Limit, Now, Session, Shape, Signed, next_after, page_after
from exchange.api.listings import RightIn, SellerOut
from exchange.api.prices import PriceIn
from exchange.identity.rules import Caller, CsrfToken, Role, ScopeMissing, SignInNeeded
from listings.offers import queries, rules, service
from listings.offers.service import Speaker
from listings.offers.tables import Offer, OfferVersion, thread

router = APIRouter(route_class=JsonRoute, tags=["offers"])

TRADERS = (Role.HOLDER, Role.BROADCASTER)
READ = (SignInNeeded, ScopeMissing, NotAllowed, InvalidContent)
WRITE = (*READ, CsrfToken, Malformed, Unknown, CommitUnknown)
PRICES = (
    pricing.BadPrice, pricing.UnknownPriceModel, pricing.PriceNotSettledYet, AmountOutOfRange,
    WrongCurrency, rules.PriceModelNotCommon, instalments.BadInstalments,
    instalments.InstalmentsNotAllowed, tiers.BadTiers,
)  # fmt: skip
SAID = (
    *PRICES, *listings.RIGHTS, rules.BadOffer, rules.OfferableClosed, RightsNotOffered,
    titles.TooManyLots, PartyNotVerified, rules.OwnRights,
)  # fmt: skip
_ENDED = (rules.OfferEnded, rules.OfferExpired, rules.OwnOffer)
_ID = "0199a3c0-5a01-7c3e-9c50-3f1f6a1f0a01"
Model = Literal[
    "flat", "instalments", "guarantee-share", "guarantee-tiers", "per-run", "share"
]  # fmt: skip
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class AskedRightIn(Shape):
    """A right that is open to offers: the whole of it, or the part in `right`."""

    offerable_id: UUID
    right: RightIn | None = None


class OfferWorkIn(Shape):
    """Rights of one work, and what is paid for them."""

    rights: Annotated[list[AskedRightIn], Field(min_length=1, max_length=titles.MOST_LOTS)]
    price: PriceIn


class OfferIn(Shape):
    """What is offered: rights of one licensor, all paid for in the same way, until an instant."""

    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    model: Model
    works: Annotated[list[OfferWorkIn], Field(min_length=1, max_length=rules.MOST_WORKS)]
    message: Annotated[str, Field(max_length=rules.LONGEST_MESSAGE)] = ""
    expires_at: AwareDatetime
    contract: Annotated[
        Literal["each", "package"],
        Field(
            description="A contract for each work, or one for all of them (多部作品合同): all of "
            "its rights or none; for two works or more, with the model `flat`."
        ),
    ] = "each"


OFFER: dict[str, Any] = {
    "currency": "CNY",
    "model": "guarantee-share",
    "works": [
        {
            "rights": [{"offerable_id": _ID, "right": listings.RIGHT}],
            "price": {"guarantee_minor": 50_000_000, "share_bp": 1250},
        }
    ],
    "message": "首轮播出，二轮另议",
    "expires_at": "2026-12-06T16:00:00Z",
}


class VersionIn(OfferIn):
    """A version; a licensor that opens the negotiation names the licensee."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**OFFER, "licensee_id": None}]})

    licensee_id: UUID | None = None


class VersionOut(Shape):
    """A version: `sha256` is of the RFC 8785 bytes of `content`, and what an acceptance names."""

    id: UUID
    number: int
    by: Literal["licensor", "licensee"]
    content: dict[str, Any]
    sha256: str
    expires_at: AwareDatetime
    made_at: AwareDatetime


class OfferSummaryOut(Shape):
    """A negotiation, without what was said."""

    id: UUID
    state: Literal["open", "accepted", "declined", "withdrawn", "expired"]
    licensor: SellerOut
    licensee: SellerOut
    awaits: Annotated[
        Literal["licensor", "licensee"] | None, Field(description="who answers the latest version")
    ]
    versions_count: int
    expires_at: AwareDatetime
    created_at: AwareDatetime
    ended_at: AwareDatetime | None


class OfferOut(OfferSummaryOut):
    """A negotiation with every version, and the deals that followed it."""

    versions: Sequence[VersionOut]
    accepted_version: UUID | None
    reason: str | None
    request_id: UUID | None
    deals: Sequence[UUID]


class OffersOut(Shape):
    """A page of negotiations."""

    items: Sequence[OfferSummaryOut]
    next: UUID | None


class AcceptanceIn(Shape):
    """The version that is accepted, named by its id and the hash of what was read."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"version_id": _ID, "sha256": "ab" * 32}]}
    )

    version_id: UUID
    sha256: Sha256


class OfferRefusalIn(Shape):
    """Why not; the other side reads it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "期限太短"}]})

    reason: Annotated[str, Field(max_length=rules.LONGEST_MESSAGE)] = ""


class WithdrawalIn(Shape):
    """The version that is taken back: the latest, and one's own."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version_id": _ID}]})

    version_id: UUID


@router.put(
    "/offers/{offer_id}/versions/{version_id}",
    status_code=201,
    responses={
        200: {"model": VersionOut, "description": "It was said before."},
        **problems.responses(*WRITE, *SAID, IdReused, *_ENDED[:2], rules.TooManyVersions),
    },
)
async def make_offer(
    offer_id: UUID,
    version_id: UUID,
    body: VersionIn,
    *,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> VersionOut:
    """Make an offer or a counter-offer; the first version opens the negotiation.

    A further version of one's own replaces what one said before, as long as it is unanswered. Every
    price model has to be common to all rights of the offer.
    """
    caller.need("deal", *TRADERS)
    made, new = await service.propose(
        session,
        offer_id,
        version_id,
        speaker=Speaker(caller.party_id, caller.person_id, side_of(caller)),
        ask=asked(body),
        licensee_id=body.licensee_id,
        now=now,
    )
    response.status_code = 201 if new else 200
    return version_out(made)


@router.get("/offers", responses=problems.responses(*READ))
async def list_offers(
    *, session: Session, caller: Signed, now: Now, after: UUID | None = None, limit: Limit = 50
) -> OffersOut:
    """List the negotiations of the caller's organisation."""
    caller.need("read")
    found = await queries.offers_of(session, caller.party_id, after=page_after(after), limit=limit)
    items = [OfferSummaryOut(**await _summary(session, offer, now=now)) for offer in found]
    return OffersOut(items=items, next=next_after(found, limit))


@router.get("/offers/{offer_id}", responses=problems.responses(*READ, Unknown))
async def get_offer(offer_id: UUID, *, session: Session, caller: Signed, now: Now) -> OfferOut:
    """Return a negotiation to its two sides; to everybody else there is none."""
    caller.need("read")
    offer, _ = await queries.get_of(session, offer_id, caller.party_id)
    return await _out(session, offer, now=now)


@router.post(
    "/offers/{offer_id}/acceptance",
    responses=problems.responses(
        *WRITE, *_ENDED, rules.OfferSuperseded, PartyNotVerified, titles.RightsAlreadyGranted,
        RightsNotAvailable, titles.RightsNotHeld, ExceedsHolding, titles.CoOwnerConsentMissing,
    ),
)  # fmt: skip
async def accept_offer(
    offer_id: UUID, body: AcceptanceIn, *, session: Session, caller: Signed, now: Now
) -> OfferOut:
    """Accept the latest version; a contract is drafted for each of its works, or one for all.

    Nothing is reserved by it: the contract that is signed first has the rights. Again is the same.
    """
    caller.need("deal", *TRADERS)
    offer = await service.accept(
        session,
        offer_id,
        party_id=caller.party_id,
        version_id=body.version_id,
        sha256=body.sha256,
        now=now,
    )
    return await _out(session, offer, now=now)


@router.post(
    "/offers/{offer_id}/refusal", responses=problems.responses(*WRITE, *_ENDED, rules.BadOffer)
)
async def decline_offer(
    offer_id: UUID, body: OfferRefusalIn, *, session: Session, caller: Signed, now: Now
) -> OfferOut:
    """Say no to what the other side offered last; the negotiation ends. Again is the same."""
    caller.need("deal", *TRADERS)
    offer = await service.decline(
        session, offer_id, party_id=caller.party_id, reason=body.reason, now=now
    )
    return await _out(session, offer, now=now)


@router.post(
    "/offers/{offer_id}/withdrawal",
    responses=problems.responses(*WRITE, *_ENDED, rules.OfferSuperseded),
)
async def withdraw_offer(
    offer_id: UUID, body: WithdrawalIn, *, session: Session, caller: Signed, now: Now
) -> OfferOut:
    """Take back what one offered last, while it is unanswered; the negotiation ends."""
    caller.need("deal", *TRADERS)
    offer = await service.withdraw(
        session, offer_id, party_id=caller.party_id, version_id=body.version_id, now=now
    )
    return await _out(session, offer, now=now)


def asked(body: OfferIn) -> dict[str, Any]:
    """Return an offer as the rules read it."""
    return {
        "currency": body.currency,
        "model": body.model,
        "message": body.message,
        "expires_at": body.expires_at.astimezone(UTC),
        "contract": body.contract,
        "works": [
            {
                "rights": [
                    {
                        "offerable": one.offerable_id,
                        "right": one.right and one.right.model_dump(mode="json"),
                    }
                    for one in work.rights
                ],
                "price": work.price.model_dump(exclude_none=True),
            }
            for work in body.works
        ],
    }


def side_of(caller: Caller) -> str:
    """Return on which side somebody opens a negotiation."""
    return rules.LICENSOR if caller.role is Role.HOLDER else rules.LICENSEE


def version_out(made: OfferVersion) -> VersionOut:
    """Return the wire shape of a version."""
    return VersionOut(
        id=made.id,
        number=made.number,
        by=made.by_side,
        content=canonical.loads(made.content),
        sha256=made.sha256,
        expires_at=made.expires_at,
        made_at=made.made_at,
    )


async def side_out(session: AsyncSession, party_id: UUID) -> SellerOut:
    """Return a party by its names."""
    party = await parties.get_party(session, party_id)
    return SellerOut(id=party.id, name_zh=party.name_zh, name_en=party.name_en)


async def _summary(session: AsyncSession, offer: Offer, *, now: datetime) -> dict[str, Any]:
    standing = rules.expire(thread(offer, await queries.latest(session, offer)), now=now)
    return {
        "id": offer.id,
        "state": standing.state,
        "licensor": await side_out(session, offer.licensor_id),
        "licensee": await side_out(session, offer.licensee_id),
        "awaits": rules.OTHER[standing.by] if standing.state == "open" else None,
        "versions_count": offer.versions,
        "expires_at": offer.expires_at,
        "created_at": offer.created_at,
        "ended_at": offer.ended_at,
    }


async def _out(session: AsyncSession, offer: Offer, *, now: datetime) -> OfferOut:
    said = await queries.versions(session, offer.id)
    return OfferOut(
        **await _summary(session, offer, now=now),
        versions=[version_out(made) for made in said],
        accepted_version=offer.accepted_version,
        reason=offer.reason,
        request_id=offer.request_id,
        deals=await deals.ids_of_offer(session, offer.id),
    )
