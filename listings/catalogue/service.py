"""Drafting and publishing listings, and ending them when their auction has closed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import locking
from contracts.facts import service as facts
from contracts.refusal import IdReused, Unknown
from contracts.rights import rules as rights_rules
from contracts.rights.algebra import RightsBox
from contracts.titles import queries as titles_read
from contracts.titles import rules as title_rules
from contracts.titles import service as titles
from contracts.works.tables import Work
from listings.auctions import rulebook
from listings.auctions import service as auctions
from listings.catalogue import rules
from listings.catalogue.rules import ListingPublished, Offer
from listings.catalogue.tables import CatalogueEpoch, Listing
from listings.disclosures import service as disclosures
from listings.disclosures.gate import PROPERTY_EXCHANGE
from listings.masters import queries as masters
from listings.masters.tables import Master
from listings.recognition import service as recognition
from listings.recognition.gateway import PLAIN, Sight
from listings.recognition.rules import LooksLikeAnotherWork, RecognitionUnderReview


@dataclass(frozen=True, slots=True)
class Look:
    """What is compared: a master, for a work of this tree, with what this process looks with."""

    master: Master
    root_id: UUID
    sight: Sight


async def draft(  # noqa: PLR0913 - an offer has that many parts, and callers name each.
    session: AsyncSession,
    listing_id: UUID,
    *,
    party_id: UUID,
    work_id: UUID,
    master_id: UUID,
    rights: Sequence[Mapping[str, Any]],
    sale: Mapping[str, Any],
    now: datetime,
) -> tuple[Listing, bool]:
    """Write down an offer; return it and whether it is new. A draft may be replaced by another.

    Raises:
        Unknown: the work is not the party's, nor licensed to it so that it may license on; or the
            master is not its own.
        IdReused: the id, or the auction's id, is another listing's.
        ListingPublished: the listing is published, and this content is not what it says.
        MasterOfAnotherWork: the master was uploaded for another work.
        MasterNotReady: its upload is not complete.
        Refusal: any of `rules.offer`.
    """
    known = await _locked(session, listing_id)
    if known is not None and known.party_id != party_id:
        raise IdReused("This id is taken.")
    subject = (work_id, master_id)
    if known is not None and _says(known, subject, rights, sale):
        return known, False
    if known is not None and known.state != "draft":
        raise ListingPublished("The listing is published.", state=known.state)
    await titles_read.get_offerable(session, work_id, party_id)
    master = await masters.get_master_of(session, master_id, party_id)
    rules.check_belongs(master.work_id, work=work_id)
    rules.check_whole(master.state)
    offer = rules.offer(rights, sale, seller=party_id, now=now)
    listing = known or Listing(
        id=listing_id, party_id=party_id, work_id=work_id, master_id=master_id,
        auction_id=offer.auction_id, rights=[], sale={}, drafted_at=now, created_at=now,
    )  # fmt: skip
    try:
        await _write(session, listing, subject, offer, now=now)
    except IdReused:
        if known is not None or await _locked(session, listing_id) is None:
            raise
        # Another request with this id was first: this one is judged as coming after it.
        return await draft(
            session, listing_id, party_id=party_id, work_id=work_id, master_id=master_id,
            rights=rights, sale=sale, now=now,
        )  # fmt: skip
    return listing, known is None


async def publish(
    session: AsyncSession,
    listing_id: UUID,
    *,
    party_id: UUID,
    now: datetime,
    sight: Sight = PLAIN,
    licence: str = PROPERTY_EXCHANGE,
) -> Listing:
    """Publish a draft: reserve its rights, open its auction, make it known; again is the same.

    The verdict of recognition is brought up to date first. It is all that a refusal for looking
    alike leaves behind, so that staff find the case.

    Args:
        session: the open transaction.
        listing_id: the draft.
        party_id: whose it is.
        now: the instant of the request.
        sight: what other masters are searched with.
        licence: what the operator may do (`listings.disclosures.gate`).

    Raises:
        Unknown: the listing is not the party's.
        MasterNotReady: the master has not passed its examination.
        CoOwnerConsentMissing: a co-owner has not agreed to an exclusive licence.
        LooksLikeAnotherWork: the picture is on offer under another title.
        RecognitionUnderReview: a person has to compare it with a listed work first.
        RightsNotHeld, ExceedsHolding, RightsAlreadyGranted, RightsNotAvailable: they are not free.
        BadSale, BadSaleTerms: the sale's time has passed since it was drafted.
        Refusal: any of `disclosures.admit`.
    """
    listing = await _locked(session, listing_id)
    if listing is None or listing.party_id != party_id:
        raise Unknown("There is no such listing.")
    if listing.state != "draft":
        return listing
    work = await titles_read.get_offerable(session, listing.work_id, party_id)
    master = await masters.get_master_of(session, listing.master_id, party_id)
    await _check(session, listing, master, now=now)
    look = Look(master, work.root_id, sight)
    seen = await _check_recognised(session, look, now=now)
    try:
        async with session.begin_nested():
            await disclosures.admit(session, listing, licence=licence, now=now)
            return await _publish(session, listing, work, look, seen=seen, now=now)
    except (LooksLikeAnotherWork, RecognitionUnderReview):
        # Found at the last moment, and taken back with all the rest: found once more, to stay.
        await _check_recognised(session, look, now=now)
        raise


async def _publish(
    session: AsyncSession, listing: Listing, work: Work, look: Look, *, seen: int, now: datetime
) -> Listing:
    party_id, master = listing.party_id, look.master
    await titles.reserve(
        session, work.id, grantor_id=party_id, boxes=listing.rights, source=str(listing.id), now=now
    )
    await auctions.open_auction(
        session, listing.auction_id,
        listing_id=listing.id, work_id=work.id, seller_id=party_id,
        sale=rules.whole_sale(listing.sale, listing.secret), rights=listing.rights, now=now,
    )  # fmt: skip
    epoch = await _turn(session, look, seen=seen, now=now)
    payload = _record(listing, work, master)
    fact = await facts.record(
        session, "listing.published", listing.id, payload, parties=[party_id], now=now
    )
    listing.state, listing.published_at = "published", now
    listing.epoch, listing.publication_fact = epoch, fact
    await session.flush()
    await recognition.protect(
        session, master, listing_id=listing.id, party_id=party_id, work=work, epoch=epoch, now=now
    )
    return listing


async def sold(session: AsyncSession, listing_id: UUID, *, now: datetime) -> Listing:
    """End a listing whose auction found a buyer; its rights stay reserved for the deal.

    Raises:
        Unknown: it was never published.
    """
    return await _end(session, listing_id, "sold", now=now)


async def unsold(session: AsyncSession, listing_id: UUID, *, now: datetime) -> Listing:
    """End a listing without a buyer (流标) and give its rights back; a sold one stays sold.

    Raises:
        Unknown: it was never published.
    """
    listing = await _end(session, listing_id, "unsold", now=now)
    if listing.state == "unsold":
        await titles.release(session, listing.work_id, source=str(listing.id), now=now)
    return listing


async def _locked(session: AsyncSession, listing_id: UUID) -> Listing | None:
    return await locking.find_locked(session, Listing, col(Listing.id) == listing_id)


def _says(
    known: Listing,
    subject: tuple[UUID, UUID],
    wires: Sequence[Mapping[str, Any]],
    sale: Mapping[str, Any],
) -> bool:
    """Tell whether the content is that of the listing, judged when that was written down."""
    if (known.work_id, known.master_id) != subject:
        return False
    offer = rules.offer(wires, sale, seller=known.party_id, now=known.drafted_at)
    says = (offer.rights, offer.sale, offer.secret)
    return (known.rights, known.sale, known.secret) == says


async def _write(
    session: AsyncSession,
    listing: Listing,
    subject: tuple[UUID, UUID],
    offer: Offer,
    *,
    now: datetime,
) -> None:
    taken = await _auction_taken(session, offer.auction_id, but=listing.id)
    if taken:
        raise IdReused("The auction's id is taken.", field="sale.auction_id")
    try:
        async with session.begin_nested():
            listing.work_id, listing.master_id = subject
            listing.rights, listing.sale, listing.secret = offer.rights, offer.sale, offer.secret
            listing.auction_id, listing.drafted_at = offer.auction_id, now
            session.add(listing)
    except IntegrityError as error:
        # Another request took the id, or the auction's, between the look and the insert.
        raise IdReused("The id of the listing or of its auction is taken.") from error


async def _auction_taken(session: AsyncSession, auction_id: UUID, *, but: UUID) -> bool:
    wanted = select(col(Listing.id)).where(
        col(Listing.auction_id) == auction_id, col(Listing.id) != but
    )
    return (await session.scalars(wanted)).first() is not None


async def _check(session: AsyncSession, listing: Listing, master: Master, *, now: datetime) -> None:
    boxes = [rights_rules.resolve(wire) for wire in listing.rights]
    sale = rules.whole_sale(listing.sale, listing.secret)
    read = rulebook.read_sale(sale, barred=frozenset({listing.party_id}), now=now)
    rules.check_times(read, boxes, now=now)
    rules.check_belongs(master.work_id, work=listing.work_id)
    rules.check_ready(master.state)
    await _check_consents(session, listing, boxes)


async def _check_consents(
    session: AsyncSession, listing: Listing, boxes: Sequence[RightsBox]
) -> None:
    """Check that co-owners agree, before pictures are compared; whoever licenses on needs nobody.

    Raises:
        CoOwnerConsentMissing: an exclusive licence is offered and an owner has not agreed.
    """
    shares = await titles_read.shares(session, listing.work_id)
    if listing.party_id in [share.party_id for share in shares]:
        missing = [share.party_id for share in shares if share.consented_at is None]
        title_rules.check_consents(boxes, missing=missing)


async def _check_recognised(session: AsyncSession, look: Look, *, now: datetime) -> int:
    """Return the epoch up to which the master resembles nothing of others.

    Raises:
        LooksLikeAnotherWork, RecognitionUnderReview: it does.
    """
    return await recognition.check(
        session, look.master, root_id=look.root_id, sight=look.sight, now=now
    )


async def _turn(session: AsyncSession, look: Look, *, seen: int, now: datetime) -> int:
    """Take the listing's place in the order of publications; return its epoch.

    Two copies published at the same moment cannot both pass: the row of the epoch lets one through
    at a time, and the second is compared with what came in since it was compared first. The row is
    locked last, so that it is held for these few statements and the commit only.
    """
    wanted = select(CatalogueEpoch).with_for_update()
    found = await session.scalars(wanted.execution_options(populate_existing=True))
    row = found.one()
    if row.epoch > seen:
        await _check_recognised(session, look, now=now)
    row.epoch += 1
    await session.flush()
    return row.epoch


def _record(listing: Listing, work: Work, master: Master) -> dict[str, Any]:
    return {
        "listing": str(listing.id),
        "work": str(work.id),
        "title": {"zh": work.title_zh, "en": work.title_en},
        "master": str(master.id),
        "master_sha256": master.sha256,
        "master_chunk_root": master.chunk_root,
        "probe_sha256": master.probe_sha256,
        "fingerprint_sha256": master.fingerprint_sha256,
        "rights": listing.rights,
        "sale": listing.sale,
        "party": str(listing.party_id),
        "auction": str(listing.auction_id),
    }


async def _end(session: AsyncSession, listing_id: UUID, outcome: str, *, now: datetime) -> Listing:
    listing = await _locked(session, listing_id)
    if listing is None or listing.state == "draft":
        raise Unknown("There is no such listing.")
    if listing.state != "published":
        return listing
    listing.state, listing.ended_at = outcome, now
    await session.flush()
    payload = {"listing": str(listing_id), "outcome": outcome}
    await facts.record(
        session, "listing.ended", listing_id, payload, parties=[listing.party_id], now=now
    )
    return listing
