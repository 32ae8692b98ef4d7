"""What goes into a payment file: transfers to payees, withheld tax, and deposits that go back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import Money
from settlement.bank import queries, rules
from settlement.bank.rules import Account, Payment
from settlement.bank.tables import BankAccount, PaymentItem
from settlement.deposits import wiring as deposits
from settlement.deposits.rules import DONE
from settlement.deposits.tables import DepositMovement
from settlement.invoices import queries as invoices
from settlement.payees import queries as payees
from settlement.payees.rules import Details
from settlement.payees.tables import PayeeBankAccount
from settlement.payouts import queries as payouts
from settlement.payouts.tables import PayoutTransfer
from settlement.remittances import queries as remittances
from settlement.remittances.tables import Remittance


@dataclass(frozen=True, slots=True)
class Chosen:
    """One payment of a file: its row, and what the file says."""

    item: PaymentItem
    payment: Payment


async def to_pay(
    session: AsyncSession, batch_id: UUID, *, account: BankAccount, now: datetime
) -> tuple[list[Chosen], list[str]]:
    """Return what a file can pay now, and who is left out because no account can be paid.

    A first payment goes where what two people approved says; one that came back goes to another
    account than the one it came back from. A price that lies in escrow is paid out of that account
    alone.
    """
    taxes, missing = await _taxes(session, batch_id, currency=account.currency, now=now)
    transfers, left_out = await _transfers(session, batch_id, account=account, now=now)
    returns, waiting = await _returns(session, batch_id, account=account, now=now)
    chosen = [*taxes, *returns, *transfers][: rules.MOST_ITEMS]
    return chosen, [*missing, *waiting, *left_out]


async def _returns(
    session: AsyncSession, batch_id: UUID, *, account: BankAccount, now: datetime
) -> tuple[list[Chosen], list[str]]:
    """Return the deposits to give back that came into this account, to their bidders' accounts."""
    waiting = await deposits.to_return(session, account.id)
    tried = await queries.tries_of_returns(session, [one.id for one in waiting])
    there = await payees.in_force(
        session, {one.party_id for one in waiting}, currency=account.currency, now=now
    )
    chosen: list[Chosen] = []
    left_out: list[str] = []
    for one in waiting:
        before, where = tried[one.id], there.get(one.party_id)
        if not queries.may_be_paid(before) or (one.state == DONE and not before):
            continue
        if where is None or where.id in {item.payee_account_id for item in before}:
            left_out.append(str(one.party_id))
        else:
            chosen.append(_of_return(batch_id, one, where, account, now=now))
    return chosen, left_out


async def _transfers(
    session: AsyncSession, batch_id: UUID, *, account: BankAccount, now: datetime
) -> tuple[list[Chosen], list[str]]:
    waiting = await _held_here(session, account)
    tried = await queries.tries(session, {one.payout_id for one in waiting})
    there = await payees.in_force(
        session, {one.party_id for one in waiting}, currency=account.currency, now=now
    )
    chosen: list[Chosen] = []
    left_out: list[str] = []
    for transfer in waiting:
        before = tried.get((transfer.payout_id, transfer.party_id), ())
        if not queries.may_be_paid(before):
            continue
        where = there.get(transfer.party_id)
        if where is None or not _fits(where, transfer, before):
            left_out.append(str(transfer.party_id))
        else:
            said = rules.remittance(transfer.payout_id, custody=account.instruct_only)
            chosen.append(_of_transfer(batch_id, transfer, where, said=said, now=now))
    return chosen, left_out


async def _held_here(session: AsyncSession, account: BankAccount) -> list[PayoutTransfer]:
    """Return the transfers to instruct whose money this account may pay out."""
    waiting = await payouts.to_instruct(session, account.currency)
    deals = await payouts.deals_of(session, {one.payout_id for one in waiting})
    held = await invoices.held_at(session, set(deals.values()))
    known = {one.id: one for one in await queries.accounts(session)}
    there = {payout: held.get(deal) for payout, deal in deals.items()}
    return [
        one
        for one in waiting
        if rules.may_pay(
            paying_id=account.id,
            paying_in_custody=account.instruct_only,
            held_id=(where := there[one.payout_id]),
            held_in_custody=where is not None and known[where].instruct_only,
        )
    ]


async def _taxes(
    session: AsyncSession, batch_id: UUID, *, currency: str, now: datetime
) -> tuple[list[Chosen], list[str]]:
    waiting = await remittances.to_instruct(session, currency)
    tried = await queries.tries_of_remittances(session, [one.id for one in waiting])
    chosen: list[Chosen] = []
    left_out: list[str] = []
    for one in waiting:
        before = tried[one.id]
        if not queries.may_be_paid(before):
            continue
        authority = await remittances.find_authority(session, one.authority, currency)
        where = None if authority is None else authority.details()
        if where is None or not (before or _is_approved(where, one)):
            left_out.append(one.authority)
        else:
            chosen.append(_of_remittance(batch_id, one, where, now=now))
    return chosen, left_out


def _is_approved(where: Details, one: Remittance) -> bool:
    return (where.code, where.holder) == (one.account, one.holder)


def _fits(where: PayeeBankAccount, transfer: PayoutTransfer, before: Sequence[PaymentItem]) -> bool:
    if before:
        return where.id not in {item.payee_account_id for item in before}
    return where.details().code == transfer.account


def _of_transfer(
    batch_id: UUID,
    transfer: PayoutTransfer,
    where: PayeeBankAccount,
    *,
    said: str,
    now: datetime,
) -> Chosen:
    amount = Money(transfer.amount_minor, transfer.currency)
    chosen = _chosen(batch_id, where, amount, said=said, purpose=rules.ROYALTIES, now=now)
    chosen.item.payout_id = transfer.payout_id
    chosen.item.party_id, chosen.item.payee_account_id = transfer.party_id, where.id
    return chosen


def _of_return(
    batch_id: UUID,
    one: DepositMovement,
    where: PayeeBankAccount,
    account: BankAccount,
    *,
    now: datetime,
) -> Chosen:
    amount = Money(one.amount_minor, account.currency)
    said = rules.return_remittance(one.id, custody=account.instruct_only)
    chosen = _chosen(batch_id, where, amount, said=said, purpose=rules.REFUND, now=now)
    chosen.item.deposit_movement_id = one.id
    chosen.item.party_id, chosen.item.payee_account_id = one.party_id, where.id
    return chosen


def _of_remittance(batch_id: UUID, one: Remittance, where: Details, *, now: datetime) -> Chosen:
    amount, said = Money(one.amount_minor, one.currency), f"{one.tax} {one.period} {one.id}"
    chosen = _chosen(batch_id, where, amount, said=said, purpose=rules.WITHHOLDING, now=now)
    chosen.item.remittance_id = one.id
    return chosen


def _chosen(
    batch_id: UUID,
    where: PayeeBankAccount | Details,
    amount: Money,
    *,
    said: str,
    purpose: str,
    now: datetime,
) -> Chosen:
    """Return a payment to an account; the caller notes on its row what it is of."""
    item_id = ids.new(now)
    name = rules.end_to_end_id(item_id)
    item = PaymentItem(
        id=item_id,
        batch_id=batch_id,
        amount_minor=amount.amount_minor,
        currency=amount.currency,
        end_to_end_id=name,
        state=rules.WAITING,
    )
    payee = Account(where.scheme, where.number, where.holder, where.member_id)
    return Chosen(item, Payment(name, payee, amount, said, purpose))
