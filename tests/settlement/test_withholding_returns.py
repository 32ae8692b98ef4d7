"""What was withheld when money goes back: off what is remitted, or claimed of the authority."""

from collections.abc import Mapping
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from contracts import ids
from exchange.db import Database
from settlement.approvals.rules import ContentChanged
from settlement.ledger import queries as books
from settlement.recoveries import queries as recoveries
from settlement.recoveries import rules as taking
from settlement.recoveries.rules import Cause
from settlement.remittances import service as remitting
from settlement.remittances.rules import Group
from settlement.withholding import queries
from settlement.withholding.rules import CLAIMED, REVERSED
from settlement.withholding.tables import WithheldTax
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.bank_factory import staff as somebody
from tests.settlement.fake_stripe import FakeStripe
from tests.settlement.returns_factory import balances, disputed, paid_out, refunded, settle, staff
from tests.settlement.settlement_factory import Trade
from tests.settlement.test_refunds import bought
from tests.settlement.test_stripe_service import PRICE, deliver, event, payment
from tests.settlement.withholding_factory import (
    approved_remittance,
    authority,
    prepared_remittance,
    resident,
)

INCOME, VAT = "withheld-income", "withheld-vat"
PART = PRICE.amount_minor // 3


async def paid_abroad(db: Database) -> tuple[Trade, UUID, str, FakeStripe]:
    """A trade paid by card and paid out, whose first owner is abroad."""
    trade, payment_id, provider_id, gateway = await bought(db)
    async with db.transaction() as session:
        await resident(session, trade.owners[0].id, "US")
        await authority(session, "CNY")
    await paid_out(db, gateway, trade, await staff(db))
    await settle(db, gateway)
    return trade, payment_id, provider_id, gateway


async def withheld(db: Database, trade: Trade) -> Mapping[str, WithheldTax]:
    async with db.sessions() as session:
        return {
            row.tax: row
            for row in (await queries.of_deals(session, [trade.deal_id]))[trade.deal_id]
        }


async def back(db: Database, row: WithheldTax) -> dict[str, int]:
    """What went back of a withheld tax, by what became of it."""
    async with db.sessions() as session:
        rows = (await queries.returns(session, [row.id]))[row.id]
        assert await books.check(session) == []
    found: dict[str, int] = {}
    for one in rows:
        found[one.state] = found.get(one.state, 0) + one.amount_minor
    return found


async def test_a_refund_before_the_remittance_takes_the_withheld_tax_back(db: Database) -> None:
    trade, payment_id, _, gateway = await paid_abroad(db)
    rows = await withheld(db, trade)
    refund = await refunded(db, await payment(db, payment_id), PRICE.amount_minor, await staff(db))
    await settle(db, gateway)
    for row in rows.values():
        assert await back(db, row) == {REVERSED: row.amount_minor}
    left = await balances(db, trade)
    assert not [code for code in left if "tax:wht" in code or "recoverable" in code]
    async with db.sessions() as session:
        given = await recoveries.of_cause(session, Cause(taking.REFUND, refund.id))
    of_owner = next(one for one in given if one.payee_id == trade.owners[0].id)
    assert of_owner.withheld_minor == sum(row.amount_minor for row in rows.values())
    assert of_owner.state == "reversed"


async def test_a_refund_after_the_remittance_is_a_claim_on_the_authority(db: Database) -> None:
    trade, payment_id, _, gateway = await paid_abroad(db)
    rows = await withheld(db, trade)
    first = await refunded(db, await payment(db, payment_id), PART, await staff(db))
    await settle(db, gateway)
    async with db.transaction() as session:
        income = rows[INCOME]
        await approved_remittance(session, Group("CN", INCOME, "CNY", income.period))
    await refunded(db, await payment(db, payment_id), PRICE.amount_minor - PART, await staff(db))
    await settle(db, gateway)
    before, after = await back(db, income), await back(db, rows[VAT])
    assert before[REVERSED] + before[CLAIMED] == income.amount_minor
    assert before[CLAIMED] > before[REVERSED] > 0
    assert after == {REVERSED: rows[VAT].amount_minor}
    left = await balances(db, trade)
    assert left[f"recoverable:tax:CN/{INCOME}"] == before[CLAIMED]
    assert left[f"tax:wht:CN/{INCOME}"] == -before[CLAIMED]  # what this deal's rows remitted
    assert f"tax:wht:CN/{VAT}" not in left
    assert first.state in ("approved", "made")


async def test_a_refund_voids_a_remittance_that_waits_for_its_decision(db: Database) -> None:
    trade, payment_id, _, gateway = await paid_abroad(db)
    group = Group("CN", VAT, "CNY", (await withheld(db, trade))[VAT].period)
    async with db.transaction() as session:
        waiting = await prepared_remittance(session, group)
    await refunded(db, await payment(db, payment_id), PART, await staff(db))
    await settle(db, gateway)
    with pytest.raises(ContentChanged):
        async with db.transaction() as session:
            by = await decided(session, await somebody(session), waiting.content_sha256, now=NOW)
            await remitting.approve(session, waiting.id, decision=by, now=NOW)
    async with db.transaction() as session:
        by = await decided(session, await somebody(session), waiting.content_sha256, now=NOW)
        await remitting.refuse(session, waiting.id, decision=by, reason="a refund", now=NOW)
        again = await approved_remittance(session, group)
    assert again.amount_minor < waiting.amount_minor


async def test_a_lost_dispute_takes_withheld_taxes_back_too(db: Database) -> None:
    trade, _, provider_id, gateway = await paid_abroad(db)
    gateway.disputes[provider_id] = [disputed(provider_id, PRICE.amount_minor, "lost")]
    await deliver(db, event(provider_id, "charge.dispute.closed"))
    await settle(db, gateway)
    for row in (await withheld(db, trade)).values():
        assert await back(db, row) == {REVERSED: row.amount_minor}
    assert await balances(db, trade) == {"expense:psp-fees": 1_500, "psp:stripe:clearing": -1_500}


async def test_the_database_lets_no_more_go_back_than_was_withheld(db: Database) -> None:
    trade, _, _, _ = await paid_abroad(db)
    row = (await withheld(db, trade))[VAT]
    for amount, state in ((row.amount_minor + 1, REVERSED), (1, CLAIMED)):
        with pytest.raises(DBAPIError, match="does not go back so"):
            async with db.transaction() as session:
                await session.execute(
                    text(
                        "INSERT INTO withheld_return (id, withheld_id, cause, cause_id, "
                        "amount_minor, state, created_at) "
                        "VALUES (:id, :w, 'refund', :id, :amount, :state, now())"
                    ),
                    {"id": ids.new(NOW), "w": row.id, "amount": amount, "state": state},
                )
