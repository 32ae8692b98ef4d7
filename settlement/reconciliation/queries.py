"""Reading matches, suspended money, and how far ledger, payment files and bank agree."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import cast
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.parties.tables import Party
from contracts.refusal import Unknown
from settlement.bank import queries as bank
from settlement.bank.rules import Entry
from settlement.bank.tables import BankAccount
from settlement.invoices.rules import ISSUED
from settlement.invoices.tables import Invoice
from settlement.ledger import rules as accounts
from settlement.ledger.tables import LedgerAccount, LedgerBalance
from settlement.reconciliation import rules
from settlement.reconciliation.rules import OPEN, PROPOSED, Owed, Suggestion
from settlement.reconciliation.tables import ReconMatch, ReconSide, SuspenseItem


@dataclass(frozen=True, slots=True)
class Position:
    """How an account stands in the ledger, in payment files and at the bank, in minor units.

    `difference_minor` is the ledger less the bank at the last statement: nothing, always, because
    what nothing explains is booked as suspended; `suspended_minor` is that part.
    """

    account: BankAccount
    closed_on: date | None
    ledger_minor: int
    bank_minor: int
    suspended_minor: int
    in_flight_minor: int

    @property
    def difference_minor(self) -> int:
        """What the ledger has more than the bank."""
        return self.ledger_minor - self.bank_minor


async def positions(session: AsyncSession) -> list[Position]:
    """Return how each account stands."""
    return [await position(session, account) for account in await bank.accounts(session)]


async def position(session: AsyncSession, account: BankAccount) -> Position:
    """Return how one account stands."""
    last = await bank.last_statement(session, account.id)
    return Position(
        account=account,
        closed_on=None if last is None else last.closed_on,
        ledger_minor=await _booked(session, account.code, account.currency),
        bank_minor=0 if last is None or last.closing_minor is None else last.closing_minor,
        suspended_minor=await _suspended(session, account.id),
        in_flight_minor=await bank.in_flight_minor(session, account.id),
    )


@dataclass(frozen=True, slots=True)
class Suspended:
    """What the ledger has in suspense of a currency, and what the named items come to."""

    currency: str
    ledger_minor: int
    named_minor: int

    @property
    def unexplained_minor(self) -> int:
        """What the ledger has more than the named items: nothing, always."""
        return self.ledger_minor - self.named_minor


async def suspended(session: AsyncSession) -> list[Suspended]:
    """Return ledger and named items of each currency that was ever in suspense, by currency."""
    codes = await session.scalars(
        select(LedgerAccount.currency).where(
            col(LedgerAccount.code).startswith(f"{accounts.SUSPENSE_BANK}:")
        )
    )
    named = await session.scalars(select(SuspenseItem.currency).distinct())
    return [
        Suspended(
            currency=currency,
            ledger_minor=-await _booked(session, accounts.SUSPENSE_BANK, currency),
            named_minor=await _named(session, currency),
        )
        for currency in sorted({*codes, *named})
    ]


async def faults(session: AsyncSession) -> list[str]:
    """Return as sentences where suspense and its items differ, or ledger and bank do."""
    found = [
        f"suspense at the bank in {one.currency}: the ledger has {one.ledger_minor}, "
        f"the named items come to {one.named_minor}"
        for one in await suspended(session)
        if one.unexplained_minor
    ]
    return found + [
        f"bank account {one.account.id}: the ledger has {one.ledger_minor}, "
        f"the bank {one.bank_minor} {one.account.currency}"
        for one in await positions(session)
        if one.difference_minor
    ]


async def unexplained(session: AsyncSession, currency: str) -> int:
    """Return what the ledger's suspense has more than the named items: nothing, always."""
    booked = -await _booked(session, accounts.SUSPENSE_BANK, currency)
    return booked - await _named(session, currency)


async def open_items(session: AsyncSession, *, after: UUID, limit: int) -> Sequence[SuspenseItem]:
    """Return suspended money that waits, in the order of its ids."""
    wanted = select(SuspenseItem).where(
        col(SuspenseItem.state) == OPEN, col(SuspenseItem.id) > after
    )
    return (await session.scalars(wanted.order_by(col(SuspenseItem.id)).limit(limit))).all()


