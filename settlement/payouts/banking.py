"""Transfers that a payment file instructed and a bank's statement shows."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from settlement.payouts import making, queries, rules, service
from settlement.payouts.making import Made


async def sending(session: AsyncSession, payout_id: UUID, party_id: UUID) -> None:
    """Note that an approved payment file instructs a transfer."""
    transfer = await queries.get_transfer(session, payout_id, party_id)
    if transfer.state == rules.TRANSFER_PENDING:
        transfer.state = rules.TRANSFER_SENDING
        await session.flush()


async def transfer_made(
    session: AsyncSession,
    payout_id: UUID,
    party_id: UUID,
    *,
    provider_id: str,
    out_of: str,
    now: datetime,
) -> bool:
    """Book a transfer that a statement shows, once; False when it was made before.

    Args:
        session: the transaction of the statement.
        payout_id: the payout.
        party_id: the payee.
        provider_id: the line of the statement.
        out_of: the ledger's account that the money left.
        now: the instant.
    """
    payout = await service.locked(session, payout_id)
    transfer = await queries.get_transfer(session, payout_id, party_id)
    if transfer.state == rules.TRANSFER_MADE:
        return False
    await making.book(session, [payout], [Made(transfer, provider_id, out_of)], now=now)
    return True
