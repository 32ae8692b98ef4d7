"""Published listings for tests: a work, its ready master, its listing and its open auction."""

import secrets
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.parties.tables import Party
from contracts.works.tables import Work
from listings.catalogue import service
from listings.catalogue.tables import Listing
from listings.masters.tables import Master
from tests.contracts.rights_factory import wire
from tests.contracts.works_factory import work as new_work
from tests.listings.auctions_factory import sale_of
from tests.listings.masters_factory import ready_master


async def drafted_listing(
    session: AsyncSession,
    *,
    seller: Party,
    now: datetime,
    work: Work | None = None,
    master: Master | None = None,
    rights: list[dict[str, Any]] | None = None,
    **sale: Any,
) -> Listing:
    """A draft of a new work with a picture of its own, unless others are given.

    `sale` changes the terms: `closes_at=`, `floor_minor=` … (see `auctions_factory.sale_of`).
    """
    work = work or await new_work(session, party_id=seller.id, now=now)
    master = master or await ready_master(
        session, party_id=seller.id, work_id=work.id, now=now, seed=secrets.randbelow(2**31)
    )
    listing, _ = await service.draft(
        session,
        ids.new(now),
        party_id=seller.id,
        work_id=work.id,
        master_id=master.id,
        rights=[wire()] if rights is None else rights,
        sale=sale_of(_auction_id(now, sale), now, **sale),
        now=now,
    )
    return listing


async def published_listing(
    session: AsyncSession, *, seller: Party, now: datetime, **offer: Any
) -> Listing:
    """A published listing; `offer` goes to `drafted_listing`. Its auction is `auction_id`."""
    draft = await drafted_listing(session, seller=seller, now=now, **offer)
    return await service.publish(session, draft.id, party_id=seller.id, now=now)


def _auction_id(now: datetime, sale: dict[str, Any]) -> UUID:
    return UUID(str(sale.pop("auction_id", ids.new(now))))
