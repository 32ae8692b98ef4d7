"""Trades whose money goes back: paid by card, paid out or not, refunded, disputed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import Money
from exchange.db import Database
from settlement.disputes import queries as disputes
from settlement.disputes import service as disputing
from settlement.disputes.rules import Movement, SeenDispute
from settlement.invoices.tables import Payment
from settlement.payouts import service as paying
from settlement.refunds import service as refunding
from settlement.refunds.rules import Ask
from settlement.refunds.tables import Refund
from settlement.stripe import service
from settlement.stripe.gateway import Gateway
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import person
from tests.settlement.approvals_factory import decided
from tests.settlement.fake_stripe import FakeStripe
from tests.settlement.settlement_factory import Trade, with_accounts

FEE = Money(1_500, "CNY")


@dataclass(frozen=True)
class Staff:
    """Two natural persons of the exchange; either may prepare, and the other decide."""

    maker: UUID
    checker: UUID


async def staff(db: Database) -> Staff:
    async with db.transaction() as session:
        home = await party(session, now=NOW)
        maker = await person(session, party_id=home.id, role="approver", now=NOW)
        checker = await person(session, party_id=home.id, role="approver", now=NOW)
        return Staff(maker.id, checker.id)


async def drain(db: Database, gateway: Gateway, now: datetime = NOW) -> None:
    while await service.send_due(db, gateway, now=now):
        pass


async def settle(db: Database, gateway: Gateway, now: datetime = NOW) -> None:
    """Send what is due and apply what is heard until nothing is left to do."""
    while await service.send_due(db, gateway, now=now) + await service.apply_due(
        db, gateway, now=now
    ):
        pass


async def paid_out(db: Database, gateway: FakeStripe, trade: Trade, people: Staff) -> UUID:
    async with db.transaction() as session:
        await with_accounts(session, trade, now=NOW)
        payout, _ = await paying.prepare(
            session, ids.new(NOW), deal_id=trade.deal_id, person_id=people.maker, now=NOW
        )
        decision = await decided(session, people.checker, payout.content_sha256, now=NOW)
        await paying.approve(session, payout.id, decision=decision, now=NOW)
    await drain(db, gateway)
    return payout.id


async def refunded(
    db: Database, payment: Payment, amount_minor: int, people: Staff, *, id: UUID | None = None
) -> Refund:
    """A refund that two people have prepared and approved."""
    ask = Ask(payment.id, Money(amount_minor, payment.currency), "rights withdrawn")
    async with db.transaction() as session:
        refund, _ = await refunding.prepare(
            session, id or ids.new(NOW), ask=ask, person_id=people.maker, now=NOW
        )
        decision = await decided(session, people.checker, refund.content_sha256, now=NOW)
        return await refunding.approve(session, refund.id, decision=decision, now=NOW)


async def of_a_payment(session: AsyncSession, payment_id: UUID, *, now: datetime) -> dict[str, str]:
    """A refund of a payment that waits for its decision, an inquiry about the payment, and an id
    for what would send the refund again.
    """
    home = await party(session, now=now)
    maker = await person(session, party_id=home.id, role="operator", now=now)
    ask = Ask(payment_id, Money(1, "CNY"), "rights withdrawn")
    refund, _ = await refunding.prepare(session, ids.new(now), ask=ask, person_id=maker.id, now=now)
    seen = disputed(payment_id.hex, 1, "warning_needs_response")
    await disputing.apply_seen(session, payment_id, seen, now=now)
    found = await disputes.find_open(session, payment_id)
    assert found is not None
    named = {"refund_id": str(refund.id), "dispute_id": str(found.id)}
    return {**named, "resend_id": str(ids.new(now))}


async def balances(db: Database, trade: Trade) -> Mapping[str, int]:
    """What stands on the accounts of a trade's parties, and what its journals did elsewhere."""
    names = {str(trade.buyer.id): "buyer"}
    names |= {str(owner.id): f"owner{number}" for number, owner in enumerate(trade.owners)}
    async with db.sessions() as session:
        rows = await session.execute(
            text(
                "SELECT a.code, sum(p.amount_minor) FROM ledger_posting p "
                "JOIN ledger_account a ON a.id = p.account_id "
                "JOIN ledger_journal j ON j.id = p.journal_id "
                "WHERE j.deal_id = :deal GROUP BY a.code HAVING sum(p.amount_minor) <> 0"
            ),
            {"deal": trade.deal_id},
        )
        found: dict[str, int] = {}
        for code, minor in rows:
            for party_id, name in names.items():
                code = code.replace(party_id, name)
            found[code.removesuffix(":CNY")] = int(minor)
    return found


def disputed(provider_id: str, amount_minor: int, status: str) -> SeenDispute:
    """A dispute as the provider shows it when it stands at this status."""
    drawn = Movement("txn_drawn", Money(-amount_minor, "CNY"), FEE)
    back = Movement("txn_back", Money(amount_minor, "CNY"), Money(0, "CNY"))
    movements = {"won": [drawn, back]}.get(status, [] if status.startswith("warning") else [drawn])
    return SeenDispute(
        provider_id=f"du_{provider_id}",
        status=status,
        amount=Money(amount_minor, "CNY"),
        reason="fraudulent",
        evidence_due_at=NOW,
        opened_at=NOW,
        movements=movements,
    )
