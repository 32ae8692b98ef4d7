"""Reading orders to the ledger, and what they are about."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Unknown
from settlement.approvals.rules import PREPARED
from settlement.ledger.tables import LedgerAccount, LedgerJournal
from settlement.orders.tables import LedgerOrder

# What approved orders explained stays explained unless their journal was reversed.
_LEFT = text(
    """
    SELECT (SELECT coalesce(sum(p.amount_minor), 0) FROM ledger_posting p
        JOIN ledger_account a ON a.id = p.account_id
        JOIN ledger_journal j ON j.id = p.journal_id
        WHERE a.code = :code AND j.idem_key = :key)
      + (SELECT coalesce(sum((line ->> 'amount_minor')::bigint), 0) FROM ledger_order o
        CROSS JOIN LATERAL jsonb_array_elements(
          convert_from(o.content, 'UTF8')::jsonb #> '{what,lines}') AS line
        WHERE o.kind = 'journal' AND o.state = 'approved'
          AND o.id IS DISTINCT FROM CAST(:besides AS uuid)
          AND line ->> 'account' = :code AND line ->> 'explains' = :key
          AND NOT EXISTS (SELECT FROM ledger_journal r WHERE r.reversal_of = o.journal_id))
    """
)


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


async def left_minor(session: AsyncSession, code: str, key: str, *, besides: UUID | None) -> int:
    """Return what is left of an item: what its journal did to the account, less what explains it.

    Args:
        session: the transaction.
        code: the account's stored code.
        key: the key of the journal that made the item; nothing is left of one that is not there.
        besides: an order that is not counted, because it is the one in question.
    """
    named = {"code": code, "key": key, "besides": besides}
    return int(await session.scalar(_LEFT, named) or 0)


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
