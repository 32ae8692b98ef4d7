"""Reading deals, their documents and signing sessions."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, or_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.deals.tables import (
    Deal,
    DealAssignment,
    DealDocument,
    DealNotice,
    DealTimer,
    SigningSession,
)
from contracts.refusal import Unknown
from contracts.works.tables import Work

_UNSIGNED = (
    col(Deal.offer_id).is_not(None), col(Deal.signing).in_(("drafted", "certified")),
    col(Deal.supersedes).is_(None),
)  # fmt: skip


async def find_deal(session: AsyncSession, deal_id: UUID) -> Deal | None:
    """Return the deal, or None."""
    return await session.get(Deal, deal_id)


async def get_deal(session: AsyncSession, deal_id: UUID) -> Deal:
    """Return the deal.

    Raises:
        Unknown: there is none.
    """
    deal = await find_deal(session, deal_id)
    if deal is None:
        raise Unknown("There is no such deal.", deal=str(deal_id))
    return deal


async def get_deal_of(session: AsyncSession, deal_id: UUID, party_id: UUID | None) -> Deal:
    """Return the deal as one of its parties sees it; None as party is the staff.

    Raises:
        Unknown: there is none, or the party has no part in it.
    """
    deal = await get_deal(session, deal_id)
    if party_id is not None and party_id not in (deal.licensor_id, deal.licensee_id):
        raise Unknown("There is no such deal.", deal=str(deal_id))
    return deal


async def get_contract_of(session: AsyncSession, deal_id: UUID, party_id: UUID | None) -> Deal:
    """Return the deal as one of those sees it whose signatures its contract carries.

    Whoever handed it on may read the contract that says so, but not what comes of it.

    Raises:
        Unknown: there is none, or the party's signature is not in it.
    """
    deal = await get_deal(session, deal_id)
    if party_id is not None and party_id == deal.assignor_id:
        return deal
    return await get_deal_of(session, deal_id, party_id)


async def deals_of(
    session: AsyncSession, party_id: UUID | None, *, after: UUID = UUID(int=0), limit: int = 100
) -> Sequence[Deal]:
    """Return a page of a party's deals (of all, for the staff), in the order of their ids."""
    chosen = select(Deal).where(col(Deal.id) > after).order_by(col(Deal.id)).limit(limit)
    if party_id is not None:
        chosen = chosen.where(
            or_(
                col(Deal.licensor_id) == party_id,
                col(Deal.licensee_id) == party_id,
                col(Deal.assignor_id) == party_id,
            )
        )
    return (await session.execute(chosen)).scalars().all()


async def ids_of_offer(session: AsyncSession, offer_id: UUID) -> Sequence[UUID]:
    """Return the ids of the deals that followed an accepted offer, in the order of their ids."""
    chosen = select(col(Deal.id)).where(col(Deal.offer_id) == offer_id).order_by(col(Deal.id))
    return (await session.scalars(chosen)).all()


async def unsigned_of_offers(session: AsyncSession, works: Sequence[UUID]) -> Sequence[Deal]:
    """Lock and return the deals of offers in these works' trees that nobody has signed, by id.

    Deals are locked before trees, here as by whoever signs, so that nobody waits in a ring.
    """
    roots = select(col(Work.root_id)).where(col(Work.id).in_(works))
    inside = select(col(Work.id)).where(
        col(Work.root_id).in_(roots),
        or_(col(Work.id) == col(Deal.work_id), col(Work.id) == func.any(col(Deal.further_works))),
    )
    chosen = select(Deal).where(inside.exists(), *_UNSIGNED)
    locked = chosen.order_by(col(Deal.id)).with_for_update(of=Deal)
    return (await session.scalars(locked.execution_options(populate_existing=True))).all()


