"""Reading disclosures: one, the public board, what waits for a review."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.refusal import Unknown
from contracts.works.tables import Work
from listings.disclosures.tables import Disclosure, DisclosureStep, PartyOwnership


async def find_disclosure(session: AsyncSession, listing_id: UUID) -> Disclosure | None:
    """Return the disclosure of a listing, or None."""
    return await session.get(Disclosure, listing_id)


async def get_disclosure(
    session: AsyncSession, listing_id: UUID, *, viewer: UUID | None, is_staff: bool
) -> Disclosure:
    """Return a disclosure: anybody's once it has begun, before that its party's and the staff's.

    Raises:
        Unknown: there is none that the viewer may see.
    """
    found = await find_disclosure(session, listing_id)
    if found is None:
        raise Unknown("There is no such disclosure.")
    if found.started_on is None and not is_staff and found.party_id != viewer:
        raise Unknown("There is no such disclosure.")
    return found


async def steps(session: AsyncSession, listing_id: UUID) -> list[DisclosureStep]:
    """Return the steps of a disclosure in their order."""
    rows = await session.execute(
        select(DisclosureStep)
        .where(col(DisclosureStep.listing_id) == listing_id)
        .order_by(col(DisclosureStep.number))
    )
    return list(rows.scalars())


async def public_board(
    session: AsyncSession, *, state: str | None, after: UUID, limit: int
) -> list[Disclosure]:
    """Return what has been disclosed, all or in one state, by the listing's id."""
    wanted = select(Disclosure).where(
        col(Disclosure.started_on).is_not(None), col(Disclosure.listing_id) > after
    )
    if state is not None:
        wanted = wanted.where(col(Disclosure.state) == state)
    rows = await session.execute(wanted.order_by(col(Disclosure.listing_id)).limit(limit))
    return list(rows.scalars())


async def to_review(session: AsyncSession, *, limit: int) -> list[tuple[Disclosure, Work]]:
    """Return what waits for the exchange to accept it, the oldest first."""
    rows = await session.execute(
        select(Disclosure, Work)
        .join(Work, col(Work.id) == col(Disclosure.work_id))
        .where(col(Disclosure.state) == "filed")
        .order_by(col(Disclosure.filed_at))
        .limit(limit)
    )
    return [(row[0], row[1]) for row in rows.all()]


async def ownership(session: AsyncSession, party_id: UUID) -> PartyOwnership | None:
    """Return what was declared about who owns a party, or None."""
    return await session.get(PartyOwnership, party_id)
