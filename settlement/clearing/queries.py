"""Reading the provider's balance beside the ledger: sums by reference, cut-offs, differences."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import func, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from settlement.clearing.tables import PspCutoff, PspEntry, PspItem
from settlement.ledger import rules as accounts
from settlement.ledger.tables import LedgerAccount

# A reversal is of what it reverses, and a line by hand of the item that it explains.
BOOKED = text(
    "SELECT coalesce(e.explains, o.idem_key, j.idem_key), sum(p.amount_minor)::bigint "
    "FROM ledger_posting p JOIN ledger_account a ON a.id = p.account_id "
    "JOIN ledger_journal j ON j.id = p.journal_id "
    "LEFT JOIN ledger_journal o ON o.id = j.reversal_of "
    "LEFT JOIN LATERAL (SELECT one.said ->> 'explains' AS explains FROM ledger_order d, "
    "jsonb_array_elements(convert_from(d.content, 'UTF8')::jsonb #> '{what,lines}') AS one (said) "
    "WHERE coalesce(o.kind, j.kind) = 'journal.manual' AND d.kind = 'journal' "
    "AND d.journal_id = coalesce(o.id, j.id) AND one.said ->> 'account' = a.code "
    "AND (one.said ->> 'amount_minor')::bigint = "
    "CASE WHEN o.id IS NULL THEN p.amount_minor ELSE -p.amount_minor END LIMIT 1) e ON true "
    "WHERE a.code = :code GROUP BY 1"
)


async def booked(session: AsyncSession, currency: str) -> list[tuple[str, int]]:
    """Return what each journal did on the clearing account of a currency, by its key."""
    code = accounts.account_code(accounts.PSP_CLEARING, currency)
    return [(str(key), int(minor)) for key, minor in await session.execute(BOOKED, {"code": code})]


async def currencies(session: AsyncSession) -> Sequence[str]:
    """Return the currencies in which the ledger has a clearing account."""
    wanted = select(LedgerAccount.currency).where(
        col(LedgerAccount.code).startswith(f"{accounts.PSP_CLEARING}:")
    )
    return (await session.scalars(wanted)).all()


async def listed(session: AsyncSession, currency: str) -> list[tuple[str, int]]:
    """Return what the provider's movements of a currency come to, by reference."""
    net = func.sum(PspEntry.amount_minor - col(PspEntry.fee_minor))
    wanted = (
        select(PspEntry.reference, net)
        .where(col(PspEntry.currency) == currency)
        .group_by(col(PspEntry.reference))
    )
    return [(name, int(cast(Any, minor))) for name, minor in await session.execute(wanted)]


async def listed_by_currency(session: AsyncSession) -> Mapping[str, tuple[int, int]]:
    """Return what all movements imported come to, and how many they are, by currency."""
    net = func.sum(PspEntry.amount_minor - col(PspEntry.fee_minor))
    wanted = select(PspEntry.currency, net, func.count()).group_by(col(PspEntry.currency))
    return {
        currency: (int(cast(Any, minor)), int(count))
        for currency, minor, count in await session.execute(wanted)
    }


async def last_created_at(session: AsyncSession) -> datetime | None:
    """Return when the newest movement imported was made, or None before the first."""
    found: datetime | None = await session.scalar(select(func.max(PspEntry.created_at)))
    return found


async def cutoffs(session: AsyncSession) -> Sequence[PspCutoff]:
    """Return the last cut-off of each currency."""
    known = (await session.scalars(select(PspCutoff.currency).distinct())).all()
    last = [
        select(PspCutoff)
        .where(col(PspCutoff.currency) == currency)
        .order_by(col(PspCutoff.at).desc(), col(PspCutoff.id).desc())
        .limit(1)
        for currency in sorted(known)
    ]
    return [(await session.scalars(wanted)).one() for wanted in last]


async def open_items(
    session: AsyncSession, *, after: UUID | None = None, limit: int | None = None
) -> Sequence[PspItem]:
    """Return the differences that nothing explains yet, in the order of their ids."""
    wanted = select(PspItem).where(col(PspItem.closed_at).is_(None)).order_by(col(PspItem.id))
    if after is not None:
        wanted = wanted.where(col(PspItem.id) > after)
    return (await session.scalars(wanted.limit(limit))).all()
