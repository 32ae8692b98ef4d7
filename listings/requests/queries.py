"""Reading requests and answers, each as far as the reader may."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.parties.tables import Party
from contracts.refusal import Unknown
from listings.requests import rules
from listings.requests.tables import Proposal, ProposalRequest

NO_REQUEST = "There is no such request."


async def get_visible(session: AsyncSession, request_id: UUID, viewer: Party) -> ProposalRequest:
    """Return a request as its asker, or somebody who may answer it, sees it.

    Raises:
        Unknown: there is none, or the viewer has no part in it: the same words for both.
    """
    request = await session.get(ProposalRequest, request_id)
    if request is None or not sees(request, viewer):
        raise Unknown(NO_REQUEST)
    return request


def sees(request: ProposalRequest, viewer: Party) -> bool:
    """Tell whether a party may see a request."""
    if request.party_id == viewer.id:
        return True
    if request.invited is not None:
        return viewer.id in request.invited
    return viewer.kind == "rights_holder" and viewer.state == "verified"


async def visible_page(
    session: AsyncSession, viewer: Party, *, after: UUID, limit: int
) -> Sequence[ProposalRequest]:
    """Return a page of the requests that a party made or may answer, in the order of their ids."""
    row = ProposalRequest
    mine = or_(
        col(row.party_id) == viewer.id,
        func.array_position(col(row.invited), viewer.id).is_not(None),
    )
    if viewer.kind == "rights_holder" and viewer.state == "verified":
        mine = or_(mine, col(row.invited).is_(None))
    wanted = select(row).where(mine, col(row.id) > after)
    return (await session.scalars(wanted.order_by(col(row.id)).limit(limit))).all()


async def find_own(session: AsyncSession, request_id: UUID, party_id: UUID) -> Proposal | None:
    """Return the answer of a party that stands, or None."""
    wanted = select(Proposal).where(
        col(Proposal.request_id) == request_id,
        col(Proposal.party_id) == party_id,
        col(Proposal.state).in_(("sealed", "opened")),
    )
    return (await session.scalars(wanted)).one_or_none()


async def opened(session: AsyncSession, request: ProposalRequest) -> Sequence[Proposal]:
    """Return the answers to a request, for its asker, once all are opened.

    Raises:
        AnswersSealed: they are not.
        RequestOver: the request was withdrawn.
    """
    rules.check_opened(request.state)
    wanted = select(Proposal).where(
        col(Proposal.request_id) == request.id, col(Proposal.state) == "opened"
    )
    return (await session.scalars(wanted.order_by(col(Proposal.id)))).all()
