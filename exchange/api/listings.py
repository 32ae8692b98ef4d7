"""Listings (挂牌): drafting, publishing, searching."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, Field, model_validator

from contracts.calendar import YearNotLoaded
from contracts.deals.instalments import BadInstalments, InstalmentsNotAllowed
from contracts.deals.pricing import BadPrice
from contracts.money import AmountOutOfRange, WrongCurrency
from contracts.refusal import CommitUnknown, IdReused, InvalidContent, Malformed, Unknown
from contracts.refusal import NotAllowed as RoleMissing
from contracts.rights import rules as rights
from contracts.rights import vocabulary
from contracts.rights.wording import wording_of
from contracts.titles import rules as title_rules
from contracts.titles.explaining import RightsNotAvailable
from contracts.titles.sublicence import ExceedsHolding
from contracts.window import BadWindow
from exchange import recognition_verbs
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import (
    Ctx,
    Limit,
    MaybeCaller,
    Now,
    Session,
    Shape,
    Signed,
    next_after,
    page_after,
)
from exchange.api.sales import SALE, SaleIn
from exchange.identity.rules import CsrfToken, Role, ScopeMissing, SignInNeeded
from listings.auctions.rules import BadSale
from listings.catalogue import queries, rules, service
from listings.catalogue.queries import Entry, Search
from listings.disclosures import gate, progress
from listings.disclosures import rules as disclosing
from listings.recognition.rules import LooksLikeAnotherWork, RecognitionUnderReview

router = APIRouter(route_class=JsonRoute)

_SIGNED = (SignInNeeded, CsrfToken, ScopeMissing, RoleMissing, InvalidContent)
RIGHTS = (
    vocabulary.UnknownRight, vocabulary.RightNotLicensable, vocabulary.UnknownMedium,
    vocabulary.UnknownTerritory, vocabulary.UnknownLanguage, vocabulary.UnknownBundle,
    rights.MediumNeedsAnotherRight, rights.NothingOffered, rights.BadRuns, rights.BadRound,
    rights.BadSublicence, rights.UnknownExclusivity, BadWindow, title_rules.RightsOfferedTwice,
    rules.TooManyRights,
)  # fmt: skip
_SALE = (
    BadSale, rules.BadSaleTerms, WrongCurrency, AmountOutOfRange, BadInstalments, BadPrice,
)  # fmt: skip
_ADMITTED = (
    gate.MethodNotLicensed, gate.NoticeTooShort, disclosing.DisclosureNeeded,
    disclosing.FloorBelowAssessed, disclosing.ConsentNeeded, disclosing.AssessmentTooOld,
    progress.DisclosureTooShort, YearNotLoaded, InstalmentsNotAllowed,
)  # fmt: skip
RIGHT: dict[str, Any] = {
    "right": "broadcasting",
    "media": ["satellite"],
    "territories": ["CN"],
    "excluded": ["HK", "MO", "TW"],
    "languages": ["zh"],
    "first_day": "2027-01-01",
    "last_day": "2028-12-31",
    "tz": "Asia/Shanghai",
    "exclusivity": "exclusive",
    "runs_max": 3,
}

Code = Annotated[str, Field(max_length=40)]
Codes = Annotated[list[Code], Field(max_length=300)]


class RightIn(Shape):
    """One right offered (著作权法 art. 10), or a bundle of rights such as 播映权 by its name.

    What is not named is not granted (art. 29). The days are both included, in the zone `tz`.
    """

    right: Annotated[
        Code, Field(description="A right of art. 10; empty when `bundle` is given.")
    ] = ""
    media: Codes = Field(default_factory=list, description="Media that belong to the right.")
    bundle: Annotated[
        Code | None, Field(description="`telecast` (播映权) stands for the rights it is made of.")
    ] = None
    territories: Annotated[Codes, Field(description="ISO 3166-1 alpha-2, or WRD.")]
    excluded: Codes = Field(default_factory=list)
    languages: Annotated[Codes, Field(description="BCP 47 primary subtags, zxx, or *.")]
    first_day: date
    last_day: date
    tz: Annotated[str, Field(max_length=64, description="IANA time zone.")]
    exclusivity: Annotated[
        Literal["exclusive", "sole", "non-exclusive"], Field(description="独占, 排他, 普通")
    ]
    runs_max: Annotated[
        Annotated[int, Field(strict=True, ge=1, le=rights.MOST_RUNS)] | None,
        Field(description="Runs (播出次数); null for any number."),
    ] = None
    round_no: Annotated[
        Annotated[int, Field(strict=True, ge=1, le=rights.LAST_ROUND)] | None,
        Field(description="The round (轮次): 1 for 首轮, 2 for 二轮; null where none is agreed."),
    ] = None
    sublicence_depth: Annotated[
        Annotated[int, Field(strict=True, ge=0, le=rights.DEEPEST_SUBLICENCE)] | None,
        Field(description="How many times over it may be licensed on (转授权); null for not."),
    ] = None

    @model_validator(mode="after")
    def _names_one(self) -> "RightIn":
        if bool(self.right) == bool(self.bundle) or (self.bundle and self.media):
            raise ValueError("name a right with its media, or a bundle")
        return self


class ListingIn(Shape):
    """What is offered: a work, its master, rights, and the terms of sale."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "work_id": "0199a3c0-5a01-7c3e-9c50-3f1f6a1f0a01",
                    "master_id": "0199a3c0-6b02-7c3e-9c50-3f1f6a1f0a01",
                    "rights": [RIGHT],
                    "sale": SALE,
                }
            ]
        }
    )

    work_id: UUID
    master_id: UUID
    rights: Annotated[list[RightIn], Field(min_length=1, max_length=rules.MOST_RIGHTS)]
    sale: SaleIn


