"""Masters that resemble listed works, and declarations about them, for tests."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from listings.masters import queries as masters
from listings.masters.tables import Master
from listings.recognition import service
from listings.recognition.rules import Claim
from listings.recognition.tables import Declaration
from tests.contracts.parties_factory import party
from tests.listings.catalogue_factory import published_listing
from tests.listings.masters_factory import ready_master


async def declared(
    session: AsyncSession,
    master: Master,
    *,
    listing_id: UUID,
    now: datetime,
    claim: Claim = Claim.LICENSED,
    stretch: tuple[int | None, int | None] = (None, None),
) -> Declaration:
    """A declaration of the master's owner about somebody's listing."""
    row, _ = await service.declare(
        session,
        ids.new(now),
        master=master,
        listing_id=listing_id,
        claim=claim,
        source="授权书 2026-001",
        stretch=stretch,
        now=now,
    )
    return row


async def declared_of_another(
    session: AsyncSession, master_id: UUID, *, now: datetime
) -> Declaration:
    """A declaration about a listing that another party has just published."""
    listing = await published_listing(session, seller=await party(session, now=now), now=now)
    master = await masters.get_master(session, master_id)
    return await declared(session, master, listing_id=listing.id, now=now)


async def same_picture(
    session: AsyncSession, *, party_id: UUID, seed: int, now: datetime
) -> Master:
    """A ready master that shows the picture of every other of this seed."""
    return await ready_master(session, party_id=party_id, work_id=None, now=now, seed=seed)
