"""Reading where wires go: the account in force at an instant, and proposals that wait."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.money import Money
from settlement.bank.tables import BankAccount
from settlement.collecting.rules import APPROVED, ENDED, PROPOSED, Wire
from settlement.collecting.tables import CollectingAccount


async def find(session: AsyncSession, currency: str, *, at: datetime) -> BankAccount | None:
    """Return the account that collected a currency at an instant, or None."""
    ended = col(CollectingAccount.ended_at)
    wanted = (
        select(BankAccount)
        .join(CollectingAccount, col(CollectingAccount.account_id) == col(BankAccount.id))
        .where(
            col(CollectingAccount.currency) == currency,
            col(CollectingAccount.state).in_((APPROVED, ENDED)),
            col(CollectingAccount.decided_at) <= at,
            ended.is_(None) | (ended > at),
        )
    )
    return (await session.scalars(wanted)).one_or_none()


async def find_wire(
    session: AsyncSession, amount: Money, *, reference: str, until: datetime | None, at: datetime
) -> Wire | None:
    """Return how an amount is wired; None while no account collects its currency."""
    account = await find(session, amount.currency, at=at)
    if account is None:
        return None
    return Wire(
        holder=account.holder,
        name=account.name,
        scheme=account.scheme,
        number=account.number,
        member_id=account.member_id,
        bic=account.bic,
        bank_name=account.bank_name or "",
        custody=account.instruct_only,
        reference=reference,
        amount_minor=amount.amount_minor,
        currency=amount.currency,
        until=until,
    )


async def standing(session: AsyncSession) -> Sequence[tuple[CollectingAccount, BankAccount]]:
    """Return what is in force and what waits, by currency."""
    wanted = (
        select(CollectingAccount, BankAccount)
        .join(BankAccount, col(BankAccount.id) == col(CollectingAccount.account_id))
        .where(col(CollectingAccount.state).in_((APPROVED, PROPOSED)))
        .order_by(col(CollectingAccount.currency), col(CollectingAccount.state))
    )
    return [(one, account) for one, account in await session.execute(wanted)]
