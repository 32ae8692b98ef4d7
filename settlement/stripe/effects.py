"""What follows from the provider's answers to instructions: each effect once, with its answer."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from settlement.deposits import carding, moving
from settlement.invoices import service as invoices
from settlement.outbound import rules as outbound
from settlement.outbound.rules import Answer, Made
from settlement.outbound.tables import Outbound
from settlement.payouts import making, onboarding
from settlement.payouts import service as payouts
from settlement.payouts.making import Told
from settlement.recoveries import service as recoveries
from settlement.refunds import service as refunds
from settlement.sweeps import service as sweeps

OF_CARDS = outbound.STEPS | {outbound.HOLD_PAYMENT}  # of deposits on cards


async def take(
    session: AsyncSession, ended: Sequence[tuple[Outbound, Answer]], *, now: datetime
) -> None:
    """Let each answer take effect; the transfers that were made are booked together, last."""
    told = [
        Told(row.object_id, row.id, answer.provider_id)
        for row, answer in ended
        if row.op == outbound.CREATE_TRANSFER and isinstance(answer, Made)
    ]
    for row, answer in ended:
        if row.op != outbound.CREATE_TRANSFER:
            await _take_effect(session, row, answer, now=now)
    if told:
        await making.transfers_made(session, told, now=now)


async def _take_effect(
    session: AsyncSession, ended: Outbound, answer: Answer, *, now: datetime
) -> None:
    if isinstance(answer, Made):
        await _made(session, ended, answer, now=now)
    elif ended.op in OF_CARDS:
        await carding.refused(session, ended.object_id, ended.op, now=now)
    elif ended.op == outbound.CREATE_PAYMENT:
        await invoices.payment_failed(session, ended.object_id, now=now)
    elif ended.op == outbound.CREATE_ACCOUNT:
        await payouts.account_failed(session, ended.object_id)


async def _made(session: AsyncSession, ended: Outbound, answer: Made, *, now: datetime) -> None:
    if ended.op == outbound.CREATE_PAYMENT:
        await invoices.payment_ready(
            session,
            ended.object_id,
            provider_id=answer.provider_id,
            client_secret=answer.client_secret,
            now=now,
        )
    elif ended.op == outbound.CREATE_ACCOUNT:
        await onboarding.opened(session, ended.object_id, provider_id=answer.provider_id, now=now)
    elif ended.op in OF_CARDS:
        await carding.made(
            session,
            ended.object_id,
            ended.op,
            provider_id=answer.provider_id,
            client_secret=answer.client_secret,
            now=now,
        )
    elif ended.object_key == moving.RETURN_KEY.format(ended.object_id):
        await moving.refunded(session, ended.object_id, provider_id=answer.provider_id, now=now)
    elif ended.op == outbound.CREATE_REFUND:
        await refunds.made(session, ended.object_id, provider_id=answer.provider_id, now=now)
    elif ended.op == outbound.CREATE_PAYOUT:
        await sweeps.made(session, ended.object_id, provider_id=answer.provider_id, now=now)
    elif ended.op == outbound.REVERSE_TRANSFER:
        await recoveries.reversed_at_provider(
            session, ended.object_id, provider_id=answer.provider_id, now=now
        )
