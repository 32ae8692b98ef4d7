"""Reading sweeps, and what is free at the provider."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import func, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Unknown
from settlement.clearing.tables import PspEntry
from settlement.disputes.rules import OPEN
from settlement.disputes.tables import Dispute
from settlement.ledger import rules as accounts
from settlement.ledger.tables import LedgerAccount, LedgerBalance
from settlement.sweeps.rules import APPROVED, EXPECTED, PREPARED, Expected, Funds
from settlement.sweeps.tables import Sweep

# Who waits for money at the provider: payees of what was not wired, payers whose card is refunded.
# A deal without any payment counts too: a deposit paid it, and its transfers leave the balance.
# A card's refund that is sent again by a bank waits for the bank's money instead.
OWED = text(
    "SELECT coalesce(-sum(p.amount_minor), 0)::bigint - (SELECT coalesce(sum(r.amount_minor), 0) "
    "FROM refund r JOIN payment y ON y.id = r.payment_id WHERE r.state = 'approved' "
    "AND r.goes_to <> 'card' AND y.method = 'card' AND r.currency = :currency)::bigint "
    "FROM ledger_posting p JOIN ledger_account a ON a.id = p.account_id "
    "JOIN ledger_balance b ON b.account_id = a.id AND b.posted_minor <> 0 "
    "JOIN ledger_journal j ON j.id = p.journal_id "
    "WHERE a.currency = :currency "
    "AND (a.code LIKE 'refund:%' OR a.code LIKE 'payee:%' AND a.code NOT LIKE '%held%') "
    "AND NOT EXISTS (SELECT FROM invoice i JOIN payment y ON y.id = i.paid_by "
    "WHERE i.deal_id = j.deal_id AND y.method = 'wire')"
)
# Deposits that came in through the provider, or go back to a card, and money of card payments
# that nothing explains.
HELD = text(
    "SELECT coalesce(sum(greatest(-b.posted_minor, 0)), 0)::bigint FROM ledger_balance b "
    "JOIN ledger_account a ON a.id = b.account_id "
    "WHERE a.currency = :currency AND (a.code = :suspense "
    "OR ((a.code LIKE 'deposit:%' OR a.code LIKE 'forfeited:%') "
    "AND (EXISTS (SELECT FROM card_hold h WHERE h.state = 'drawn' "
    "AND a.code LIKE 'deposit:' || h.party_id || ':returning:%') "
    "OR EXISTS (SELECT FROM ledger_posting p JOIN ledger_posting q "
    "ON q.journal_id = p.journal_id JOIN ledger_account c ON c.id = q.account_id "
    "WHERE p.account_id = a.id AND c.code = :clearing))))"
)


async def get_sweep(session: AsyncSession, sweep_id: UUID) -> Sweep:
    """Return a sweep.

    Raises:
        Unknown: there is none.
    """
    found = await session.get(Sweep, sweep_id)
    if found is None:
        raise Unknown("There is no such sweep.")
    return found


async def get_sweep_named(session: AsyncSession, descriptor: str) -> Sweep:
    """Return the sweep that carries these words to the bank.

    Raises:
        Unknown: there is none.
    """
    found = await session.scalar(select(Sweep).where(col(Sweep.descriptor) == descriptor))
    if found is None:
        raise Unknown("There is no such sweep.")
    return found


async def page(session: AsyncSession, *, after: UUID, limit: int) -> Sequence[Sweep]:
    """Return sweeps in the order of their ids."""
    wanted = select(Sweep).where(col(Sweep.id) > after).order_by(col(Sweep.id)).limit(limit)
    return (await session.scalars(wanted)).all()


async def waiting(session: AsyncSession, *, limit: int) -> Sequence[Sweep]:
    """Return the sweeps that wait for a decision, the oldest first."""
    wanted = select(Sweep).where(col(Sweep.state) == PREPARED)
    return (await session.scalars(wanted.order_by(col(Sweep.prepared_at)).limit(limit))).all()


async def expected(session: AsyncSession, currency: str) -> list[Expected]:
    """Return what the bank's statements may show in a currency, the oldest first."""
    wanted = select(Sweep).where(
        col(Sweep.currency) == currency,
        col(Sweep.landed_at).is_(None),
        col(Sweep.state).in_(EXPECTED),
    )
    rows = await session.scalars(wanted.order_by(col(Sweep.id)))
    return [row.expected() for row in rows]


