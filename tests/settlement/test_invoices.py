import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import Money
from contracts.refusal import IdReused, Unknown
from exchange.db import Database
from settlement.invoices import queries, rules, service
from settlement.invoices.rules import (
    FAILED,
    READY,
    REQUESTED,
    SUCCEEDED,
    InvoiceNotOpen,
    PaymentOpen,
    Seen,
)
from settlement.invoices.tables import Payment
from settlement.ledger import queries as books
from settlement.outbound import service as outbound
from settlement.outbound.tables import Outbound
from settlement.plans import queries as plans
from tests.conftest import NOW
from tests.settlement.settlement_factory import Trade, invoiced

PRICE = Money(120_000_001, "CNY")


async def asked(session: AsyncSession, trade: Trade, **change: Any) -> tuple[Payment, bool]:
    values: dict[str, Any] = {"payer_id": trade.buyer.id, "method": "card", "now": NOW}
    payment_id = change.pop("payment_id", None) or ids.new(NOW)
    return await service.request_payment(session, trade.invoice.id, payment_id, **values | change)


def shown(payment: Payment, state: str = SUCCEEDED, received: Money | None = PRICE) -> Seen:
    return Seen(
        provider_id=f"pi_{payment.id}",
        state=state,
        received=received if state == SUCCEEDED else None,
        charge_id=f"ch_{payment.id}" if state == SUCCEEDED else None,
        payment_id=payment.id,
    )


async def balances(session: AsyncSession, trade: Trade) -> dict[str, int]:
    """The sums of this deal's own postings."""
    sums: dict[str, int] = {}
    for journal in await books.journals_of_deal(session, trade.deal_id):
        for line in journal["lines"]:
            code = line["account"]
            sums[code] = sums.get(code, 0) + line["amount_minor"]
    return {code: total for code, total in sums.items() if total}


async def test_an_invoice_books_what_is_owed_and_what_it_will_become(
    session: AsyncSession,
) -> None:
    trade = await invoiced(session, price=PRICE, now=NOW)
    one, other = trade.owner_ids
    assert await balances(session, trade) == {
        f"receivable:{trade.buyer.id}:CNY": 120_000_001,
        "commission:CNY": -5_660_377,
        "tax:vat:output:CNY": -339_623,  # 6 % within the commission of 60,000.00
        f"payee:{one}:held:CNY": -79_800_001,
        f"payee:{other}:held:CNY": -34_200_000,
    }


async def test_a_settlement_has_one_invoice(session: AsyncSession) -> None:
    trade = await invoiced(session, price=PRICE, now=NOW)
    settlement = await plans.get_settlement(session, trade.deal_id)
    assert await service.issue(session, settlement, now=NOW) is trade.invoice


async def test_invoice_numbers_have_no_gap_though_some_issues_fail_and_many_run_at_once(
    db: Database,
) -> None:
    year = datetime(2091, 6, 1, tzinfo=UTC)  # a year of this test's own

    async def issue(number: int) -> str | None:
        try:
            async with db.transaction() as session:
                trade = await invoiced(session, price=PRICE, now=year)
                if number % 3 == 0:
                    raise ValueError("the transaction fails after the number was taken")
                return trade.invoice.number
        except ValueError:
            return None

    issued = await asyncio.gather(*(issue(number) for number in range(9)))
    numbers = sorted(number for number in issued if number)
    assert numbers == [f"UHDX-2091-{count:06d}" for count in range(1, 7)]


async def test_the_year_of_a_number_turns_at_midnight_in_beijing(session: AsyncSession) -> None:
    last = datetime(2092, 12, 31, 16, 0, tzinfo=UTC)
    trade = await invoiced(session, price=PRICE, now=last)
    assert trade.invoice.number == "UHDX-2093-000001"


