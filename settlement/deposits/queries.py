"""Reading deposits, their receipts and their movements."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import case, func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Unknown
from settlement.deposits.rules import APPROVED, DISTRIBUTE, DONE, FORFEIT, PREPARED, REQUIRED
from settlement.deposits.tables import Deposit, DepositMovement, DepositReceipt


async def find_deposit(session: AsyncSession, auction_id: UUID, party_id: UUID) -> Deposit | None:
    """Return the deposit of a bidder in an auction, or None."""
    return await session.get(Deposit, (auction_id, party_id))


async def get_deposit(session: AsyncSession, auction_id: UUID, party_id: UUID) -> Deposit:
    """Return the deposit of a bidder in an auction.

    Raises:
        Unknown: none was asked for.
    """
    found = await find_deposit(session, auction_id, party_id)
    if found is None:
        raise Unknown("There is no such deposit.")
    return found


async def of_party(session: AsyncSession, party_id: UUID, *, limit: int) -> Sequence[Deposit]:
    """Return a party's own deposits, the newest first."""
    wanted = (
        select(Deposit)
        .where(col(Deposit.party_id) == party_id)
        .order_by(col(Deposit.required_at).desc())
        .limit(limit)
    )
    return (await session.scalars(wanted)).all()


async def held(session: AsyncSession, *, limit: int) -> Sequence[Deposit]:
    """Return what is awaited or held, for staff: what is to go back first comes first."""
    wanted = (
        select(Deposit)
        .where(
            (col(Deposit.held_minor) > 0)
            | (col(Deposit.pledged_minor) > 0)
            | (col(Deposit.paid_in_minor) == 0) & (col(Deposit.state) == REQUIRED)
        )
        .order_by(col(Deposit.return_by).nulls_last(), col(Deposit.required_at).desc())
        .limit(limit)
    )
    return (await session.scalars(wanted)).all()


async def receipts(
    session: AsyncSession, auction_id: UUID, party_id: UUID
) -> Sequence[DepositReceipt]:
    """Return what the bank credited for a deposit, in order."""
    wanted = select(DepositReceipt).where(
        col(DepositReceipt.auction_id) == auction_id, col(DepositReceipt.party_id) == party_id
    )
    return (await session.scalars(wanted.order_by(col(DepositReceipt.credited_at)))).all()


async def movements(
    session: AsyncSession, auction_id: UUID, party_id: UUID
) -> Sequence[DepositMovement]:
    """Return every movement of a deposit, in order."""
    wanted = select(DepositMovement).where(
        col(DepositMovement.auction_id) == auction_id, col(DepositMovement.party_id) == party_id
    )
    return (await session.scalars(wanted.order_by(col(DepositMovement.prepared_at)))).all()


async def get_movement(session: AsyncSession, movement_id: UUID) -> DepositMovement:
    """Return a movement, for staff.

    Raises:
        Unknown: there is none of that id.
    """
    found = await session.get(DepositMovement, movement_id)
    if found is None:
        raise Unknown("There is no such movement.")
    return found


async def waiting(session: AsyncSession, *, limit: int) -> Sequence[DepositMovement]:
    """Return movements that wait for a decision, or for the bank, the oldest first."""
    wanted = (
        select(DepositMovement)
        .where(col(DepositMovement.state).in_((PREPARED, APPROVED)))
        .order_by(col(DepositMovement.prepared_at))
        .limit(limit)
    )
    return (await session.scalars(wanted)).all()


async def find_waiting(
    session: AsyncSession, auction_id: UUID, party_id: UUID
) -> DepositMovement | None:
    """Return the movement of a deposit that waits for a decision, or None."""
    wanted = select(DepositMovement).where(
        col(DepositMovement.auction_id) == auction_id,
        col(DepositMovement.party_id) == party_id,
        col(DepositMovement.state) == PREPARED,
    )
    return (await session.scalars(wanted)).one_or_none()


async def pool_minor(session: AsyncSession, auction_id: UUID, party_id: UUID) -> int:
    """Return what was forfeited of a deposit and has not been distributed."""
    signed = case(
        (col(DepositMovement.kind) == FORFEIT, col(DepositMovement.amount_minor)),
        (col(DepositMovement.kind) == DISTRIBUTE, -col(DepositMovement.amount_minor)),
        else_=0,
    )
    wanted = select(func.coalesce(func.sum(signed), 0)).where(
        col(DepositMovement.auction_id) == auction_id,
        col(DepositMovement.party_id) == party_id,
        col(DepositMovement.state) == DONE,
    )
    return int(await session.scalar(wanted) or 0)
