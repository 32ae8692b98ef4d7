"""Fapiao of the commission: the exchange sells, the licensor buys, and what went back is red."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts import ids
from contracts.money import Money
from contracts.parties.rules import EXCHANGE_PARTY_ID
from exchange.db import Database
from settlement.disputes import queries as disputes
from settlement.fapiao import commission, queries, service
from settlement.fapiao.rules import (
    COMMISSION,
    NONE_NEEDED,
    Details,
    FapiaoDetailsMissing,
    FapiaoExists,
    FapiaoNothingLeft,
    FapiaoNotRed,
)
from settlement.fapiao.tables import Fapiao
from settlement.invoices import service as invoicing
from settlement.plans import queries as plans
from settlement.plans import service as planning
from settlement.plans.rules import SERVICE_FEE, Part
from settlement.plans.tables import Settlement
from settlement.redletters import queries as red_letters
from tests.conftest import NOW
from tests.settlement.fake_stripe import FakeStripe
from tests.settlement.fapiao_factory import DETAILS, asked, clerk, number
from tests.settlement.redletters_factory import asked as red_asked
from tests.settlement.redletters_factory import issued as red_issued
from tests.settlement.returns_factory import disputed, refunded, settle, staff
from tests.settlement.settlement_factory import Trade
from tests.settlement.test_refunds import bought
from tests.settlement.test_stripe_service import PRICE, deliver, event, payment

OURS = Details("示范交易所", "91110000600037341L")
PART = PRICE.amount_minor // 3


async def asked_of_fee(db: Database, trade: Trade, *, type: str = "82") -> Fapiao:
    """The fapiao of a trade's commission, asked for; both sides have said their tax ids."""
    async with db.transaction() as session:
        who = await clerk(session, now=NOW)
        for party_id, said in ((EXCHANGE_PARTY_ID, OURS), (trade.owners[0].id, DETAILS)):
            await service.say_details(session, party_id, details=said, person_id=who, now=NOW)
        row, _ = await commission.ask(
            session, ids.new(NOW), invoice_id=trade.invoice.id, type=type, person_id=who, now=NOW
        )
        return row


async def issued(db: Database, row: Fapiao) -> Fapiao:
    async with db.transaction() as session:
        who = await clerk(session, now=NOW)
        return await service.record(
            session, row.id, number=number(), issued_on=NOW.date(), person_id=who, now=NOW
        )


async def red_of(db: Database, trade: Trade, *, of_dispute: bool = False) -> Fapiao:
    """The red fapiao of the commission in a trade's red letter of a refund, or of a dispute."""
    async with db.transaction() as session:
        letters = await red_letters.of_invoice(session, trade.invoice.id)
        (letter,) = [one for one in letters if (one.dispute_id is not None) == of_dispute]
        row, _ = await commission.ask_red(
            session, ids.new(NOW), red_letter_id=letter.id, confirmation=NONE_NEEDED,
            person_id=await clerk(session, now=NOW), now=NOW,
        )  # fmt: skip
        return row


async def fee_minor(db: Database, trade: Trade) -> int:
    async with db.sessions() as session:
        line = (await plans.lines(session, trade.deal_id))[0]
    assert line.kind == COMMISSION
    return line.amount_minor


async def half_back(db: Database, trade: Trade, gateway: FakeStripe, payment_id: UUID) -> None:
    """A third of the price refunded, with its red letter."""
    people = await staff(db)
    refund = await refunded(db, await payment(db, payment_id), PART, people)
    await settle(db, gateway)
    await red_issued(db, red_asked(trade.invoice.id, PART, refund_id=refund.id), people)


async def test_the_exchange_sells_its_commission_to_the_licensor(db: Database) -> None:
    trade, _, _, _ = await bought(db)
    row = await asked_of_fee(db, trade)
    said = queries.document_of(row)
    assert (row.total_minor, row.tax_minor) == (
        await fee_minor(db, trade), trade.invoice.fee_tax_minor,
    )  # fmt: skip
    assert (row.seller_id, row.buyer_id) == (EXCHANGE_PARTY_ID, trade.owners[0].id)
    assert said["seller"] == {"name": OURS.title, "tax_id": OURS.tax_id}
    assert said["buyer"]["tax_id"] == DETAILS.tax_id
    assert said["lines"][0]["item"].startswith("*经纪代理服务*")
    with pytest.raises(FapiaoExists):
        await asked_of_fee(db, trade)
    async with db.transaction() as session:  # the price has its own beside it
        who = await clerk(session, now=NOW)
        await asked(session, trade.invoice.id, person_id=who, now=NOW)


