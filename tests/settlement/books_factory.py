"""Books for tests: what payees are owed, holds on it, quotes, the checks of a commit made early."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import Money
from settlement.ledger import exchanging, holds, rules, service
from settlement.ledger.holds import Wanted
from settlement.ledger.rules import Line, Quote
from tests.conftest import NOW
from tests.settlement.orders_factory import carried_out

LATER = NOW + timedelta(hours=2)


@dataclass(frozen=True)
class Payee:
    """A payee with accounts of its own."""

    id: UUID

    @property
    def due(self) -> str:
        return rules.payee_due(self.id)

    @property
    def clearing(self) -> str:
        """An account without limits that no other test posts to."""
        return f"psp:test:{self.id}"


def payee() -> Payee:
    return Payee(ids.new(NOW))


def money(minor: int, currency: str = "CNY") -> Money:
    return Money(minor, currency)


async def booked(
    session: AsyncSession, lines: Sequence[Line], *, now: datetime = NOW, **more: Any
) -> int:
    """Book a journal under a key of its own."""
    values: dict[str, Any] = {
        "idem_key": f"test:{ids.new(NOW)}", "kind": "invoice.issued", "actor": "test",
        "deal_id": None,
    }  # fmt: skip
    return await service.post(session, lines=lines, now=now, **(values | more))


async def owed(session: AsyncSession, payee: Payee, amount: Money, **more: Any) -> int:
    """Let a payee be owed an amount."""
    minus = Money(-amount.amount_minor, amount.currency)
    return await booked(session, [(payee.clearing, amount), (payee.due, minus)], **more)


async def paid(session: AsyncSession, payee: Payee, amount: Money, **more: Any) -> int:
    """Pay what is due."""
    minus = Money(-amount.amount_minor, amount.currency)
    return await booked(session, [(payee.due, amount), (payee.clearing, minus)], **more)


async def held(
    session: AsyncSession, payee: Payee, amount: Money, *, expires_at: datetime = LATER
) -> UUID:
    """Hold a part of what is due; return the hold's id."""
    hold_id = ids.new(NOW)
    wanted = Wanted(payee.due, amount, "test", expires_at)
    await holds.hold(session, hold_id, wanted, actor="test", now=NOW)
    return hold_id


async def captured(
    session: AsyncSession, hold_id: UUID, payee: Payee, amount: Money, *, now: datetime = NOW
) -> int:
    """Capture a hold into the clearing account."""
    minus = Money(-amount.amount_minor, amount.currency)
    return await holds.capture(
        session, hold_id, idem_key=f"{hold_id}:captured", kind="invoice.issued", actor="test",
        lines=[(payee.due, amount), (payee.clearing, minus)], now=now,
    )  # fmt: skip


async def quoted(
    session: AsyncSession, base: str, counter: str, rate: str, *, quoted_at: datetime = NOW
) -> UUID:
    """Keep a quote that holds for an hour."""
    quote_id = ids.new(NOW)
    quote = Quote(base, counter, Decimal(rate), quoted_at, quoted_at + timedelta(hours=1))
    await exchanging.quote(session, quote_id, quote, source="test", actor="test")
    return quote_id


async def exchanged(
    session: AsyncSession, quote_id: UUID, payee: Payee, sold: Money, bought: Money, **more: Any
) -> int:
    """Change what a payee is due into another currency, as two people ordered."""
    sides = {
        side: {
            "account": rules.account_code(payee.due, amount.currency),
            "amount_minor": amount.amount_minor,
        }
        for side, amount in (("give", sold), ("take", bought))
    }
    values: dict[str, Any] = {"idem_key": f"fx:{ids.new(NOW)}", "deal_id": None, "now": NOW} | more

    async def act(_: UUID, by: str) -> int:
        return await exchanging.exchange(
            session, quote_id, give=(payee.due, sold), into=(payee.due, bought), actor=by, **values
        )

    what = {"quote": str(quote_id), **sides}
    made: int = await carried_out(session, "exchange", what, act, now=NOW)
    return made


async def undone(session: AsyncSession, journal: int, **more: Any) -> int:
    """Reverse a journal, as two people ordered; the same reversal again is the same."""
    key = await session.scalar(
        text("SELECT idem_key FROM ledger_journal WHERE id = :id"), {"id": journal}
    )
    values: dict[str, Any] = {
        "idem_key": f"reverse:{journal}", "reason": "test", "now": NOW
    } | more  # fmt: skip

    async def act(_: UUID, by: str) -> int:
        made = await service.reverse(session, journal, actor=by, **values)
        assert await service.reverse(session, journal, actor=by, **values) == made
        return made

    undoing: int = await carried_out(session, "reversal", {"journal": key}, act, now=NOW)
    return undoing


async def balance(session: AsyncSession, code: str, currency: str = "CNY") -> int:
    found = await session.scalar(
        text(
            "SELECT posted_minor FROM ledger_balance JOIN ledger_account ON id = account_id "
            "WHERE code = :code"
        ),
        {"code": f"{code}:{currency}"},
    )
    return int(found or 0)


async def check_now(session: AsyncSession) -> None:
    """Make the checks of the commit at once."""
    await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    await session.execute(text("SET CONSTRAINTS ALL DEFERRED"))
