"""What tests of the bank rail do with a bank: a deal paid by wire, and whether all agrees."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.money import Money
from settlement.bank.tables import BankAccount, PaymentItem
from settlement.payouts.tables import Payout
from settlement.plans import queries as plans
from settlement.reconciliation import queries
from settlement.reconciliation.tables import ReconMatch
from tests.settlement.bank_factory import (
    Bank,
    approved_payout,
    followed,
    suspended,
    wired,
    with_bank_account,
)
from tests.settlement.settlement_factory import Trade

PRICE = Money(1_000_000, "EUR")


async def bank_of(session: AsyncSession) -> Bank:
    return Bank(await followed(session))


async def paid_by_wire(session: AsyncSession, bank: Bank) -> tuple[Trade, Payout]:
    """A deal paid by wire whose payout was approved."""
    trade = await wired(session, bank, PRICE)
    for owner in trade.owners:
        await with_bank_account(session, owner.id)
    return trade, await approved_payout(session, trade)


async def items_of(session: AsyncSession, payout: Payout) -> list[PaymentItem]:
    wanted = select(PaymentItem).where(col(PaymentItem.payout_id) == payout.id)
    return list(await session.scalars(wanted.order_by(col(PaymentItem.amount_minor))))


async def rules_of(session: AsyncSession, account: BankAccount) -> list[str]:
    wanted = select(ReconMatch.rule).where(col(ReconMatch.account_id) == account.id)
    return sorted(await session.scalars(wanted))


async def state_of(session: AsyncSession, trade: Trade) -> str:
    return (await plans.get_settlement(session, trade.deal_id)).state


async def agrees(session: AsyncSession, account: BankAccount) -> bool:
    """The ledger mirrors the bank, and every suspended cent has a name."""
    await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    await session.execute(text("SET CONSTRAINTS ALL DEFERRED"))
    here = await queries.position(session, account)
    named = sum(item.amount_minor for item in await suspended(session, account))
    left = await queries.unexplained(session, account.currency)
    return (here.difference_minor, here.suspended_minor, left) == (0, named, 0)