class SellerOut(Shape):
    """Who sells."""

    id: UUID
    name_zh: str
    name_en: str


class ListedWorkOut(Shape):
    """The work, as its registrant describes it."""

    id: UUID
    title_zh: str
    title_en: str
    kind: str
    year: int
    country: str
    eidr: str | None
    isan: str | None
    permit_no: str | None


class ListedMasterOut(Shape):
    """The master: what its bytes hash to, and what was found in it."""

    id: UUID
    sha256: str | None
    probe: dict[str, Any] | None


class WordingOut(Shape):
    """A right in words."""

    zh: str
    en: str


class ListingOut(Shape):
    """A listing; `publication_fact` names the fact whose leaf the public log proves."""

    id: UUID
    party: SellerOut
    work: ListedWorkOut
    master: ListedMasterOut
    rights: list[dict[str, Any]]
    wording: list[WordingOut]
    sale: dict[str, Any]
    state: Literal["draft", "published", "sold", "unsold", "withdrawn"]
    published_at: datetime | None
    publication_fact: UUID | None
    ended_at: datetime | None


class ListingsOut(Shape):
    """A page of listings in the order of their ids."""

    items: list[ListingOut]
    next: UUID | None


@router.put(
    "/listings/{listing_id}",
    tags=["listings"],
    responses={
        200: {"model": ListingOut, "description": "The draft, as it was or as replaced."},
        201: {"model": ListingOut, "description": "The draft is written down."},
        **problems.responses(
            *_SIGNED, Malformed, Unknown, IdReused, rules.ListingPublished,
            rules.MasterOfAnotherWork, rules.MasterNotReady, *RIGHTS, *_SALE, CommitUnknown,
        ),
    },
)  # fmt: skip
async def draft_listing(
    listing_id: UUID,
    given: ListingIn,
    now: Now,
    session: Session,
    caller: Signed,
    response: Response,
) -> ListingOut:
    """Write down an offer. Other content replaces a draft; what is published is frozen."""
    caller.need("list", Role.HOLDER)
    _, created = await service.draft(
        session,
        listing_id,
        party_id=caller.party_id,
        work_id=given.work_id,
        master_id=given.master_id,
        rights=[right.model_dump(mode="json") for right in given.rights],
        sale=given.sale.model_dump(mode="json", exclude_none=True),
        now=now,
    )
    response.status_code = 201 if created else 200
    return _out(await queries.get_entry(session, listing_id, viewer=caller.party_id))


