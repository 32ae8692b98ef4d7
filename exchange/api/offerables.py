"""Rights open to offers (可议权利): what a holder lets others make offers for."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.deals import pricing
from contracts.parties import queries as parties
from contracts.parties.rules import PartyNotVerified
from contracts.refusal import IdReused, Unknown
from contracts.titles.parting import RightsNotOffered
from exchange import recognition_verbs
from exchange.api import listings, problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Ctx, Limit, Now, Session, Shape, Signed, next_after, page_after
from exchange.api.listings import RightIn, SellerOut
from exchange.api.offers import READ, WRITE, Model, side_out
from exchange.identity.rules import Role
from listings.catalogue.rules import MasterNotReady, MasterOfAnotherWork
from listings.offers import opening, queries
from listings.offers.opening import Opening
from listings.offers.queries import Shown
from listings.offers.rules import BadOffer
from listings.recognition.rules import LooksLikeAnotherWork, RecognitionUnderReview

router = APIRouter(route_class=JsonRoute, tags=["offers"])

_ID = "0199a3c0-5a01-7c3e-9c50-3f1f6a1f0a01"


class OfferableIn(Shape):
    """A right, the master it is delivered from, and the ways in which it may be paid for.

    `broadcasters` lets every verified broadcaster see it; `counterparty` only whom it is offered.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "work_id": _ID,
                    "master_id": _ID,
                    "listing_id": None,
                    "right": listings.RIGHT,
                    "models": ["flat", "guarantee-share"],
                    "audience": "broadcasters",
                }
            ]
        }
    )

    work_id: UUID
    master_id: UUID
    listing_id: UUID | None = None
    right: RightIn
    models: Annotated[list[Model], Field(min_length=1, max_length=6)]
    audience: Literal["broadcasters", "counterparty"] = "broadcasters"


class OfferedWorkOut(Shape):
    """The work that a right is of."""

    id: UUID
    title_zh: str
    title_en: str
    kind: str
    year: int


class OfferableOut(Shape):
    """A right open to offers."""

    id: UUID
    licensor: SellerOut
    work: OfferedWorkOut
    master_id: UUID
    master_sha256: str
    listing_id: UUID | None
    right: dict[str, Any]
    models: Sequence[Model]
    audience: Literal["broadcasters", "counterparty"]
    state: Literal["open", "closed"]
    created_at: AwareDatetime


class OfferablesOut(Shape):
    """A page of rights open to offers."""

    items: Sequence[OfferableOut]
    next: UUID | None


@router.put(
    "/offerables/{offerable_id}",
    status_code=201,
    responses={
        200: {"model": OfferableOut, "description": "It was opened before."},
        **problems.responses(
            *WRITE, *listings.RIGHTS, IdReused, BadOffer, RightsNotOffered,
            pricing.UnknownPriceModel, MasterNotReady, MasterOfAnotherWork, LooksLikeAnotherWork,
            RecognitionUnderReview,
        ),
    },
)  # fmt: skip
async def open_to_offers(
    offerable_id: UUID,
    body: OfferableIn,
    *,
    response: Response,
    context: Ctx,
    session: Session,
    caller: Signed,
    now: Now,
) -> OfferableOut:
    """Open a right to offers: of one's own work, or one that may be licensed on.

    Its master is compared with everything that is listed, as for a publication.
    """
    caller.need("list", Role.HOLDER)
    row, new = await opening.declare(
        session,
        offerable_id,
        party_id=caller.party_id,
        work_id=body.work_id,
        opening=Opening(
            master_id=body.master_id,
            listing_id=body.listing_id,
            right=body.right.model_dump(mode="json"),
            models=body.models,
            audience=body.audience,
        ),
        now=now,
        sight=recognition_verbs.sight(context),
    )
    response.status_code = 201 if new else 200
    return await _one(session, row.id)


@router.get("/offerables", responses=problems.responses(*READ, PartyNotVerified))
async def list_offerables(
    *,
    session: Session,
    caller: Signed,
    work_id: UUID | None = None,
    after: UUID | None = None,
    limit: Limit = 50,
) -> OfferablesOut:
    """List what is open to offers: to verified broadcasters and staff all of it, to holders theirs.

    Rights that are open to one counterparty stand in no list but their holder's.
    """
    caller.need("read")
    start = page_after(after)
    if caller.role is Role.HOLDER:
        found = await queries.of_party(session, caller.party_id, after=start, limit=limit)
    else:
        party = await parties.get_party(session, caller.party_id)
        if party.state != "verified" and not caller.is_staff:
            raise PartyNotVerified("The exchange has not verified your organisation.")
        found = await queries.open_page(session, after=start, limit=limit, work_id=work_id)
    items = [await _out(session, shown) for shown in found]
    return OfferablesOut(items=items, next=next_after(found, limit))


@router.post("/offerables/{offerable_id}/closing", responses=problems.responses(*WRITE))
async def close_to_offers(
    offerable_id: UUID, *, session: Session, caller: Signed, now: Now
) -> OfferableOut:
    """Take no more offers for a right; negotiations that name it go on. Again is the same."""
    caller.need("list", Role.HOLDER)
    await opening.close(session, offerable_id, party_id=caller.party_id, now=now)
    return await _one(session, offerable_id)


async def _one(session: AsyncSession, offerable_id: UUID) -> OfferableOut:
    found = await queries.shown(session, [offerable_id])
    if offerable_id not in found:
        raise Unknown("There is no such right.")
    return await _out(session, found[offerable_id])


async def _out(session: AsyncSession, shown: Shown) -> OfferableOut:
    row, work, master = shown.row, shown.work, shown.master
    return OfferableOut(
        id=row.id,
        licensor=await side_out(session, row.party_id),
        work=OfferedWorkOut(
            id=work.id, title_zh=work.title_zh, title_en=work.title_en, kind=work.kind,
            year=work.year,
        ),
        master_id=master.id,
        master_sha256=str(master.sha256),
        listing_id=row.listing_id,
        right=row.right,
        models=row.models,
        audience=row.audience,
        state=row.state,
        created_at=row.created_at,
    )  # fmt: skip
