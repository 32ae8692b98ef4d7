"""Several wires for one invoice (多笔合付): they pay it once they make its sum, not before."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import canonical, ids
from contracts.money import Money
from settlement.bank.tables import BankAccount
from settlement.invoices import queries as invoices
from settlement.invoices import wires
from settlement.ledger import rules as accounts
from settlement.reconciliation import noting, rules
from settlement.reconciliation.tables import ReconMatch, SuspenseItem


async def sum_up(
    session: AsyncSession,
    account: BankAccount,
    invoice_ids: Sequence[UUID],
    *,
    owner_id: UUID,
    now: datetime,
) -> None:
    """Pay invoices whose suspended wires now make the sum; what is too much stays suspended.

    Args:
        session: the transaction of the statement.
        account: the account that the wires came into; money in two accounts is not added up.
        invoice_ids: the invoices that new wires name.
        owner_id: whose task an overpayment is.
        now: the instant.
    """
    for invoice_id in sorted(set(invoice_ids)):
        items = await _waiting(session, account, invoice_id)
        due = (await invoices.get_invoice_of(session, invoice_id, payer_id=None)).due
        come = sum(item.amount_minor for item in items)
        if 0 < due.amount_minor <= come:
            await _pay(session, account, invoice_id, items, due, owner_id=owner_id, now=now)


async def _pay(
    session: AsyncSession,
    account: BankAccount,
    invoice_id: UUID,
    items: Sequence[SuspenseItem],
    due: Money,
    *,
    owner_id: UUID,
    now: datetime,
) -> None:
    match_id = ids.new(now)
    if not await wires.receive_wire(
        session, invoice_id, due, reference=f"match:{match_id}",
        account=accounts.SUSPENSE_BANK, held_at=account.id, now=now,
    ):  # fmt: skip
        return
    excess = sum(item.amount_minor for item in items) - due.amount_minor
    book = [("book", "invoice", str(invoice_id), due.amount_minor)]
    if excess:
        over = noting.suspended(account.id, excess, due.currency, owner_id=owner_id, now=now)
        over |= {"cause": rules.OVERPAID, "invoice_id": invoice_id, "entry_id": None}
        await session.execute(insert(SuspenseItem), [over])
        book.append(("book", "suspense", str(over["id"]), excess))
    sides = [("bank", "suspense", str(item.id), item.amount_minor) for item in items] + book
    content = canonical.dumps({"match": str(match_id), "sides": [list(side) for side in sides]})
    session.add(
        ReconMatch(
            id=match_id,
            account_id=account.id,
            rule=rules.PARTS,
            score=rules.CERTAIN,
            state=rules.MADE,
            content=content,
            sha256=canonical.sha256_hex(content),
            made_at=now,
        )
    )
    await session.flush()
    await noting.add_sides(session, match_id, sides)
    for item in items:
        item.state, item.match_id, item.released_at = rules.RELEASED, match_id, now
    await session.flush()


async def _waiting(
    session: AsyncSession, account: BankAccount, invoice_id: UUID
) -> Sequence[SuspenseItem]:
    """Return what came in for an invoice and is in nobody's proposal, locked, the oldest first."""
    wanted = (
        select(SuspenseItem)
        .where(
            col(SuspenseItem.account_id) == account.id,
            col(SuspenseItem.invoice_id) == invoice_id,
            col(SuspenseItem.state) == rules.OPEN,
            col(SuspenseItem.cause) == rules.UNMATCHED,
            col(SuspenseItem.match_id).is_(None),
            col(SuspenseItem.amount_minor) > 0,
        )
        .order_by(col(SuspenseItem.id))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(wanted)).all()
