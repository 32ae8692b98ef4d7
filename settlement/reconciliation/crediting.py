"""Deposits that a statement's credits name (保证金到账), found by their references."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import calendar
from contracts.money import Money
from settlement.bank.rules import Statement
from settlement.bank.tables import BankAccount, BankEntry
from settlement.collecting.rules import of_deposit
from settlement.deposits import wiring
from settlement.deposits.wiring import Credit
from settlement.reconciliation import rules
from settlement.reconciliation.rules import Awaited


async def awaited(session: AsyncSession, statements: Sequence[Statement]) -> Mapping[str, Awaited]:
    """Return by reference the deposits that are missing and that a line names.

    Read before anything is locked: who imports locks the auctions of these first, because a
    deposit is never locked before its auction.
    """
    named: dict[str, set[str]] = {}
    for one in statements:
        said = {name for entry in one.entries for name in rules.deposits_named(entry)}
        named.setdefault(one.currency, set()).update(said)
    return {
        reference: Awaited(one.auction_id, one.party_id, one.required_minor - one.held_minor)
        for currency in sorted(code for code, said in named.items() if said)
        for one in await wiring.awaited(session, currency)
        if (reference := of_deposit(one.auction_id, one.party_id)) in named[currency]
    }


async def lock(session: AsyncSession, deposits: Mapping[str, Awaited]) -> None:
    """Lock the deposits that lines name, in the order in which everybody locks several."""
    await wiring.lock(session, [(one.auction_id, one.party_id) for one in deposits.values()])


async def credit(
    session: AsyncSession,
    account: BankAccount,
    line: BankEntry,
    deposit: Awaited,
    *,
    person_id: UUID,
    now: datetime,
) -> bool:
    """Record that a line paid a deposit, or a part of it; False where people have to decide."""
    return await wiring.receive_wire(
        session,
        deposit.auction_id,
        deposit.party_id,
        credit=Credit(
            amount=Money(line.amount_minor, account.currency),
            reference=f"bank:{line.id}",
            account_id=account.id,
            into=account.code,
            credited_at=_credited_at(line, now),
        ),
        person_id=person_id,
        now=now,
    )


def _credited_at(line: BankEntry, now: datetime) -> datetime:
    """Return the last instant of the bank's day: a statement tells no hour."""
    if line.booked_on is None:
        return now
    return min(now, calendar.end_of(line.booked_on) - timedelta(microseconds=1))
