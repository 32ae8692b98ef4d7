"""Reading the catalogue: what everybody sees, and what its party sees."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, String, cast, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.parties.tables import Party
from contracts.refusal import Unknown
from contracts.rights import axes
from contracts.titles.tables import RightsGrant, spans
from contracts.works.tables import Work
from listings.catalogue.rules import PUBLIC
from listings.catalogue.tables import Listing
from listings.masters.tables import Master


@dataclass(frozen=True, slots=True)
class Entry:
    """A listing with what it is about and whose it is."""

    listing: Listing
    work: Work
    master: Master
    party: Party


@dataclass(frozen=True, slots=True)
class Search:
    """What a reader of the catalogue looks for; None leaves an axis open.

    `q` is a part of a title; `medium` and `territory` are codes that one of the rights offered must
    hold together.
    """

    q: str | None = None
    medium: str | None = None
    territory: str | None = None


async def find_listing(session: AsyncSession, listing_id: UUID) -> Listing | None:
    """Return the listing, whoever may see it, or None."""
    return await session.get(Listing, listing_id)


async def get_published(session: AsyncSession, listing_id: UUID) -> Listing:
    """Return a listing that everybody may see.

    Raises:
        Unknown: there is none.
    """
    listing = await find_listing(session, listing_id)
    if listing is None or listing.state not in PUBLIC:
        raise Unknown("There is no such listing.")
    return listing


async def get_entry(session: AsyncSession, listing_id: UUID, *, viewer: UUID | None) -> Entry:
    """Return a listing as `viewer` (a party, or None for the public) may see it.

    Raises:
        Unknown: there is none, or it is not published and another party's.
    """
    found = (await session.execute(_entries().where(col(Listing.id) == listing_id))).one_or_none()
    entry = Entry(*found) if found is not None else None
    if entry is None or not _sees(entry.listing, viewer):
        raise Unknown("There is no such listing.")
    return entry


async def public_page(
    session: AsyncSession, *, after: UUID, limit: int, search: Search | None = None
) -> list[Entry]:
    """Return a page of what everybody may see, in the order of ids.

    Raises:
        UnknownMedium, UnknownTerritory: the search names what the vocabulary does not hold.
    """
    wanted = _entries().where(col(Listing.state).in_(PUBLIC))
    return await _page(session, _narrowed(wanted, search or Search()), after=after, limit=limit)


async def of_party(
    session: AsyncSession, party_id: UUID, *, after: UUID, limit: int
) -> list[Entry]:
    """Return a page of a party's listings, drafts too, in the order of ids."""
    wanted = _entries().where(col(Listing.party_id) == party_id)
    return await _page(session, wanted, after=after, limit=limit)


async def newest_of_work(
    session: AsyncSession, work_id: UUID, *, party_id: UUID, limit: int
) -> Sequence[Listing]:
    """Return a party's listings of a work, drafts too, the newest ids first."""
    mine = (col(Listing.work_id) == work_id, col(Listing.party_id) == party_id)
    wanted = select(Listing).where(*mine).order_by(col(Listing.id).desc()).limit(limit)
    return (await session.scalars(wanted)).all()


async def is_published(session: AsyncSession, root_id: UUID) -> bool:
    """Tell whether everybody may see a listing of some work in a tree."""
    public = select(col(Listing.id)).join(Work, col(Work.id) == col(Listing.work_id))
    wanted = public.where(col(Work.root_id) == root_id, col(Listing.state).in_(PUBLIC))
    return await session.scalar(wanted.limit(1)) is not None


async def is_master_published(session: AsyncSession, master_id: UUID) -> bool:
    """Tell whether everybody may see a listing of a master."""
    public = select(col(Listing.id)).where(
        col(Listing.master_id) == master_id, col(Listing.state).in_(PUBLIC)
    )
    return await session.scalar(public.limit(1)) is not None


def _sees(listing: Listing, viewer: UUID | None) -> bool:
    return listing.state in PUBLIC or listing.party_id == viewer


def _entries() -> Select[*tuple[Any, ...]]:
    return (
        select(Listing, Work, Master, Party)
        .join(Work, col(Work.id) == col(Listing.work_id))
        .join(Master, col(Master.id) == col(Listing.master_id))
        .join(Party, col(Party.id) == col(Listing.party_id))
    )


def _narrowed(wanted: Select[Any], search: Search) -> Select[Any]:
    if search.q:
        titles = (col(Work.title_zh), col(Work.title_en))
        wanted = wanted.where(
            or_(*(title.icontains(search.q, autoescape=True) for title in titles))
        )
    conditions = [
        col(RightsGrant.work_id) == col(Listing.work_id),
        col(RightsGrant.source) == cast(col(Listing.id), String),
    ]
    if search.medium:
        media = spans(axes.MEDIA, axes.MEDIA.mask([search.medium]))
        conditions.append(col(RightsGrant.media).op("@>")(media))
    if search.territory:
        places = spans(axes.TERRITORIES, axes.TERRITORIES.mask([search.territory]))
        conditions.append(col(RightsGrant.territories).op("@>")(places))
    return wanted.where(exists().where(*conditions)) if len(conditions) > 2 else wanted


async def _page(
    session: AsyncSession, wanted: Select[Any], *, after: UUID, limit: int
) -> list[Entry]:
    page = wanted.where(col(Listing.id) > after).order_by(col(Listing.id)).limit(limit)
    return [Entry(*row) for row in await session.execute(page)]
