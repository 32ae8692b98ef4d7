"""Reading payouts and payees' accounts."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Unknown
from settlement.payouts.rules import (
    ACCOUNT_READY,
    APPROVED,
    INACTIVE,
    PENDING,
    REFUSED,
    TRANSFER_MADE,
    TRANSFER_PENDING,
)
from settlement.payouts.tables import Payout, PayoutAccount, PayoutTransfer


async def get_account(session: AsyncSession, party_id: UUID) -> PayoutAccount:
    """Return a party's payout account.

    Raises:
        Unknown: it has asked for none.
    """
    found = await session.get(PayoutAccount, party_id)
    if found is None:
        raise Unknown("There is no such payout account.")
    return found


async def ready_accounts(session: AsyncSession, parties: Collection[UUID]) -> dict[UUID, str]:
    """Return the provider's account of each party that can be paid."""
    wanted = select(PayoutAccount.party_id, PayoutAccount.provider_id).where(
        col(PayoutAccount.party_id).in_(parties), col(PayoutAccount.state) == ACCOUNT_READY
    )
    return {party: account for party, account in await session.execute(wanted) if account}


async def held_up(session: AsyncSession, parties: Collection[UUID]) -> set[UUID]:
    """Return the parties whose account is known not to be active.

    They stay so until the transaction ends: who finds one active later sees what it writes.
    """
    wanted = select(PayoutAccount).where(col(PayoutAccount.party_id).in_(parties))
    held = wanted.order_by(col(PayoutAccount.party_id)).with_for_update(read=True)
    found = await session.scalars(held.execution_options(populate_existing=True))
    return {one.party_id for one in found if one.capability in (PENDING, INACTIVE)}


async def waiting_for(session: AsyncSession, party_id: UUID) -> Sequence[Payout]:
    """Return the approved payouts of which a transfer waits for a party's account."""
    wanted = (
        select(Payout)
        .join(PayoutTransfer, col(PayoutTransfer.payout_id) == col(Payout.id))
        .where(
            col(PayoutTransfer.party_id) == party_id,
            col(PayoutTransfer.state) == TRANSFER_PENDING,
            col(Payout.state) == APPROVED,
            ~col(PayoutTransfer.account).regexp_match("^(iban|cnaps):"),
        )
        .order_by(col(Payout.id))
    )
    return (await session.scalars(wanted)).all()


async def get_payout(session: AsyncSession, payout_id: UUID) -> Payout:
    """Return a payout.

    Raises:
        Unknown: there is none.
    """
    found = await session.get(Payout, payout_id)
    if found is None:
        raise Unknown("There is no such payout.")
    return found


async def deals_of(session: AsyncSession, payout_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
    """Return by payout the deal that it pays."""
    wanted = select(Payout.id, Payout.deal_id).where(col(Payout.id).in_(payout_ids))
    return {one.id: one.deal_id for one in await session.execute(wanted)}


async def find_live(session: AsyncSession, deal_id: UUID) -> Payout | None:
    """Return the payout of a deal that was not refused, or None."""
    wanted = select(Payout).where(col(Payout.deal_id) == deal_id, col(Payout.state) != REFUSED)
    return (await session.scalars(wanted)).one_or_none()


async def transfers(session: AsyncSession, payout_id: UUID) -> Sequence[PayoutTransfer]:
    """Return the transfers of a payout in the order of their payees."""
    return (await transfers_of(session, [payout_id]))[payout_id]


async def transfers_of(
    session: AsyncSession, payout_ids: Collection[UUID]
) -> Mapping[UUID, Sequence[PayoutTransfer]]:
    """Return the transfers of several payouts by payout, each in the order of their payees."""
    wanted = select(PayoutTransfer).where(col(PayoutTransfer.payout_id).in_(payout_ids))
    ordered = wanted.order_by(col(PayoutTransfer.party_id))
    found: dict[UUID, list[PayoutTransfer]] = {payout_id: [] for payout_id in payout_ids}
    for row in await session.scalars(ordered.execution_options(populate_existing=True)):
        found[row.payout_id].append(row)
    return found


async def unfinished(session: AsyncSession, payout_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the payouts of which a transfer is not made."""
    wanted = select(PayoutTransfer.payout_id).where(
        col(PayoutTransfer.payout_id).in_(payout_ids), col(PayoutTransfer.state) != TRANSFER_MADE
    )
    return set(await session.scalars(wanted.distinct()))


async def page(session: AsyncSession, *, after: UUID, limit: int) -> Sequence[Payout]:
    """Return payouts in the order of their ids."""
    wanted = select(Payout).where(col(Payout.id) > after).order_by(col(Payout.id)).limit(limit)
    return (await session.scalars(wanted)).all()


async def get_transfer(session: AsyncSession, payout_id: UUID, party_id: UUID) -> PayoutTransfer:
    """Return one payee's part of a payout.

    Raises:
        Unknown: there is none.
    """
    found = await session.get(PayoutTransfer, (payout_id, party_id))
    if found is None:
        raise Unknown("There is no such transfer.")
    return found


async def to_instruct(session: AsyncSession, currency: str) -> Sequence[PayoutTransfer]:
    """Return the approved transfers that a payment file is to instruct, the oldest first."""
    wanted = (
        select(PayoutTransfer)
        .join(Payout, col(Payout.id) == col(PayoutTransfer.payout_id))
        .where(
            col(Payout.state) != REFUSED,
            col(Payout.decided_at).is_not(None),
            col(PayoutTransfer.currency) == currency,
            col(PayoutTransfer.account).regexp_match("^(iban|cnaps):"),
        )
        .order_by(col(Payout.decided_at), col(PayoutTransfer.party_id))
    )
    return (await session.scalars(wanted)).all()
