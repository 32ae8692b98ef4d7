"""Reading orders to the ledger, and what they are about."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Unknown
from settlement.approvals.rules import PREPARED
from settlement.ledger.tables import LedgerAccount, LedgerJournal
from settlement.orders.tables import LedgerOrder


async def get_order(session: AsyncSession, order_id: UUID) -> LedgerOrder:
    """Return an order.

    Raises:
        Unknown: there is none.
    """
    found = await session.get(LedgerOrder, order_id)
    if found is None:
        raise Unknown("There is no such order.")
    return found


async def page(session: AsyncSession, *, after: UUID, limit: int) -> Sequence[LedgerOrder]:
    """Return orders in the order of their ids."""
    wanted = select(LedgerOrder).where(col(LedgerOrder.id) > after)
    return (await session.scalars(wanted.order_by(col(LedgerOrder.id)).limit(limit))).all()


async def newest(session: AsyncSession, *, limit: int) -> Sequence[LedgerOrder]:
    """Return the newest orders, those first."""
    wanted = select(LedgerOrder).order_by(col(LedgerOrder.prepared_at).desc()).limit(limit)
    return (await session.scalars(wanted)).all()


async def waiting(session: AsyncSession, *, limit: int) -> Sequence[LedgerOrder]:
    """Return the orders that wait for a decision, the oldest first."""
    wanted = select(LedgerOrder).where(col(LedgerOrder.state) == PREPARED)
    return (await session.scalars(wanted.order_by(col(LedgerOrder.prepared_at)).limit(limit))).all()


async def known_accounts(session: AsyncSession, codes: Collection[str]) -> set[str]:
    """Return those of the codes that are accounts of the ledger."""
    wanted = select(LedgerAccount.code).where(col(LedgerAccount.code).in_(codes))
    return set((await session.scalars(wanted)).all())


async def get_journal(session: AsyncSession, key: str) -> tuple[int, str]:
    """Return the id and kind of the journal booked under a key, as statements show it.

    Raises:
        Unknown: there is none.
    """
    wanted = select(LedgerJournal.id, LedgerJournal.kind).where(col(LedgerJournal.idem_key) == key)
    found = (await session.execute(wanted)).one_or_none()
    if found is None:
        raise Unknown("There is no such journal.")
    return int(found[0]), str(found[1])
