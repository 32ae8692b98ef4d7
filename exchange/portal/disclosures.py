"""Disclosure notices: the public board, one notice, the seller's form and the staff's review."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts import ids
from contracts.refusal import Unknown
from exchange.api import disclosures as api
from exchange.api import listings as listings_api
from exchange.api.deps import Now, Session
from exchange.portal import render
from exchange.portal.forms import Form, Sent, shape
from exchange.portal.visitors import Holder, MaybeVisitor, Staff, Visitor
from listings.disclosures import queries, rules
from listings.incidents import queries as incidents

router = APIRouter()
PAGE = 50
MOVES = ("extend", "supplement", "resume")


@router.get("/disclosures")
async def board_page(
    request: Request, _visitor: MaybeVisitor, session: Session, after: UUID | None = None
) -> Response:
    """Show what has been disclosed, and its results, to everybody."""
    found = await api.list_disclosures(session=session, state=None, after=after, limit=PAGE)
    return render.page(request, "disclosures.html", disclosures=found.items, next=found.next)


@router.get("/listings/{listing_id}/disclosure")
async def disclosure_page(
    request: Request, listing_id: UUID, visitor: MaybeVisitor, session: Session, now: Now
) -> Response:
    """Show a notice; its party files it here, and the staff reviews and changes it."""
    caller = visitor.caller if visitor else None
    shown = await _shown(listing_id, visitor, session)
    listing = await _listing(listing_id, visitor, session)
    if shown is None and listing is None:
        raise Unknown("There is no such disclosure.")
    files = bool(
        listing
        and listing.state == "draft"
        and caller
        and listing.party.id == caller.party_id
        and (shown is None or shown.state in ("filed", "returned", "accepted"))
    )
    return render.page(
        request,
        "disclosure.html",
        disclosure=shown,
        listing=listing,
        listing_id=listing_id,
        files=files,
        ownership=await queries.ownership(session, caller.party_id) if caller and files else None,
        auction_id=await incidents.current(session, listing_id),
        new_auction_id=ids.new(now),
        least_extension=rules.LEAST_EXTENSION_DAYS,
    )


@router.post("/listings/{listing_id}/disclosure")
async def send_disclosure(
    request: Request, listing_id: UUID, visitor: Holder, form: Sent, session: Session, now: Now
) -> Response:
    """File a disclosure as the form says it."""
    await api.file_disclosure(listing_id, _filed(form), now, session, visitor.caller, Response())
    return render.see(request, f"/listings/{listing_id}/disclosure")


@router.post("/listings/{listing_id}/disclosure/ownership")
async def send_ownership(
    request: Request, listing_id: UUID, visitor: Holder, form: Sent, session: Session, now: Now
) -> Response:
    """Declare who owns the visitor's organisation."""
    threshold = form.minor("threshold", "CNY") if form.text("threshold") else None
    body = shape(api.OwnershipIn, ownership=form.text("ownership"), threshold_minor=threshold)
    await api.declare_ownership(visitor.caller.party_id, body, now, session, visitor.caller)
    return render.see(request, f"/listings/{listing_id}/disclosure")


@router.post("/listings/{listing_id}/disclosure/review")
async def send_review(
    request: Request, listing_id: UUID, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Accept a filing, or return it."""
    body = shape(api.ReviewIn, outcome=form.text("outcome"), reason=form.maybe("reason"))
    await api.review_disclosure(listing_id, body, now, session, visitor.caller)
    return render.see(request, f"/listings/{listing_id}/disclosure")


@router.post("/listings/{listing_id}/disclosure/changes")
async def send_change(
    request: Request, listing_id: UUID, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Extend, supplement, suspend, resume or terminate a disclosure."""
    moves: dict[str, Any] = {}
    if form.text("kind") in MOVES:
        moves = {"auction_id": form.id("auction_id")} | {
            name: form.instant(name)
            for name in ("opens_at", "closes_at", "hard_stop_at")
            if form.text(name)
        }
    body = shape(api.ChangeIn, kind=form.text("kind"), reason=form.text("reason"), **moves)
    await api.change_disclosure(listing_id, body, now, session, visitor.caller)
    return render.see(request, f"/listings/{listing_id}/disclosure")


async def _shown(
    listing_id: UUID, visitor: Visitor | None, session: Session
) -> api.DisclosureOut | None:
    try:
        return await api.get_disclosure(listing_id, session, visitor.caller if visitor else None)
    except Unknown:
        return None


async def _listing(
    listing_id: UUID, visitor: Visitor | None, session: Session
) -> listings_api.ListingOut | None:
    try:
        return await listings_api.get_listing(
            listing_id, session, visitor.caller if visitor else None
        )
    except Unknown:
        return None


def _filed(form: Form) -> api.DisclosureIn:
    consent = None
    if form.text("consent_number"):
        consent = {
            "body": form.text("consent_body"),
            "number": form.text("consent_number"),
            "given_on": form.day("consent_given_on").isoformat(),
            "document_sha256": form.text("consent_sha256"),
        }
    texts = ("subject", "assessor", "assessment_no", "approving_body", "decision_no", "summary")
    return shape(
        api.DisclosureIn,
        **{name: form.text(name) for name in texts},
        assessed_minor=form.minor("assessed", form.text("currency")),
        assessed_on=form.day("assessed_on"),
        extension_days=form.whole("extension_days") if form.text("extension_days") else None,
        previous=form.id("previous") if form.text("previous") else None,
        consent=consent,
    )
