"""Payment files of refunds: one payment each, made once, given out once the refund is approved."""

from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import calendar, canonical
from contracts.calendar import YearNotLoaded
from contracts.money import Money
from settlement.bank import pain, rules, service
from settlement.bank.rules import Account, Payment
from settlement.bank.tables import BankAccount, PaymentBatch, PaymentItem


def write(
    refund_id: UUID, *, out_of: BankAccount, to: Account, amount: Money, now: datetime
) -> bytes:
    """Return the file (pain.001) that asks a bank to pay a refund on its next working day.

    Args:
        refund_id: the refund, which names the message and the payment.
        out_of: the account that pays.
        to: the payer's account.
        amount: what goes back.
        now: the instant that the file names.
    """
    payment = Payment(
        rules.end_to_end_id(refund_id), to, amount, f"Refund {refund_id}", purpose=rules.REFUND
    )
    return pain.write(
        [payment],
        message_id=rules.message_id(refund_id),
        payer=out_of.payer(),
        execute_on=_execute_on(now),
        made_at=now,
    )


async def instruct(
    session: AsyncSession,
    item: PaymentItem,
    *,
    document: bytes,
    account_id: UUID,
    people: tuple[UUID, UUID],
    prepared_at: datetime,
    now: datetime,
) -> PaymentBatch:
    """Put the file of an approved refund among those for the bank, as it was approved.

    Args:
        session: the transaction of the refund's approval.
        item: its one payment.
        document: the bytes that the refund names by their hash.
        account_id: the account that pays.
        people: who prepared the refund, and who approved it.
        prepared_at: when it was prepared, which is what the file says.
        now: the instant.
    """
    batch = PaymentBatch(
        id=item.batch_id,
        account_id=account_id,
        refund_id=item.refund_id,
        message_id=rules.message_id(item.batch_id),
        currency=item.currency,
        items=1,
        sum_minor=item.amount_minor,
        execute_on=_execute_on(prepared_at),
        document=document,
        sha256=canonical.sha256_hex(document),
        state=rules.APPROVED,
        prepared_by=people[0],
        prepared_at=prepared_at,
        decided_by=people[1],
        decided_at=now,
    )
    session.add(batch)
    await session.flush()
    session.add(item)
    await service.tell(session, batch, "payment-file.approved", now=now)
    return batch


def item(refund_id: UUID, amount: Money) -> PaymentItem:
    """Return the one payment of a refund's file; where it goes, the refund says."""
    return PaymentItem(
        id=refund_id,
        batch_id=refund_id,
        refund_id=refund_id,
        amount_minor=amount.amount_minor,
        currency=amount.currency,
        end_to_end_id=rules.end_to_end_id(refund_id),
        state=rules.INSTRUCTED,
    )


def _execute_on(now: datetime) -> date:
    """Return the next working day; the next day where the year's are not known yet."""
    day = calendar.day_of(now)
    try:
        return calendar.add_working_days(day, 1)
    except YearNotLoaded:
        return day + timedelta(days=1)
