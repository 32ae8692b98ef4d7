"""Reading offers: a negotiation is there for its two sides and for nobody else."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.refusal import Unknown
from contracts.works.tables import Work
from listings.masters.tables import Master
from listings.offers import rules
from listings.offers.tables import Offer, Offerable, OfferVersion

NO_OFFER = "There is no such offer."


@dataclass(frozen=True, slots=True)
class Shown:
    """A right open to offers with the work and the master it is of."""

    row: Offerable
    work: Work
    master: Master

    @property
    def id(self) -> UUID:
        """The id, which pages are ordered by."""
        return self.row.id

    def value(self) -> rules.Offerable:
        """Return it as the rules know it."""
        master = self.master
        return rules.Offerable(
            id=self.row.id,
            party_id=self.row.party_id,
            work_id=self.row.work_id,
            title={"zh": self.work.title_zh, "en": self.work.title_en},
            listing_id=self.row.listing_id,
            master={
                "id": str(master.id),
                "sha256": str(master.sha256),
                "probe_sha256": str(master.probe_sha256),
                "fingerprint_sha256": str(master.fingerprint_sha256),
            },
            right=self.row.right,
            models=self.row.models,
            is_open=self.row.state == "open",
        )


async def get_of(session: AsyncSession, offer_id: UUID, party_id: UUID) -> tuple[Offer, str]:
    """Return a negotiation as one of its sides sees it, and which side that is.

    Raises:
        Unknown: there is none, or the party has no part in it: the same words for both.
    """
    offer = await session.get(Offer, offer_id)
    side = offer.side_of(party_id) if offer is not None else None
    if offer is None or side is None:
        raise Unknown(NO_OFFER)
    return offer, side


async def offers_of(
    session: AsyncSession, party_id: UUID, *, after: UUID, limit: int
) -> Sequence[Offer]:
    """Return a page of a party's negotiations in the order of their ids."""
    mine = or_(col(Offer.licensor_id) == party_id, col(Offer.licensee_id) == party_id)
    wanted = select(Offer).where(mine, col(Offer.id) > after)
    return (await session.scalars(wanted.order_by(col(Offer.id)).limit(limit))).all()


async def versions(session: AsyncSession, offer_id: UUID) -> Sequence[OfferVersion]:
    """Return what was said, in order."""
    wanted = select(OfferVersion).where(col(OfferVersion.offer_id) == offer_id)
    return (await session.scalars(wanted.order_by(col(OfferVersion.number)))).all()


async def latest(session: AsyncSession, offer: Offer) -> OfferVersion:
    """Return what was said last."""
    return await session.get_one(OfferVersion, (offer.id, offer.versions))


async def find_version(session: AsyncSession, version_id: UUID) -> OfferVersion | None:
    """Return the version of this id, of whatever offer, or None."""
    wanted = select(OfferVersion).where(col(OfferVersion.id) == version_id)
    return (await session.scalars(wanted)).one_or_none()


async def find_offerable(session: AsyncSession, offerable_id: UUID) -> Offerable | None:
    """Return the right open to offers, or None."""
    return await session.get(Offerable, offerable_id)


async def shown(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, Shown]:
    """Return rights open to offers, closed ones too, by id; unknown ids are left out."""
    rows = await session.execute(_all().where(col(Offerable.id).in_(ids)))
    return {row[0].id: Shown(*row) for row in rows.all()}


async def open_page(
    session: AsyncSession, *, after: UUID, limit: int, work_id: UUID | None = None
) -> list[Shown]:
    """Return a page of what every verified broadcaster may make an offer for."""
    wanted = _all().where(col(Offerable.state) == "open", col(Offerable.audience) == "broadcasters")
    if work_id is not None:
        wanted = wanted.where(col(Offerable.work_id) == work_id)
    return await _page(session, wanted, after=after, limit=limit)


async def of_party(
    session: AsyncSession, party_id: UUID, *, after: UUID, limit: int
) -> list[Shown]:
    """Return a page of what a party has opened to offers, closed ones too."""
    wanted = _all().where(col(Offerable.party_id) == party_id)
    return await _page(session, wanted, after=after, limit=limit)


def _all() -> Select[*tuple[Any, ...]]:
    return (
        select(Offerable, Work, Master)
        .join(Work, col(Work.id) == col(Offerable.work_id))
        .join(Master, col(Master.id) == col(Offerable.master_id))
    )


async def _page(
    session: AsyncSession, wanted: Select[*tuple[Any, ...]], *, after: UUID,
    limit: int,
) -> list[Shown]:  # fmt: skip
    page = wanted.where(col(Offerable.id) > after).order_by(col(Offerable.id)).limit(limit)
    return [Shown(*row) for row in (await session.execute(page)).all()]
