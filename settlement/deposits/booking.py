"""Deposits under their lock: their rows, their journals and their facts change together."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import locking
from contracts.facts import service as facts
from contracts.refusal import Unknown
from settlement.deposits import rules
from settlement.deposits.tables import Deposit
from settlement.ledger import service as ledger
from settlement.ledger.rules import Line


async def locked(session: AsyncSession, auction_id: UUID, party_id: UUID) -> Deposit:
    """Return a deposit, locked until the transaction ends.

    Raises:
        Unknown: none was asked for.
    """
    found = await find_locked(session, auction_id, party_id)
    if found is None:
        raise Unknown("There is no such deposit.")
    return found


async def find_locked(session: AsyncSession, auction_id: UUID, party_id: UUID) -> Deposit | None:
    """Return a deposit, locked until the transaction ends, or None."""
    return await locking.find_locked(
        session,
        Deposit,
        col(Deposit.auction_id) == auction_id,
        col(Deposit.party_id) == party_id,
    )


async def stand(session: AsyncSession, deposit: Deposit, balance: rules.Balance) -> None:
    """Take over a new balance."""
    deposit.stand(balance, rules.state(balance))
    await session.flush()


async def pledge(
    session: AsyncSession, deposit: Deposit, *, until: datetime | None, now: datetime
) -> None:
    """Count a card that holds, or a letter that was accepted, as the deposit from now on."""
    deposit.pledged_minor, deposit.pledged_until = deposit.required_minor, until
    deposit.frozen_at = deposit.frozen_at or now
    await stand(session, deposit, deposit.balance())


async def unpledge(session: AsyncSession, deposit: Deposit) -> None:
    """Count a pledge no more; a bidder who still needs a deposit has none then."""
    deposit.pledged_minor, deposit.pledged_until = 0, None
    balance = deposit.balance()
    await stand(session, deposit, balance)
    if deposit.free_at is not None and balance.paid_in_minor == 0:
        deposit.state = rules.RELEASED
    elif deposit.free_at is None and not balance.is_covered:
        deposit.frozen_at = None
    await session.flush()


async def book(
    session: AsyncSession,
    *,
    key: str,
    kind: str,
    actor: str,
    lines: list[Line],
    now: datetime,
    deal_id: UUID | None = None,
) -> None:
    """Book what happened to a deposit."""
    await session.flush()
    await ledger.post(
        session, idem_key=key, kind=kind, actor=actor, deal_id=deal_id, lines=lines, now=now
    )


async def tell(
    session: AsyncSession, deposit: Deposit, kind: str, amount_minor: int, *, now: datetime
) -> None:
    """Record what became of a deposit, about the party: chains of leaves count no bidders."""
    told = [deposit.party_id]
    await facts.record(
        session, kind, deposit.party_id, said(deposit, amount_minor), parties=told, now=now
    )


def said(deposit: Deposit, amount_minor: int) -> dict[str, str | int]:
    """Return what every fact about a deposit says."""
    return {
        "auction": str(deposit.auction_id),
        "party": str(deposit.party_id),
        "amount_minor": amount_minor,
        "currency": deposit.currency,
    }