async def test_it_waits_until_both_have_said_their_tax_ids(db: Database) -> None:
    trade, _, _, _ = await bought(db)
    with pytest.raises(FapiaoDetailsMissing):
        async with db.transaction() as session:
            await commission.ask(
                session, ids.new(NOW), invoice_id=trade.invoice.id, type="82",
                person_id=await clerk(session, now=NOW), now=NOW,
            )  # fmt: skip


async def test_what_went_back_before_is_off_it_and_not_red(db: Database) -> None:
    trade, payment_id, _, gateway = await bought(db)
    await half_back(db, trade, gateway, payment_id)
    row = await issued(db, await asked_of_fee(db, trade))
    assert 0 < row.total_minor < await fee_minor(db, trade)
    with pytest.raises(FapiaoNotRed):
        await red_of(db, trade)


async def test_reds_together_are_the_blue_and_its_tax(db: Database) -> None:
    trade, payment_id, provider_id, gateway = await bought(db)
    blue = await issued(db, await asked_of_fee(db, trade))
    await half_back(db, trade, gateway, payment_id)
    first = await red_of(db, trade)
    gateway.disputes[provider_id] = [disputed(provider_id, PRICE.amount_minor - PART, "lost")]
    await deliver(db, event(provider_id, "charge.dispute.closed"))
    await settle(db, gateway, NOW + timedelta(hours=1))
    second = await red_of(db, trade, of_dispute=True)
    assert first.total_minor + second.total_minor == blue.total_minor
    assert first.tax_minor + second.tax_minor == blue.tax_minor
    async with db.sessions() as session:
        assert len(await disputes.of_deal(session, trade.deal_id)) == 1
    with pytest.raises(FapiaoExists):
        await red_of(db, trade, of_dispute=True)
    assert Money(second.total_minor, "CNY").amount_minor > 0


async def test_nothing_is_left_of_a_commission_that_went_back(db: Database) -> None:
    trade, payment_id, _, gateway = await bought(db)
    await refunded(db, await payment(db, payment_id), PRICE.amount_minor, await staff(db))
    await settle(db, gateway)
    with pytest.raises(FapiaoNothingLeft):
        await asked_of_fee(db, trade)


async def test_a_fee_beside_the_price_is_sold_to_the_licensee(db: Database) -> None:
    trade, _, _, _ = await bought(db)
    fee = Money(60_000, "CNY")
    async with db.transaction() as session:
        first = await plans.get_settlement(session, trade.deal_id)
        (line, *_) = await plans.lines(session, trade.deal_id)
        beside = Settlement(
            **first.model_dump(exclude={"deal_id", "of_deal", "kind", "gross_minor", "state"}),
            deal_id=ids.new(NOW), of_deal=trade.deal_id, kind=SERVICE_FEE,
            gross_minor=fee.amount_minor, state="awaiting_payment",
        )  # fmt: skip
        part = Part(line.payee_id, COMMISSION, fee.amount_minor, 10_000, fee, "fee (服务费)")
        await planning.add(session, beside, [part])
        invoice = await invoicing.issue(session, beside, now=NOW)
        who = await clerk(session, now=NOW)
        for party_id, said in ((EXCHANGE_PARTY_ID, OURS), (trade.buyer.id, DETAILS)):
            await service.say_details(session, party_id, details=said, person_id=who, now=NOW)
        more: Any = {"invoice_id": invoice.id, "type": "82", "person_id": who, "now": NOW}
        row, _ = await commission.ask(session, ids.new(NOW), **more)
        with pytest.raises(FapiaoNothingLeft):
            await service.ask(session, ids.new(NOW), **more)
    assert (row.buyer_id, row.total_minor) == (trade.buyer.id, fee.amount_minor)
