"""Orders to the ledger for tests: a party's account with money on it, and journals by hand."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.money import Money
from settlement.approvals import service as approvals
from settlement.approvals.rules import APPROVED, PREPARED, Subject
from settlement.ledger import exchanging
from settlement.ledger import rules as accounts
from settlement.ledger import service as ledger
from settlement.ledger.rules import Quote
from settlement.orders import rules, service
from settlement.orders.tables import LedgerOrder
from tests.contracts.parties_factory import party
from tests.settlement.approvals_factory import decided
from tests.settlement.batches_factory import approver

OWED = 10_000


async def owed(session: AsyncSession, *, currency: str = "CNY", now: datetime) -> str:
    """The account of what a new payee is owed, 100.00 of it, by its stored code."""
    payee = (await party(session, now=now)).id
    amount = Money(OWED, currency)
    await ledger.post(
        session,
        idem_key=f"test:{payee}",
        kind="invoice.issued",
        actor="test",
        deal_id=None,
        lines=[
            (accounts.PSP_CLEARING, amount),
            (accounts.payee_due(payee), Money(-OWED, currency)),
        ],
        now=now,
    )
    return accounts.account_code(accounts.payee_due(payee), currency)


def journal(account: str, amount_minor: int) -> dict[str, Any]:
    """A journal that moves an account against bank fees; of a payee's it explains what is owed."""
    currency = account.rpartition(":")[2]
    item = {"explains": f"test:{accounts.owner_of(account)}"} if account[:6] == "payee:" else {}
    return {
        "lines": [
            {"account": account, "amount_minor": amount_minor, **item},
            {"account": f"{accounts.BANK_FEES}:{currency}", "amount_minor": -amount_minor},
        ]
    }


async def ordered(
    session: AsyncSession, kind: str, what: dict[str, Any], *, now: datetime
) -> LedgerOrder:
    """An order that somebody of the staff prepared."""
    order, _ = await service.prepare(
        session,
        ids.new(now),
        kind=kind,
        what=what,
        reason="银行手续费补记",
        person_id=await approver(session, now=now),
        now=now,
    )
    return order


async def carried_out(
    session: AsyncSession,
    kind: str,
    what: dict[str, Any],
    act: Callable[[UUID, str], Awaitable[Any]],
    *,
    reason: str = "test",
    now: datetime,
) -> Any:
    """What `act` does with the id and the approver of an order that two people gave."""
    raw = rules.content(order_id := ids.new(now), kind, what, reason)
    order = LedgerOrder(
        id=order_id, kind=kind, content=raw, content_sha256=canonical.sha256_hex(raw),
        reason=reason, state=PREPARED, prepared_by=await approver(session, now=now),
        prepared_at=now,
    )  # fmt: skip
    session.add(order)
    await session.flush()
    decision = await decided(
        session, await approver(session, now=now), order.content_sha256, now=now
    )
    subject = Subject(service.OBJECT, order.id, order.content_sha256, order.prepared_by)
    given = await approvals.approve_and_use(session, subject, decision=decision, now=now)
    done = await act(order.id, str(decision.person_id))
    order.journal_id = None if kind in (rules.MARK, rules.CLOSE) else done
    order.state, order.approval_id = APPROVED, given.id
    order.decided_by, order.decided_at = decision.person_id, now
    await session.flush()
    return done


async def of_one(session: AsyncSession, *, now: datetime) -> dict[str, str]:
    """An order that waits and a kept quote, by the names that paths give them."""
    order = await ordered(session, "journal", journal(await owed(session, now=now), 1), now=now)
    return {"order_id": str(order.id), "quote_id": str(await quote(session, now=now))}


async def quote(session: AsyncSession, *, now: datetime) -> UUID:
    """A quote of dollars in yuan that holds for an hour."""
    quoted = Quote("USD", "CNY", Decimal("7.1023"), now, now + timedelta(hours=1))
    made, _ = await exchanging.quote(session, ids.new(now), quoted, source="test", actor="test")
    return made.id