async def test_a_payment_is_of_the_whole_invoice_and_is_asked_for_once(
    session: AsyncSession,
) -> None:
    trade = await invoiced(session, price=PRICE, now=NOW)
    payment, new = await asked(session, trade)
    again, second = await asked(session, trade, payment_id=payment.id)
    assert (new, second, again) == (True, False, payment)
    assert (payment.amount_minor, payment.currency) == (120_000_001, "CNY")


async def test_anothers_invoice_is_unknown(session: AsyncSession) -> None:
    trade = await invoiced(session, price=PRICE, now=NOW)
    with pytest.raises(Unknown):
        await asked(session, trade, payer_id=trade.owner_ids[0])
    with pytest.raises(Unknown):
        await queries.get_invoice_of(session, trade.invoice.id, payer_id=trade.owner_ids[0])


async def test_a_second_payment_while_one_is_open_is_refused(session: AsyncSession) -> None:
    trade = await invoiced(session, price=PRICE, now=NOW)
    first, _ = await asked(session, trade)
    with pytest.raises(PaymentOpen) as refused:
        await asked(session, trade)
    assert refused.value.data == {"payment": str(first.id)}


async def test_the_database_holds_one_open_payment_too(session: AsyncSession) -> None:
    trade = await invoiced(session, price=PRICE, now=NOW)
    first, _ = await asked(session, trade)
    session.add(Payment(**{**first.model_dump(), "id": ids.new(NOW)}))
    with pytest.raises(IntegrityError, match="ix_payment_one_open"):
        await session.flush()


async def test_a_failed_payment_makes_room_for_another(session: AsyncSession) -> None:
    trade = await invoiced(session, price=PRICE, now=NOW)
    first, _ = await asked(session, trade)
    await service.payment_failed(session, first.id, now=NOW)
    second, new = await asked(session, trade)
    assert (first.state, second.state, new) == (FAILED, rules.REQUESTED, True)


async def test_the_id_of_a_payment_of_another_invoice_is_refused(session: AsyncSession) -> None:
    trade = await invoiced(session, price=PRICE, now=NOW)
    other = await invoiced(session, price=PRICE, now=NOW)
    payment, _ = await asked(session, trade)
    with pytest.raises(IdReused):
        await asked(session, other, payment_id=payment.id)


async def test_a_paid_invoice_takes_no_payment(session: AsyncSession) -> None:
    trade = await invoiced(session, price=PRICE, now=NOW)
    payment, _ = await asked(session, trade)
    await service.apply_seen(session, shown(payment), now=NOW)
    with pytest.raises(InvoiceNotOpen):
        await asked(session, trade)


async def test_money_received_pays_the_invoice_and_makes_the_shares_due(
    session: AsyncSession,
) -> None:
    trade = await invoiced(session, price=PRICE, now=NOW)
    payment, _ = await asked(session, trade)
    await service.apply_seen(session, shown(payment), now=NOW)
    one, other = trade.owner_ids
    assert await balances(session, trade) == {
        "psp:stripe:clearing:CNY": 120_000_001,
        "commission:CNY": -5_660_377,
        "tax:vat:output:CNY": -339_623,  # 6 % within the commission of 60,000.00
        f"payee:{one}:due:CNY": -79_800_001,
        f"payee:{other}:due:CNY": -34_200_000,
    }
    settlement = await plans.get_settlement(session, trade.deal_id)
    assert (trade.invoice.state, settlement.state) == ("paid", "funded")
    source = await queries.source_of_deal(session, trade.deal_id)
    assert source == (f"ch_{payment.id}", False)


async def test_whatever_order_and_number_of_looks_the_effect_is_one(
    session: AsyncSession,
) -> None:
    trade = await invoiced(session, price=PRICE, now=NOW)
    payment, _ = await asked(session, trade)
    looks = [shown(payment, READY), shown(payment), shown(payment, FAILED), shown(payment)] * 3
    random.Random(7).shuffle(looks)
    for look in looks:
        await service.apply_seen(session, look, now=NOW)
    kinds = [one["kind"] for one in await books.journals_of_deal(session, trade.deal_id)]
    assert kinds == ["invoice.issued", "payment.received"]
    assert payment.state == SUCCEEDED


