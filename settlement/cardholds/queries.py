"""Reading deposits on a card."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Unknown
from settlement.cardholds import rules
from settlement.cardholds.tables import CardHold


async def of_deposit(session: AsyncSession, auction_id: UUID, party_id: UUID) -> Sequence[CardHold]:
    """Return every card that was given for a deposit, in order."""
    wanted = select(CardHold).where(
        col(CardHold.auction_id) == auction_id, col(CardHold.party_id) == party_id
    )
    ordered = wanted.order_by(col(CardHold.requested_at), col(CardHold.id))
    return (await session.scalars(ordered)).all()


async def get_of(
    session: AsyncSession, hold_id: UUID, *, auction_id: UUID, party_id: UUID
) -> CardHold:
    """Return a party's own deposit on a card.

    Raises:
        Unknown: there is none of that id, or it is another's.
    """
    found = await session.get(CardHold, hold_id)
    if found is None or (found.auction_id, found.party_id) != (auction_id, party_id):
        raise Unknown("There is no such deposit on a card.")
    return found


async def find_live(session: AsyncSession, auction_id: UUID, party_id: UUID) -> CardHold | None:
    """Return the card that is being looked at, or holds, for a deposit; None without one."""
    wanted = select(CardHold).where(
        col(CardHold.auction_id) == auction_id,
        col(CardHold.party_id) == party_id,
        col(CardHold.state).in_(rules.LIVE),
    )
    return (await session.scalars(wanted)).one_or_none()


async def find_drawn(
    session: AsyncSession, auction_id: UUID, party_id: UUID, *, least_minor: int
) -> CardHold | None:
    """Return a card that paid for a deposit and of which so much can still be given back."""
    wanted = (
        select(CardHold)
        .where(
            col(CardHold.auction_id) == auction_id,
            col(CardHold.party_id) == party_id,
            col(CardHold.state) == rules.DRAWN,
            col(CardHold.captured_minor) - col(CardHold.returned_minor) >= least_minor,
        )
        .order_by(col(CardHold.requested_at), col(CardHold.id))
        .limit(1)
    )
    return (await session.scalars(wanted)).one_or_none()