async def held_for(session: AsyncSession, invoice_ids: Collection[UUID]) -> Mapping[UUID, int]:
    """Return by invoice what came in for it and is suspended: parts of it, or an overpayment."""
    wanted = (
        select(SuspenseItem.invoice_id, func.sum(SuspenseItem.amount_minor))
        .where(col(SuspenseItem.invoice_id).in_(invoice_ids), col(SuspenseItem.state) == OPEN)
        .group_by(col(SuspenseItem.invoice_id))
    )
    return {of: int(minor) for of, minor in await session.execute(wanted) if of is not None}


async def get_release(session: AsyncSession, match_id: UUID) -> ReconMatch:
    """Return a release.

    Raises:
        Unknown: there is none.
    """
    found = await session.get(ReconMatch, match_id)
    if found is None or found.proposed_by is None:
        raise Unknown("There is no such release.")
    return found


async def proposed(session: AsyncSession, *, limit: int) -> Sequence[ReconMatch]:
    """Return the releases that wait for a decision, the oldest first."""
    wanted = select(ReconMatch).where(col(ReconMatch.state) == PROPOSED)
    return (await session.scalars(wanted.order_by(col(ReconMatch.made_at)).limit(limit))).all()


async def sides(
    session: AsyncSession, matches: Collection[UUID]
) -> Mapping[UUID, Sequence[ReconSide]]:
    """Return the sides of matches, in order."""
    wanted = select(ReconSide).where(col(ReconSide.match_id).in_(matches))
    found: dict[UUID, list[ReconSide]] = {match: [] for match in matches}
    for side in await session.scalars(wanted.order_by(col(ReconSide.line))):
        found[side.match_id].append(side)
    return found


async def owed(
    session: AsyncSession,
    *,
    currency: str,
    numbers: Collection[str] | None = None,
    amount_minor: int | None = None,
    limit: int = 1_000,
) -> list[Owed]:
    """Return invoices that wait for their money, of these numbers or for this amount."""
    wanted = (
        select(Invoice, Party.name_zh, Party.name_en)
        .join(Party, col(Party.id) == col(Invoice.payer_id))
        .where(col(Invoice.state) == ISSUED, col(Invoice.currency) == currency)
        .order_by(col(Invoice.id).desc())
        .limit(limit)
    )
    if numbers is not None:
        wanted = wanted.where(col(Invoice.number).in_(numbers))
    if amount_minor is not None:
        paid = col(Invoice.deposit_minor) + col(Invoice.reversed_minor)
        wanted = wanted.where(col(Invoice.amount_minor) - paid == amount_minor)
    return [
        Owed(
            invoice.id, invoice.number, invoice.due.amount_minor, (str(zh), str(en)),
            invoice.issued_at.date(),
        )
        for invoice, zh, en in await session.execute(wanted)
    ]  # fmt: skip


async def suggestions(session: AsyncSession, currency: str, entry: Entry) -> list[Suggestion]:
    """Return the invoices that a line was perhaps meant for, the likeliest first."""
    numbers = rules.numbers(entry)
    candidates = await owed(session, currency=currency, amount_minor=entry.amount_minor)
    if numbers:
        candidates += await owed(session, currency=currency, numbers=numbers)
    known = {candidate.invoice_id: candidate for candidate in candidates}
    return rules.suggestions(entry, list(known.values()))


async def _booked(session: AsyncSession, code: str, currency: str) -> int:
    wanted = (
        select(LedgerBalance.posted_minor)
        .join(LedgerAccount, col(LedgerAccount.id) == col(LedgerBalance.account_id))
        .where(col(LedgerAccount.code) == accounts.account_code(code, currency))
    )
    return int(await session.scalar(wanted) or 0)


async def _named(session: AsyncSession, currency: str) -> int:
    wanted = select(func.coalesce(func.sum(SuspenseItem.amount_minor), 0)).where(
        col(SuspenseItem.state) == OPEN, col(SuspenseItem.currency) == currency
    )
    return int(cast(int, await session.scalar(wanted)))


async def _suspended(session: AsyncSession, account_id: UUID) -> int:
    wanted = select(func.coalesce(func.sum(SuspenseItem.amount_minor), 0)).where(
        col(SuspenseItem.account_id) == account_id, col(SuspenseItem.state) == OPEN
    )
    return int(cast(int, await session.scalar(wanted)))