@router.post(
    "/listings/{listing_id}/publication",
    tags=["listings"],
    responses=problems.responses(
        *_SIGNED, Unknown, rules.MasterNotReady, rules.MasterOfAnotherWork,
        title_rules.CoOwnerConsentMissing, LooksLikeAnotherWork, RecognitionUnderReview,
        title_rules.RightsNotHeld, ExceedsHolding, title_rules.RightsAlreadyGranted,
        RightsNotAvailable, IdReused, *_SALE, *_ADMITTED, CommitUnknown,
    ),
)  # fmt: skip
async def publish_listing(
    listing_id: UUID, now: Now, session: Session, caller: Signed, context: Ctx
) -> ListingOut:
    """Publish a draft: its rights are reserved, its auction opens, its leaf enters the log.

    Publishing twice gives the same answer.
    """
    caller.need("list", Role.HOLDER)
    await service.publish(
        session,
        listing_id,
        party_id=caller.party_id,
        now=now,
        sight=recognition_verbs.sight(context),
        licence=context.settings.licence,
    )
    return _out(await queries.get_entry(session, listing_id, viewer=caller.party_id))


@router.get(
    "/listings",
    tags=["listings"],
    responses=problems.responses(
        InvalidContent, vocabulary.UnknownMedium, vocabulary.UnknownTerritory
    ),
)
async def search_listings(
    session: Session,
    q: Annotated[str | None, Query(max_length=100, pattern=r"^[^\x00]*$")] = None,
    medium: Annotated[str | None, Query(max_length=40)] = None,
    territory: Annotated[str | None, Query(max_length=10)] = None,
    after: UUID | None = None,
    limit: Limit = 50,
) -> ListingsOut:
    """Search what is or was on offer, by a part of the title, medium and territory. Public."""
    search = Search(q=q, medium=medium, territory=territory)
    page = await queries.public_page(session, after=page_after(after), limit=limit, search=search)
    return _page(page, limit)


@router.get("/listings/mine", tags=["listings"], responses=problems.responses(*_SIGNED))
async def my_listings(
    session: Session, caller: Signed, after: UUID | None = None, limit: Limit = 50
) -> ListingsOut:
    """List one's own listings, drafts too."""
    caller.need("read")
    page = await queries.of_party(session, caller.party_id, after=page_after(after), limit=limit)
    return _page(page, limit)


@router.get(
    "/listings/{listing_id}",
    tags=["listings"],
    responses=problems.responses(Unknown, SignInNeeded, InvalidContent),
)
async def get_listing(listing_id: UUID, session: Session, caller: MaybeCaller) -> ListingOut:
    """Show a listing: public once published; a draft is seen by its party alone."""
    viewer = caller.party_id if caller and "read" in caller.scopes else None
    return _out(await queries.get_entry(session, listing_id, viewer=viewer))


def _page(entries: list[Entry], limit: int) -> ListingsOut:
    items = [_out(entry) for entry in entries]
    return ListingsOut(items=items, next=next_after(items, limit))


def _out(entry: Entry) -> ListingOut:
    listing, master = entry.listing, entry.master
    return ListingOut.model_validate(
        {
            **listing.model_dump(
                include={
                    "id", "rights", "sale", "state", "published_at", "publication_fact", "ended_at",
                }
            ),
            "party": entry.party.model_dump(include=set(SellerOut.model_fields)),
            "work": entry.work.model_dump(include=set(ListedWorkOut.model_fields)),
            "master": master.model_dump(include=set(ListedMasterOut.model_fields)),
            "wording": [said(right) for right in listing.rights],
        }
    )  # fmt: skip


def said(right: dict[str, Any]) -> WordingOut:
    """Return a right from the wire in words."""
    return WordingOut(zh=wording_of(right, "zh"), en=wording_of(right, "en"))
