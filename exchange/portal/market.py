"""The public market: the catalogue, and one listing with the proof of its publication."""

from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.log import checkpoint, note
from contracts.log import proof as proofs
from contracts.log.gateway import LogKeyMissing
from contracts.log.rules import NotSealedYet
from contracts.rights import vocabulary
from exchange.api import listings as api
from exchange.api import log as log_api
from exchange.api.deps import Ctx, Now, Session
from exchange.context import Context
from exchange.portal import live, render, said
from exchange.portal.visitors import MaybeVisitor
from listings.disclosures import queries as disclosures
from listings.incidents import queries as incidents
from listings.recognition import queries as recognition

router = APIRouter()
PAGE = 24


@router.get("/")
async def catalogue_page(
    request: Request,
    _visitor: MaybeVisitor,
    session: Session,
    *,
    q: Annotated[str, Query(max_length=100, pattern=r"^[^\x00]*$")] = "",
    medium: str = "",
    territory: str = "",
    after: UUID | None = None,
) -> Response:
    """Show what is or was on offer, to everybody."""
    wanted = {"q": q.strip(), "medium": medium, "territory": territory}
    search = {name: value or None for name, value in wanted.items()}
    found = await api.search_listings(session=session, after=after, limit=PAGE, **search)
    return render.page(
        request,
        "catalogue.html",
        listings=found.items,
        next=found.next,
        wanted=wanted,
        query=urlencode({name: value for name, value in wanted.items() if value}),
        media=said.choices(vocabulary.MEDIA, render.speaks(request)),
    )


@router.get("/listings/{listing_id}")
async def listing_page(
    request: Request,
    listing_id: UUID,
    visitor: MaybeVisitor,
    context: Ctx,
    *,
    session: Session,
    now: Now,
) -> Response:
    """Show a listing to everybody, a draft to its party alone."""
    caller = visitor.caller if visitor else None
    listing = await api.get_listing(listing_id=listing_id, session=session, caller=caller)
    values: dict[str, Any] = {"listing": listing, "auction": None, "proof": None}
    values["recognised"] = await recognition_state(session, listing.master.id)
    values["disclosed"] = await disclosures.find_disclosure(session, listing_id)
    if listing.state != "draft":
        announced = UUID(listing.sale["auction_id"])
        auction_id = await incidents.current(session, listing_id) or announced
        values |= await live.figures(session, auction_id, visitor=visitor, now=now)
        values["proof"] = await _proof(session, listing_id, context)
    return render.page(request, "listing.html", **values)


@router.get("/listings/{listing_id}/proof.tlog-proof")
async def listing_proof(listing_id: UUID, context: Ctx, session: Session) -> Response:
    """Give the proof as a file that checks offline."""
    signer = log_api.get_signer(context)
    found = await log_api.get_listing_proof(listing_id, session, None, signer)
    name = f'attachment; filename="{listing_id}.tlog-proof"'
    return Response(
        found.tlog_proof,
        media_type="text/plain; charset=utf-8",
        headers={**render.HEADERS, "Content-Disposition": name},
    )


async def recognition_state(session: AsyncSession, master_id: UUID) -> str | None:
    """Return what recognition says of a master; None while it was not compared."""
    found = await recognition.find_recognition(session, master_id)
    return None if found is None else found.state


async def _proof(
    session: AsyncSession, listing_id: UUID, context: Context
) -> dict[str, Any] | None:
    """Return the parts of the proof that people compare; None until the fact has its number."""
    try:
        signer = log_api.get_signer(context)
        found = await log_api.get_listing_proof(listing_id, session, None, signer)
    except (NotSealedYet, LogKeyMissing):
        return None
    signed = proofs.parse(found.tlog_proof).checkpoint
    tree = checkpoint.parse(note.parse(signed)[0])
    return {
        "index": found.index,
        "leaf_hash": found.leaf_hash,
        "log_vkey": found.log_vkey,
        "origin": tree.origin,
        "size": tree.size,
        "root": tree.root.hex(),
    }
