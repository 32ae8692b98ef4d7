"""What waits for the staff about money: each thing with its due date, its role and its maker."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import calendar
from contracts.calendar import Calendar
from contracts.money import Money
from exchange.console import money_queue, queue
from exchange.portal.language import Language
from settlement.timeline import rules as timeline
from tests.conftest import NOW
from tests.settlement import batches_factory, orders_factory, withholding_factory
from tests.settlement.bank_factory import files_of_a_bank
from tests.settlement.settlement_factory import invoiced

EN = Language("en")


@pytest.fixture(autouse=True)
def every_row_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests leave rows behind that wait too."""
    monkeypatch.setattr(money_queue, "MOST", 1_000_000)


async def told(session: AsyncSession, address: str, *, days: int = 0) -> list[dict[str, Any]]:
    found = await money_queue.waiting(session, EN, now=NOW + timedelta(days=days))
    return [one for one in found if one["address"] == address]


async def test_a_payment_file_and_a_release_wait_for_another_person(session: AsyncSession) -> None:
    made = await files_of_a_bank(session, now=NOW)
    (file,) = await told(session, f"/console/bank/files/{made['batch_id']}")
    assert (file["role"], file["due_on"], file["currency"]) == ("approver", NOW.date(), "SEK")
    assert file["maker"] is not None
    releases = await told(session, "/console/bank#releases")
    maker = "SELECT proposed_by FROM recon_match WHERE id = :id"
    who = await session.scalar(text(maker), {"id": made["release_id"]})
    assert who in {one["maker"] for one in releases}
    in_time = timeline.due_on(NOW, timeline.DECIDE_WITHIN_DAYS)
    assert {one["due_on"] for one in releases if one["maker"] == who} == {in_time}


async def test_batches_and_orders_wait_for_an_approver(session: AsyncSession) -> None:
    batch = await batches_factory.of_one(session, now=NOW)
    order = await orders_factory.of_one(session, now=NOW)
    for address in (
        f"/console/payout-batches/{batch['payout_batch_id']}",
        f"/console/ledger/orders/{order['order_id']}",
    ):
        (one,) = await told(session, address)
        assert one["role"] == "approver" and one["maker"] is not None


async def test_a_tax_to_be_remitted_is_told_by_its_name(session: AsyncSession) -> None:
    await withholding_factory.of_one(session, now=NOW)
    said = {one["whose"] for one in await told(session, "/console/remittances#dues")}
    assert f"VAT withheld · CN · {NOW:%Y-%m}" in said
    assert not any("withheld-" in one for one in said)


async def test_an_invoice_is_called_overdue_after_the_contracts_days_and_not_before(
    session: AsyncSession,
) -> None:
    trade = await invoiced(session, price=Money(1_000, "CNY"), now=NOW)
    where = f"/console/settlements/{trade.deal_id}"
    trade.invoice.due_at = NOW + timedelta(days=15)
    await session.flush()
    assert await told(session, where, days=15) == []
    (late,) = await told(session, where, days=16)
    assert late["due_on"] == calendar.day_of(NOW + timedelta(days=15))
    assert (late["role"], late["amount_minor"]) == ("operator", 1_000)


async def test_an_instruction_in_doubt_is_looked_up_by_people(session: AsyncSession) -> None:
    payout = await batches_factory.waiting(session, Money(900, "CNY"), now=NOW)
    doubt = (
        "INSERT INTO outbound (id, op, object_key, object_id, payload, payload_sha256, state, "
        "attempt, idem_key, tries, ever_unknown, next_at, created_at, last_sent_at) VALUES "
        "(gen_random_uuid(), 'account.create', :key, :id, '{}', repeat('a', 64), 'unknown', 1, "
        ":key, 3, true, now(), :at, :at)"
    )
    key = f"doubt:{payout.id}"
    await session.execute(text(doubt), {"key": key, "id": payout.id, "at": NOW})
    found = await told(session, "/console/settlements")
    (mine,) = [one for one in found if key in one["whose"]]
    assert (mine["role"], mine["since"]) == ("operator", NOW)


def test_staff_are_told_before_a_year_begins_whose_working_days_are_not_loaded() -> None:
    known = Calendar({2026: "notice"}, {})
    (told,) = queue.year_to_load(known, date(2026, 11, 1))
    assert (told["whose"], told["due_on"], told["role"]) == ("2027", date(2026, 12, 31), "operator")
    assert told["since"] == datetime(2026, 10, 31, 16, tzinfo=UTC)
    assert queue.year_to_load(known, date(2026, 10, 31)) == []
    both = Calendar({2026: "notice", 2027: "notice"}, {})
    assert queue.year_to_load(both, date(2026, 12, 31)) == []
