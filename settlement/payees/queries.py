"""Reading payees' bank accounts."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Unknown
from settlement.payees.rules import DECLARED, VERIFIED
from settlement.payees.tables import PayeeBankAccount


async def in_force(
    session: AsyncSession, parties: Collection[UUID], *, currency: str, now: datetime
) -> Mapping[UUID, PayeeBankAccount]:
    """Return by party the account that may be paid now; none while a change cools off."""
    wanted = select(PayeeBankAccount).where(
        col(PayeeBankAccount.party_id).in_(parties),
        col(PayeeBankAccount.currency) == currency,
        col(PayeeBankAccount.state) == VERIFIED,
        col(PayeeBankAccount.usable_from) <= now,
    )
    return {account.party_id: account for account in await session.scalars(wanted)}


async def usable(
    session: AsyncSession, parties: Collection[UUID], *, currency: str, now: datetime
) -> dict[UUID, str]:
    """Return by party the code of the account that may be paid now."""
    found = await in_force(session, parties, currency=currency, now=now)
    return {party: account.details().code for party, account in found.items()}


async def get(session: AsyncSession, account_id: UUID) -> PayeeBankAccount:
    """Return an account.

    Raises:
        Unknown: there is none.
    """
    found = await session.get(PayeeBankAccount, account_id)
    if found is None:
        raise Unknown("There is no such bank account.")
    return found


async def of_party(session: AsyncSession, party_id: UUID) -> Sequence[PayeeBankAccount]:
    """Return a party's accounts, the newest first."""
    wanted = select(PayeeBankAccount).where(col(PayeeBankAccount.party_id) == party_id)
    ordered = wanted.order_by(col(PayeeBankAccount.declared_at).desc()).limit(200)
    return (await session.scalars(ordered)).all()


async def waiting(session: AsyncSession, *, limit: int) -> Sequence[PayeeBankAccount]:
    """Return the accounts that wait for their verification, the oldest first."""
    wanted = select(PayeeBankAccount).where(col(PayeeBankAccount.state) == DECLARED)
    return (
        await session.scalars(wanted.order_by(col(PayeeBankAccount.declared_at)).limit(limit))
    ).all()
