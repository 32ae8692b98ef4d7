"""What a refund that failed leaves: money owed to its payer, until one more refund brings it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from settlement.ledger import service as ledger
from settlement.ledger.rules import Line
from settlement.refunds import queries, rules
from settlement.refunds.rules import RefundSentAgain
from settlement.refunds.tables import Refund

ACTOR = "exchange"


async def owe(session: AsyncSession, refund: Refund, *, now: datetime) -> None:
    """Book, once, that a refund which failed is owed and on its way no more.

    Refunds that failed before this was booked get their journal when they are sent again.
    """
    await ledger.post(
        session,
        idem_key=rules.owed_key(refund.id),
        kind="refund.owed",
        actor=ACTOR,
        deal_id=refund.deal_id,
        lines=rules.owed_lines(refund.payer_id, refund.amount),
        now=now,
    )


async def debits(
    session: AsyncSession, refund_id: UUID, failed_id: UUID, *, now: datetime
) -> list[Line]:
    """Return what is taken to send a failed refund again: what its payer is owed.

    Args:
        session: a transaction that has locked the payment.
        refund_id: the refund that sends it again.
        failed_id: the one that failed.
        now: the instant.

    Raises:
        Unknown: there is no such refund.
        RefundNotFailed: it did not fail, or sends another one again itself.
        RefundSentAgain: another refund brought the money.
    """
    failed = await queries.get_refund(session, failed_id)
    rules.check_failed(failed.state, first=failed.resends)
    others = await queries.resent_as(session, [failed_id])
    other = others.get(failed_id)
    if other is not None and other.id != refund_id:
        raise RefundSentAgain("The payer has it already.", refund=str(other.id))
    await owe(session, failed, now=now)
    return rules.resent_lines(failed.payer_id, failed.amount)
