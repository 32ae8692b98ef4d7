"""Sending a refund again that failed: another order with a key of its own, for the whole of it.

It is a refund like any other, prepared by one person and decided by another, and names the one that
failed. Of several that send one refund again, one at a time waits, is on its way, or has arrived.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from settlement.invoices import queries as invoices
from settlement.refunds import queries, rules, service, wiring
from settlement.refunds.rules import Again, Ask
from settlement.refunds.tables import Refund


async def resend(
    session: AsyncSession, resend_id: UUID, *, again: Again, person_id: UUID, now: datetime
) -> tuple[Refund, bool]:
    """Prepare that a failed refund is sent again (重新退款); return that, and whether it is new.

    A card refund goes to the card again, or to an account of the payer's that was verified; a
    transfer goes to an account again, out of the account of ours that the money lies in.

    Raises:
        Unknown: there is no such refund, or no such account of ours.
        RefundNotFailed: it did not fail, or sends another one again itself.
        RefundSentAgain: another refund brought the money.
        CustodyMoney: a bank holds the account that is to pay for others.
        IdReused, PaymentNotRefundable, PaymentDisputed, RefundAccountMissing, RefundOpen,
            RefundTooLarge, WrongCurrency: see `service.prepare`.
    """
    failed = await queries.get_refund(session, again.failed_id)
    rules.check_failed(failed.state, first=failed.resends)
    payment = await invoices.get_payment_of(session, failed.payment_id, payer_id=None)
    out_of = None
    if again.goes_to != rules.TO_CARD:
        out_of = (await wiring.paying(session, payment, again.account_id)).id
    ask = Ask(failed.payment_id, failed.amount, again.reason, again.goes_to, failed.id, out_of)
    return await service.prepare(session, resend_id, ask=ask, person_id=person_id, now=now)