async def on_the_way(session: AsyncSession, currency: str | None = None) -> Sequence[Sweep]:
    """Return what left the provider and did not land, or landed first: the items in transit."""
    left = col(Sweep.provider_id).is_not(None) & (col(Sweep.state) != "failed")
    wanted = select(Sweep).where(left != col(Sweep.landed_at).is_not(None))
    if currency is not None:
        wanted = wanted.where(col(Sweep.currency) == currency)
    return (await session.scalars(wanted.order_by(col(Sweep.id)))).all()


async def in_transit_minor(session: AsyncSession, currency: str) -> int:
    """Return what the ledger has on its way from the provider to our banks."""
    return await _booked(session, accounts.PSP_IN_TRANSIT, currency)


async def unexplained(session: AsyncSession, currency: str) -> int:
    """Return what the ledger has in transit more than the sweeps named: nothing, always."""
    named = sum(one.on_the_way_minor for one in await on_the_way(session, currency))
    return await in_transit_minor(session, currency) - named


async def currencies(session: AsyncSession) -> Sequence[str]:
    """Return the currencies in which there ever was money at the provider."""
    begins = col(LedgerAccount.code).startswith(f"{accounts.PSP_CLEARING}:")
    wanted = select(LedgerAccount.currency).where(begins).order_by(col(LedgerAccount.currency))
    return (await session.scalars(wanted)).all()


async def funds(session: AsyncSession, currency: str, *, now: datetime) -> Funds:
    """Return what there is at the provider in a currency and who waits for it."""
    net = func.coalesce(func.sum(PspEntry.amount_minor - col(PspEntry.fee_minor)), 0)
    listed = select(net).where(col(PspEntry.currency) == currency)
    disputed = select(
        func.coalesce(
            func.sum(func.greatest(Dispute.amount_minor - col(Dispute.drawn_minor), 0)), 0
        )
    ).where(col(Dispute.currency) == currency, col(Dispute.state).in_(OPEN))
    instructed = select(func.coalesce(func.sum(Sweep.amount_minor), 0)).where(
        col(Sweep.currency) == currency, col(Sweep.state) == APPROVED
    )
    named = {
        "currency": currency,
        "suspense": accounts.account_code(accounts.SUSPENSE_PSP, currency),
        "clearing": accounts.account_code(accounts.PSP_CLEARING, currency),
    }
    owed = await session.scalar(OWED, {"currency": currency})
    held = await session.scalar(HELD, named)
    return Funds(
        available_minor=await _sum(session, listed.where(col(PspEntry.available_at) <= now)),
        pending_minor=await _sum(session, listed.where(col(PspEntry.available_at) > now)),
        ledger_minor=await _booked(session, accounts.PSP_CLEARING, currency),
        owed_minor=max(0, int(owed or 0)) + int(held or 0),
        disputed_minor=await _sum(session, disputed),
        instructed_minor=await _sum(session, instructed),
    )


async def _sum(session: AsyncSession, wanted: Any) -> int:
    return int(cast(int, await session.scalar(wanted)))


async def _booked(session: AsyncSession, code: str, currency: str) -> int:
    wanted = (
        select(LedgerBalance.posted_minor)
        .join(LedgerAccount, col(LedgerAccount.id) == col(LedgerBalance.account_id))
        .where(col(LedgerAccount.code) == accounts.account_code(code, currency))
    )
    return int(await session.scalar(wanted) or 0)
