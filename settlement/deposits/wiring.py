"""Deposits by wire: credits that a statement shows, and returns that a payment file makes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import ids
from contracts.money import Money
from settlement.deposits import booking, moving, queries, rules, service
from settlement.deposits.tables import Deposit, DepositMovement, DepositReceipt


@dataclass(frozen=True, slots=True)
class Credit:
    """A credit that names a deposit: how much, as which line, in which account, and when."""

    amount: Money
    reference: str
    account_id: UUID
    into: str
    credited_at: datetime


async def receive_wire(
    session: AsyncSession,
    auction_id: UUID,
    party_id: UUID,
    *,
    credit: Credit,
    person_id: UUID,
    now: datetime,
) -> bool:
    """Record a credit; False, and nothing done, where it is not the deposit or a part of it.

    More than is missing, or what comes once the deposit goes back, is people's to decide.
    """
    deposit = await booking.find_locked(session, auction_id, party_id)
    if deposit is None or deposit.free_at is not None:
        return False
    if deposit.currency != credit.amount.currency:
        return False
    if not 0 < credit.amount.amount_minor <= deposit.required_minor - deposit.held_minor:
        return False
    others = await queries.receipts(session, auction_id, party_id)
    if any(one.bank_account_id != credit.account_id for one in others):
        return False  # it would go back out of two accounts
    receipt = DepositReceipt(
        id=ids.new(now),
        auction_id=auction_id,
        party_id=party_id,
        amount_minor=credit.amount.amount_minor,
        reference=credit.reference,
        credited_at=credit.credited_at,
        recorded_by=person_id,
        recorded_at=now,
        bank_account_id=credit.account_id,
    )
    await service.receive(session, receipt, currency=credit.amount.currency, into=credit.into)
    return True


async def lock(session: AsyncSession, whose: Iterable[tuple[UUID, UUID]]) -> None:
    """Lock several deposits by auction and bidder, until the transaction ends.

    By auction and then by bidder, whoever asks: two who lock several never wait in a circle.
    """
    for auction_id, party_id in sorted(set(whose)):
        await booking.find_locked(session, auction_id, party_id)


async def awaited(session: AsyncSession, currency: str) -> Sequence[Deposit]:
    """Return the deposits in a currency that are not all in yet."""
    wanted = select(Deposit).where(
        col(Deposit.currency) == currency,
        col(Deposit.state).in_((rules.REQUIRED, rules.RECEIVED)),
        col(Deposit.free_at).is_(None),
    )
    return (await session.scalars(wanted)).all()


async def to_return(session: AsyncSession, account_id: UUID) -> Sequence[DepositMovement]:
    """Return the approved returns of deposits whose money lies in an account, the oldest first."""
    lies_there = (
        select(DepositReceipt.id)
        .where(
            col(DepositReceipt.auction_id) == col(DepositMovement.auction_id),
            col(DepositReceipt.party_id) == col(DepositMovement.party_id),
            col(DepositReceipt.bank_account_id) == account_id,
        )
        .exists()
    )
    wanted = (
        select(DepositMovement)
        .where(
            col(DepositMovement.kind) == rules.RETURN,
            col(DepositMovement.state).in_((rules.APPROVED, rules.DONE)),
            lies_there,
        )
        .order_by(col(DepositMovement.decided_at), col(DepositMovement.id))
    )
    return (await session.scalars(wanted)).all()


async def returned(
    session: AsyncSession, movement_id: UUID, *, key: str, out_of: str, now: datetime
) -> None:
    """Book that the bank paid a return; one paid again after it had come back, too."""
    movement, deposit = await moving.both(session, movement_id)
    if movement.state == rules.APPROVED:
        movement.state, movement.reference = rules.DONE, key
    await booking.book(
        session,
        key=f"{key}:returned",
        kind="deposit.returned",
        actor="bank",
        lines=rules.returned_lines(deposit.terms(), _amount(movement, deposit), out_of=out_of),
        now=now,
    )


async def came_back(
    session: AsyncSession, movement_id: UUID, *, key: str, into: str, now: datetime
) -> None:
    """Book that a return came back from the bidder's bank: it is on its way to the bidder again."""
    movement, deposit = await moving.both(session, movement_id)
    amount = _amount(movement, deposit)
    undone = [
        (code, Money(-moved.amount_minor, moved.currency))
        for code, moved in rules.returned_lines(deposit.terms(), amount, out_of=into)
    ]
    await booking.book(
        session,
        key=f"{key}:came-back",
        kind="deposit.return-failed",
        actor="bank",
        lines=undone,
        now=now,
    )


def _amount(movement: DepositMovement, deposit: Deposit) -> Money:
    return Money(movement.amount_minor, deposit.currency)
