"""Payments of ours that a bank's statement shows: made, made again, or come back."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.facts import service as facts
from contracts.money import Money
from settlement.bank import service as files
from settlement.bank.rules import PAID, RETURNED
from settlement.bank.tables import PaymentItem
from settlement.deposits import wiring as deposits
from settlement.ledger import service as ledger
from settlement.payouts import banking
from settlement.payouts import queries as payouts
from settlement.reconciliation import rules
from settlement.refunds import service as refunds
from settlement.remittances import service as remittances

ACTOR = "bank"


async def pay(
    session: AsyncSession, item: PaymentItem, *, key: str, out_of: str, now: datetime
) -> None:
    """Book that the bank made a payment; one made again after it had come back, too."""
    if item.remittance_id is not None:
        await remittances.paid(session, item.remittance_id, key=key, out_of=out_of, now=now)
    elif item.refund_id is not None:
        await refunds.made(session, item.refund_id, provider_id=key, out_of=out_of, now=now)
    elif item.deposit_movement_id is not None:
        await deposits.returned(session, item.deposit_movement_id, key=key, out_of=out_of, now=now)
    else:
        await _pay_payee(session, item, key=key, out_of=out_of, now=now)
    item.state = PAID
    await session.flush()
    await files.settle(session, item.batch_id)


async def come_back(
    session: AsyncSession, item: PaymentItem, *, key: str, into: str, now: datetime
) -> None:
    """Book that a payment came back: exactly this one is on its way to its payee again."""
    if item.remittance_id is not None:
        await remittances.came_back(session, item.remittance_id, key=key, into=into, now=now)
    elif item.refund_id is not None:
        await refunds.came_back(session, item.refund_id, into=into, now=now)
    elif item.deposit_movement_id is not None:
        await deposits.came_back(session, item.deposit_movement_id, key=key, into=into, now=now)
    else:
        await _back_from_payee(session, item, key=key, into=into, now=now)
    item.state = RETURNED
    await session.flush()


async def _pay_payee(
    session: AsyncSession, item: PaymentItem, *, key: str, out_of: str, now: datetime
) -> None:
    payout_id, party_id = rules.whose(item.payout_id, item.party_id)
    first = await banking.transfer_made(
        session, payout_id, party_id, provider_id=key, out_of=out_of, now=now
    )
    if first:
        return
    amount = Money(item.amount_minor, item.currency)
    payout = await payouts.get_payout(session, payout_id)
    await ledger.post(
        session,
        idem_key=f"{key}:made",
        kind="transfer.made",
        actor=ACTOR,
        deal_id=payout.deal_id,
        lines=rules.paid_again_lines(out_of, party_id, amount),
        now=now,
    )


async def _back_from_payee(
    session: AsyncSession, item: PaymentItem, *, key: str, into: str, now: datetime
) -> None:
    payout_id, party_id = rules.whose(item.payout_id, item.party_id)
    amount = Money(item.amount_minor, item.currency)
    payout = await payouts.get_payout(session, payout_id)
    await ledger.post(
        session,
        idem_key=f"{key}:returned",
        kind="transfer.returned",
        actor=ACTOR,
        deal_id=payout.deal_id,
        lines=rules.returned_lines(into, party_id, amount),
        now=now,
    )
    record = {
        "payout": str(payout_id),
        "party": str(party_id),
        "amount_minor": item.amount_minor,
        "currency": item.currency,
        "reason": item.return_reason,
    }
    told = [party_id]
    await facts.record(session, "transfer.returned", payout_id, record, parties=told, now=now)
