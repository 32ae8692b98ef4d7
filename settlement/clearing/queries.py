"""Reading the provider's balance beside the ledger: sums by reference, cut-offs, differences."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import func, text
from sqlalchemy import select as sql_select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Unknown
from settlement.clearing import rules
from settlement.clearing.rules import Held, Moved
from settlement.clearing.tables import PspCutoff, PspEntry, PspItem, PspOwner
from settlement.invoices.tables import Invoice, Payment
from settlement.ledger import rules as accounts
from settlement.ledger.tables import LedgerAccount

# A reversal is of what it reverses, and a line by hand of the item that it explains.
_BOOKED = (
    "FROM ledger_posting p JOIN ledger_account a ON a.id = p.account_id "
    "JOIN ledger_journal j ON j.id = p.journal_id "
    "LEFT JOIN ledger_journal o ON o.id = j.reversal_of "
    "LEFT JOIN LATERAL (SELECT one.said ->> 'explains' AS explains FROM ledger_order d, "
    "jsonb_array_elements(convert_from(d.content, 'UTF8')::jsonb #> '{what,lines}') AS one (said) "
    "WHERE coalesce(o.kind, j.kind) = 'journal.manual' AND d.kind = 'journal' "
    "AND d.journal_id = coalesce(o.id, j.id) AND one.said ->> 'account' = a.code "
    "AND (one.said ->> 'amount_minor')::bigint = "
    "CASE WHEN o.id IS NULL THEN p.amount_minor ELSE -p.amount_minor END LIMIT 1) e ON true "
)
BOOKED = text(
    "SELECT coalesce(e.explains, o.idem_key, j.idem_key), sum(p.amount_minor)::bigint "
    f"{_BOOKED} WHERE a.code = :code GROUP BY 1"
)
# A refund out of suspense is of the payment that it gives back.
SUSPENDED = text(
    "SELECT coalesce(e.explains, o.idem_key, y.provider_id || '\\:', j.idem_key), j.kind, "
    "a.currency, sum(p.amount_minor)::bigint, min(j.effective_at), min(j.id) "
    f"{_BOOKED} LEFT JOIN refund r ON r.id = CASE WHEN j.kind = 'refund.approved' "
    "THEN split_part(j.idem_key, '\\:', 2)::uuid END LEFT JOIN payment y ON y.id = r.payment_id "
    "WHERE a.code LIKE :codes GROUP BY 1, 2, 3"
)


async def booked(session: AsyncSession, currency: str) -> list[tuple[str, int]]:
    """Return what each journal did on the clearing account of a currency, by its key."""
    code = accounts.account_code(accounts.PSP_CLEARING, currency)
    return [(str(key), int(minor)) for key, minor in await session.execute(BOOKED, {"code": code})]


async def held(session: AsyncSession) -> list[Held]:
    """Return the money in suspense at the provider, the oldest first."""
    codes = f"{accounts.SUSPENSE_PSP}:%"
    rows = await session.execute(SUSPENDED, {"codes": codes})
    return rules.held([Moved(*row) for row in rows])


async def get_held(session: AsyncSession, item_id: UUID) -> Held:
    """Return money in suspense at the provider.

    Raises:
        Unknown: there is none of that id, or it was explained.
    """
    for one in await held(session):
        if one.id == item_id:
            return one
    raise Unknown("No such money is in suspense at the provider.")


async def owners(session: AsyncSession, items: Collection[UUID]) -> Mapping[UUID, UUID]:
    """Return by item who has taken it up; nobody has of the others."""
    rows = await session.scalars(select(PspOwner).where(col(PspOwner.id).in_(items)))
    return {row.id: row.owner_id for row in rows}


async def payments_of(
    session: AsyncSession, references: Collection[str]
) -> Mapping[str, tuple[UUID, UUID]]:
    """Return by the provider's payment our payment, and the settlement that it was for."""
    wanted = (
        sql_select(col(Payment.provider_id), col(Payment.id), col(Invoice.deal_id))
        .join(Invoice, col(Invoice.id) == col(Payment.invoice_id))
        .where(col(Payment.provider_id).in_(references))
    )
    return {str(name): (payment, deal) for name, payment, deal in await session.execute(wanted)}


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