@pytest.mark.parametrize(
    "received",
    [Money(120_000_000, "CNY"), Money(120_000_002, "CNY"), Money(120_000_001, "USD")],
)
async def test_money_that_is_not_what_was_owed_is_held_in_suspense(
    session: AsyncSession, received: Money
) -> None:
    trade = await invoiced(session, price=PRICE, now=NOW)
    payment, _ = await asked(session, trade)
    await service.apply_seen(session, shown(payment, received=received), now=NOW)
    held = await balances(session, trade)
    assert held[f"suspense:psp:{received.currency}"] == -received.amount_minor
    assert held[f"receivable:{trade.buyer.id}:CNY"] == 120_000_001
    assert trade.invoice.state == "issued"


async def test_a_payment_that_comes_back_to_life_after_another_paid_is_held_in_suspense(
    session: AsyncSession,
) -> None:
    trade = await invoiced(session, price=PRICE, now=NOW)
    first, _ = await asked(session, trade)
    await service.payment_failed(session, first.id, now=NOW)
    second, _ = await asked(session, trade)
    await service.apply_seen(session, shown(second), now=NOW)
    await service.apply_seen(session, shown(first), now=NOW)
    held = await balances(session, trade)
    assert held["suspense:psp:CNY"] == -PRICE.amount_minor
    assert (trade.invoice.state, trade.invoice.paid_by) == ("paid", second.id)
    charge, _ = await queries.source_of_deal(session, trade.invoice.deal_id)
    assert charge == second.charge_id != first.charge_id


async def test_a_payment_that_is_none_of_ours_is_left_alone(session: AsyncSession) -> None:
    stranger = Seen("pi_stranger", SUCCEEDED, PRICE, "ch_stranger", None)
    assert await service.apply_seen(session, stranger, now=NOW) is None


async def test_an_answer_that_comes_after_the_news_brings_the_secret_and_no_more(
    session: AsyncSession,
) -> None:
    trade = await invoiced(session, price=PRICE, now=NOW)
    payment, _ = await asked(session, trade)
    await service.apply_seen(session, shown(payment), now=NOW)
    await service.payment_ready(
        session, payment.id, provider_id=f"pi_{payment.id}", client_secret="s", now=NOW
    )
    assert (payment.state, payment.client_secret) == (SUCCEEDED, "s")


async def test_the_request_is_written_down_before_anybody_calls(session: AsyncSession) -> None:
    trade = await invoiced(session, price=PRICE, now=NOW)
    payment, _ = await asked(session, trade)
    rows = await session.run_sync(
        lambda sync: sync.query(Outbound).filter_by(object_id=payment.id).all()
    )
    assert [(row.state, row.object_key) for row in rows] == [("intent", f"payment:{payment.id}")]
    claimed = None
    while claimed is None or claimed.id != rows[0].id:
        claimed = await outbound.claim(session, now=NOW + timedelta(seconds=1))
        assert claimed is not None
    assert claimed.params["amount"] == 120_000_001
    assert claimed.params["currency"] == "cny"
    assert claimed.params["metadata"]["intent_id"] == str(rows[0].id)


def test_a_payment_without_news_is_looked_at_less_and_less_often() -> None:
    waits = [rules.next_check_s(checks) for checks in range(20)]
    assert waits[:3] == [30, 60, 120]
    assert waits[-1] == 6 * 3600


async def test_news_that_overtakes_the_answer_makes_no_payment_ready_without_its_secret(
    session: AsyncSession,
) -> None:
    trade = await invoiced(session, price=PRICE, now=NOW)
    payment, _ = await asked(session, trade)
    await service.apply_seen(session, shown(payment, READY), now=NOW)
    assert payment.state == REQUESTED
    await service.payment_ready(
        session, payment.id, provider_id=f"pi_{payment.id}", client_secret="s", now=NOW
    )
    assert (payment.state, payment.client_secret) == (READY, "s")
