"""Refunds to cards that failed, and their sending again by two people."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from exchange.db import Database
from settlement.outbound.rules import CREATE_REFUND
from settlement.refunds import resending, rules, service
from settlement.refunds.rules import (
    Again,
)
from settlement.refunds.tables import Refund
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.fake_stripe import FakeStripe
from tests.settlement.returns_factory import (
    Staff,
    refunded,
    settle,
)
from tests.settlement.returns_factory import staff as people_of
from tests.settlement.settlement_factory import Trade
from tests.settlement.test_refunds import bought
from tests.settlement.test_stripe_service import deliver, event, payment


@dataclass
class Failed:
    """A refund to a card that the provider reports failed."""

    trade: Trade
    refund: Refund
    gateway: FakeStripe
    provider_id: str
    people: Staff

    def again(self, goes_to: str = rules.TO_CARD, account_id: UUID | None = None) -> Again:
        return Again(self.refund.id, "the bank asks for it anew", goes_to, account_id)


async def failed(db: Database, minor: int = 500) -> Failed:
    trade, payment_id, provider_id, gateway = await bought(db)
    people = await people_of(db)
    refund = await refunded(db, await payment(db, payment_id), minor, people)
    await settle(db, gateway)
    one = Failed(trade, refund, gateway, provider_id, people)
    await comes_back(db, one, refund.id)
    return one


async def comes_back(db: Database, one: Failed, refund_id: UUID) -> None:
    one.gateway.failed |= set(one.gateway.of(CREATE_REFUND, "refund", refund_id))
    await deliver(db, event(one.provider_id, "refund.failed"))
    await settle(db, one.gateway)


async def resent(db: Database, one: Failed, again: Again, *, id: UUID | None = None) -> Refund:
    """What sends it again, prepared by one person and approved by another."""
    async with db.transaction() as session:
        refund, _ = await resending.resend(
            session, id or ids.new(NOW), again=again, person_id=one.people.maker, now=NOW
        )
        decision = await decided(session, one.people.checker, refund.content_sha256, now=NOW)
        return await service.approve(session, refund.id, decision=decision, now=NOW)


async def prepared(session: AsyncSession, one: Failed, again: Again) -> Refund:
    refund, _ = await resending.resend(
        session, ids.new(NOW), again=again, person_id=one.people.maker, now=NOW
    )
    return refund
