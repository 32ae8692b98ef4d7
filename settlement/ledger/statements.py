"""Statements (对账单): what an account held when a period began, what moved it, what it held then.

A period is half open; a line stands in it by the instant at which its journal took effect.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Unknown
from settlement.ledger import rules
from settlement.ledger.tables import LedgerAccount

# The running balance is summed up here in the order of effect: a late journal stands where it
# took effect, and `balance_after_minor` is what was there when it was booked.
_LINES = text(
    "SELECT * FROM (SELECT p.account_version, j.effective_at, j.occurred_at, j.kind, j.idem_key, "
    "j.deal_id, j.reason, p.amount_minor, "
    "sum(p.amount_minor) OVER (ORDER BY j.effective_at, p.account_version)::bigint AS balance "
    "FROM ledger_posting p JOIN ledger_journal j ON j.id = p.journal_id "
    "WHERE p.account_id = :account AND j.effective_at < :until) AS moved "
    "WHERE effective_at >= :since ORDER BY effective_at, account_version OFFSET :after LIMIT :limit"
)
_SUMS = text(
    "SELECT coalesce(sum(p.amount_minor) FILTER (WHERE j.effective_at < :since), 0)::bigint, "
    "coalesce(sum(p.amount_minor) FILTER (WHERE j.effective_at >= :since AND p.amount_minor > 0), "
    "0)::bigint, "
    "coalesce(sum(p.amount_minor) FILTER (WHERE j.effective_at >= :since AND p.amount_minor < 0), "
    "0)::bigint, count(*) FILTER (WHERE j.effective_at >= :since) "
    "FROM ledger_posting p JOIN ledger_journal j ON j.id = p.journal_id "
    "WHERE p.account_id = :account AND j.effective_at < :until"
)


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` on, before `until`."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Summary:
    """An account over a period: opening + debits + credits = closing (credits are negative)."""

    account: LedgerAccount
    opening_minor: int
    debits_minor: int
    credits_minor: int
    lines: int

    @property
    def closing_minor(self) -> int:
        """What the account held when the period ended."""
        return self.opening_minor + self.debits_minor + self.credits_minor


@dataclass(frozen=True, slots=True)
class Moved:
    """A line of a statement, with the balance after it in the order of effect."""

    effective_at: datetime
    occurred_at: datetime | None
    kind: str
    key: str
    deal_id: UUID | None
    reason: str | None
    amount_minor: int
    balance_minor: int


async def find_account(session: AsyncSession, code: str) -> LedgerAccount:
    """Return the account of a stored code, its currency last.

    Raises:
        Unknown: there is none.
    """
    found = await session.scalar(select(LedgerAccount).where(col(LedgerAccount.code) == code))
    if found is None:
        raise Unknown("There is no such account.")
    return found


async def accounts_of(session: AsyncSession, party_id: UUID) -> Sequence[LedgerAccount]:
    """Return a party's accounts in the order of their codes."""
    wanted = select(LedgerAccount).where(col(LedgerAccount.code).contains(str(party_id)))
    found = await session.scalars(wanted.order_by(col(LedgerAccount.code)))
    return [account for account in found if rules.owner_of(account.code) == party_id]


async def summary(session: AsyncSession, account: LedgerAccount, period: Period) -> Summary:
    """Sum an account up over a period."""
    row = (await session.execute(_SUMS, _values(account, period))).one()
    return Summary(account, *row)


async def lines(
    session: AsyncSession, account: LedgerAccount, period: Period, *, after: int, limit: int
) -> Sequence[Moved]:
    """Return the lines of a period in the order of effect, leaving out the first `after`."""
    values = _values(account, period) | {"after": after, "limit": limit}
    return [Moved(*tuple(row)[1:]) for row in await session.execute(_LINES, values)]


def _values(account: LedgerAccount, period: Period) -> dict[str, Any]:
    return {"account": account.id, "since": period.since, "until": period.until}