async def find_amendment(session: AsyncSession, deal_id: UUID) -> Deal | None:
    """Return the deal that amends this one: the one under signature or in its place, or None."""
    chosen = select(Deal).where(
        col(Deal.supersedes) == deal_id,
        col(Deal.signing).not_in(("voided", "declined", "expired")),
    )
    return (await session.scalars(chosen)).one_or_none()


async def amended_by(session: AsyncSession, deal: Deal) -> list[Deal]:
    """Return the deals that this one took the place of, the first one first."""
    found: list[Deal] = []
    last = deal
    while last.supersedes is not None:
        last = await get_deal(session, last.supersedes)
        found.insert(0, last)
    return found


async def assignment_of(session: AsyncSession, deal: Deal) -> DealAssignment | None:
    """Return how a deal was handed on to its licensee; None where it was not."""
    if deal.assignor_id is None:
        return None
    return await session.get(DealAssignment, (deal.supersedes, deal.id))


async def notices_of(session: AsyncSession, deal_id: UUID) -> Sequence[DealNotice]:
    """Return the notices given under a deal, the oldest first."""
    chosen = select(DealNotice).where(col(DealNotice.deal_id) == deal_id)
    ordered = chosen.order_by(col(DealNotice.given_at), col(DealNotice.id))
    return (await session.scalars(ordered)).all()


async def timers_of(session: AsyncSession, deal_id: UUID) -> Sequence[DealTimer]:
    """Return the timers of a deal that have not fired, the next first."""
    chosen = select(DealTimer).where(
        col(DealTimer.deal_id) == deal_id, col(DealTimer.settled_at).is_(None)
    )
    return (await session.scalars(chosen.order_by(col(DealTimer.due_at)))).all()


async def find_document(session: AsyncSession, deal_id: UUID) -> DealDocument | None:
    """Return the latest revision of the contract's PDF, or None before it is typeset."""
    chosen = (
        select(DealDocument)
        .where(col(DealDocument.deal_id) == deal_id)
        .order_by(col(DealDocument.revision).desc())
        .limit(1)
    )
    return (await session.execute(chosen)).scalar_one_or_none()


async def document(session: AsyncSession, deal_id: UUID) -> DealDocument:
    """Return the latest revision of the contract's PDF.

    Raises:
        Unknown: it is not typeset yet.
    """
    found = await find_document(session, deal_id)
    if found is None:
        raise Unknown("The contract is not printed yet.", deal=str(deal_id))
    return found


async def document_of_hash(session: AsyncSession, deal_id: UUID, sha256: str) -> DealDocument:
    """Return the revision of the contract's PDF that has a hash.

    Raises:
        Unknown: none has.
    """
    chosen = select(DealDocument).where(
        col(DealDocument.deal_id) == deal_id, col(DealDocument.sha256) == sha256
    )
    found = (await session.scalars(chosen)).one_or_none()
    if found is None:
        raise Unknown("The contract has no such revision.", deal=str(deal_id))
    return found


async def base_document(session: AsyncSession, deal_id: UUID) -> DealDocument:
    """Return revision 0: the contract as typeset, before any signature.

    Raises:
        Unknown: it is not typeset yet.
    """
    found = await session.get(DealDocument, (deal_id, 0))
    if found is None:
        raise Unknown("The contract is not printed yet.", deal=str(deal_id))
    return found


async def find_session(
    session: AsyncSession, deal_id: UUID, session_id: UUID
) -> SigningSession | None:
    """Return the signing session, or None."""
    return await session.get(SigningSession, (deal_id, session_id))


async def completed_sessions(session: AsyncSession, deal_id: UUID) -> Sequence[SigningSession]:
    """Return the sessions whose signatures stand in the contract, in the order of signing."""
    chosen = (
        select(SigningSession)
        .where(
            col(SigningSession.deal_id) == deal_id, col(SigningSession.completed_at).is_not(None)
        )
        .order_by(col(SigningSession.completed_at), col(SigningSession.role).desc())
    )
    return (await session.execute(chosen)).scalars().all()
