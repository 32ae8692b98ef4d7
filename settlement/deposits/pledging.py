"""What stands for a deposit without being money: one card, or one letter, at a time."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from settlement.cardholds import queries as cards
from settlement.cardholds.rules import DRAWING, DepositSecured
from settlement.deposits.tables import Deposit, DepositMovement
from settlement.guarantees import queries as letters
from settlement.guarantees.rules import DEMANDED


async def check_room(session: AsyncSession, deposit: Deposit) -> None:
    """Check that a card or a letter may be given for a deposit: it counts once.

    Raises:
        DepositSecured: it is in, in whole or in part; another is being looked at; or it is not
            needed any more.
    """
    whose = (deposit.auction_id, deposit.party_id)
    if deposit.free_at is not None:
        raise DepositSecured("No deposit is needed any more.", state=deposit.state)
    if deposit.held_minor or deposit.pledged_minor:
        raise DepositSecured("The deposit is in, or a part of it.", state=deposit.state)
    if await cards.find_live(session, *whose) or await letters.find_live(session, *whose):
        raise DepositSecured("Something else is being looked at.", state=deposit.state)


async def is_drawn_on(session: AsyncSession, deposit: Deposit) -> bool:
    """Tell whether what stands for a deposit is being captured, or was demanded."""
    whose = (deposit.auction_id, deposit.party_id)
    hold = await cards.find_live(session, *whose)
    letter = await letters.find_live(session, *whose)
    return (hold is not None and hold.state == DRAWING) or (
        letter is not None and letter.state == DEMANDED
    )


async def end_movement(session: AsyncSession, movement_id: UUID | None, state: str) -> None:
    """End a drawing that two people decided: the money is in, or will not come."""
    if movement_id is None:
        return
    movement = await session.get(DepositMovement, movement_id)
    if movement is not None:
        movement.state = state
        await session.flush()
