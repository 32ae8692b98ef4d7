"""The bank rail: statements imported, wires matched, payment files made and paid."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from settlement.approvals.rules import Decision
from settlement.bank import queries as bank_queries
from settlement.bank import service as files
from settlement.bank.rules import (
    BatchChanged,
    BatchDecided,
    BatchEmpty,
    BatchSamePerson,
    OwnAccountUnknown,
    StatementGap,
    StatementIdReused,
    StatementUnbalanced,
)
from settlement.bank.tables import PaymentItem
from settlement.invoices.tables import Invoice
from settlement.ledger import queries as books
from settlement.payees.rules import (
    COOLING_OFF,
)
from settlement.payouts import queries as payout_queries
from settlement.payouts.rules import PayoutAccountMissing
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.bank_desk import (
    PRICE,
    agrees,
    bank_of,
    items_of,
    paid_by_wire,
    rules_of,
    state_of,
)
from tests.settlement.bank_factory import (
    Bank,
    approved_file,
    approved_payout,
    closed,
    followed,
    iban,
    imported,
    prepared_file,
    staff,
    suspended,
    wired,
    with_bank_account,
)
from tests.settlement.settlement_factory import invoiced

# Money in.


async def test_a_wire_that_names_its_invoice_pays_it(session: AsyncSession) -> None:
    bank = await bank_of(session)
    trade = await wired(session, bank, PRICE)
    assert await state_of(session, trade) == "funded"
    assert (await session.get_one(Invoice, trade.invoice.id)).state == "paid"
    assert await rules_of(session, bank.account) == ["invoice-number"]
    assert await suspended(session, bank.account) == []
    assert await agrees(session, bank.account)


async def test_a_wire_of_another_amount_waits_in_suspense_with_owner_and_deadline(
    session: AsyncSession,
) -> None:
    bank = await bank_of(session)
    trade = await invoiced(session, price=PRICE, now=NOW)
    bank.line(PRICE.amount_minor - 1, text=trade.invoice.number)
    await closed(session, bank, since=0)
    (item,) = await suspended(session, bank.account)
    assert item.amount_minor == PRICE.amount_minor - 1
    assert item.owner_id is not None
    assert item.due_on > item.opened_at.date()
    assert await state_of(session, trade) == "awaiting_payment"
    assert await agrees(session, bank.account)


async def test_two_wires_naming_one_invoice_pay_it_once(session: AsyncSession) -> None:
    bank = await bank_of(session)
    trade = await invoiced(session, price=PRICE, now=NOW)
    bank.line(PRICE.amount_minor, text=trade.invoice.number)
    bank.line(PRICE.amount_minor, text=trade.invoice.number)
    done = await closed(session, bank, since=0)
    assert (done.matched, done.suspended) == (1, 1)
    assert await agrees(session, bank.account)


# Imports.


async def test_the_same_file_again_changes_nothing(session: AsyncSession) -> None:
    bank = await bank_of(session)
    bank.line(500)
    raw = bank.statement(0)
    first, again = await imported(session, raw), await imported(session, raw)
    assert (len(first.kept.new), len(again.kept.new)) == (1, 0)
    assert [one.id for one in again.kept.statements] == [one.id for one in first.kept.statements]
    twice = raw.replace(b"<Document", b" <Document")
    assert len((await imported(session, twice)).kept.new) == 0
    assert len(await suspended(session, bank.account)) == 1


async def test_a_statement_id_with_other_content_stops_the_import(session: AsyncSession) -> None:
    bank = await bank_of(session)
    bank.line(500, text="one")
    raw = bank.statement(0)
    await imported(session, raw)
    with pytest.raises(StatementIdReused):
        await imported(session, raw.replace(b"one", b"two"))


async def test_a_statement_that_does_not_open_with_the_last_closing_stops_the_import(
    session: AsyncSession,
) -> None:
    bank = await bank_of(session)
    bank.line(500)
    await closed(session, bank, since=0)
    bank.line(100)
    lost = bank.statement(500)
    bank.line(50)
    with pytest.raises(StatementGap) as refused:
        await closed(session, bank, since=600)
    assert refused.value.data["expected_minor"] == 500
    bank.number -= 1
    await imported(session, lost)
    assert await agrees(session, bank.account)


async def test_an_account_that_is_not_followed_and_a_sum_that_is_wrong_book_nothing(
    session: AsyncSession,
) -> None:
    bank = await bank_of(session)
    bank.line(500)
    with pytest.raises(StatementUnbalanced):
        await closed(session, bank, since=1)
    bank.line(500)
    raw = bank.statement(500).replace(bank.account.number.encode(), iban().encode())
    with pytest.raises(OwnAccountUnknown):
        await imported(session, raw)
    assert await suspended(session, bank.account) == []


async def test_what_lay_in_an_account_before_is_suspended_until_it_is_explained(
    session: AsyncSession,
) -> None:
    bank = Bank(await followed(session), balance_minor=7_700)
    await closed(session, bank, since=7_700)
    (item,) = await suspended(session, bank.account)
    assert (item.cause, item.amount_minor) == ("opening", 7_700)
    assert await agrees(session, bank.account)


async def test_the_record_of_the_bank_cannot_be_rewritten(session: AsyncSession) -> None:
    bank = await bank_of(session)
    bank.line(500)
    await closed(session, bank, since=0)
    for attack in (
        "UPDATE bank_entry SET amount_minor = 1", "DELETE FROM bank_statement",
        "UPDATE bank_file SET sha256 = repeat('0', 64)", "DELETE FROM recon_side",
        "TRUNCATE bank_entry CASCADE",
    ):  # fmt: skip
        with pytest.raises(DBAPIError, match=r"only ever added to|permission denied"):
            async with session.begin_nested():
                await session.execute(text(attack))


# Money out.


async def test_a_payout_goes_from_the_wire_to_the_payees_accounts(session: AsyncSession) -> None:
    bank = await bank_of(session)
    trade, payout = await paid_by_wire(session, bank)
    batch = await approved_file(session, bank.account)
    raw = await files.give(session, batch.id, now=NOW)
    before = bank.balance_minor
    for item in await items_of(session, payout):
        assert item.end_to_end_id.encode() in raw
        bank.line(-item.amount_minor, ref=item.end_to_end_id)
    done = await closed(session, bank, since=before)
    assert (done.matched, done.suspended) == (2, 0)
    assert await state_of(session, trade) == "paid_out"
    assert (await bank_queries.get_batch(session, batch.id)).state == "settled"
    assert await rules_of(session, bank.account) == ["end-to-end", "end-to-end", "invoice-number"]
    assert await agrees(session, bank.account)
    assert await books.check(session) == []


async def test_a_batch_booked_in_one_line_pays_each_of_its_items(session: AsyncSession) -> None:
    bank = await bank_of(session)
    trade, _ = await paid_by_wire(session, bank)
    batch = await approved_file(session, bank.account)
    before = bank.balance_minor
    bank.line(-batch.sum_minor, batch=batch.message_id)
    await closed(session, bank, since=before)
    assert await state_of(session, trade) == "paid_out"
    assert "batch-id" in await rules_of(session, bank.account)
    assert await agrees(session, bank.account)


async def test_a_notification_books_nothing_but_tells_the_banks_reference(
    session: AsyncSession,
) -> None:
    bank = await bank_of(session)
    trade, payout = await paid_by_wire(session, bank)
    await approved_file(session, bank.account)
    before = bank.balance_minor
    items = await items_of(session, payout)
    for number, item in enumerate(items):
        bank.line(-item.amount_minor, ref=item.end_to_end_id, AcctSvcrRef=f"{item.id}:{number}")
    await imported(session, bank.notification())
    assert await state_of(session, trade) == "paying"
    bank.lines, bank.balance_minor = [], before
    for number, item in enumerate(items):
        bank.line(-item.amount_minor, AcctSvcrRef=f"{item.id}:{number}")
    await closed(session, bank, since=before)
    assert await state_of(session, trade) == "paid_out"
    assert (await rules_of(session, bank.account)).count("provider-id") == 2


async def test_a_payment_that_comes_back_reverses_exactly_one_item(session: AsyncSession) -> None:
    bank = await bank_of(session)
    trade, payout = await paid_by_wire(session, bank)
    batch = await approved_file(session, bank.account)
    before = bank.balance_minor
    small, large = await items_of(session, payout)
    for item in (small, large):
        bank.line(-item.amount_minor, ref=item.end_to_end_id)
    bank.line(small.amount_minor, ref=small.end_to_end_id, back="AC04")
    await closed(session, bank, since=before)
    assert [(one.state, one.return_reason) for one in await items_of(session, payout)] == [
        ("returned", "AC04"),
        ("paid", None),
    ]
    assert (await bank_queries.get_batch(session, batch.id)).state == "settled"
    with pytest.raises(BatchEmpty) as refused:  # the account it came back from is not paid again
        await prepared_file(session, bank.account)
    assert str(small.party_id) in refused.value.data["left_out"]
    await with_bank_account(session, small.party_id)
    later = NOW + COOLING_OFF
    again = await approved_file(session, bank.account, now=later)
    (second,) = await bank_queries.items(session, again.id)
    before = bank.balance_minor
    bank.line(-second.amount_minor, ref=second.end_to_end_id)
    await closed(session, bank, since=before)
    assert await state_of(session, trade) == "paid_out"
    assert await agrees(session, bank.account)
    lines = [
        line
        for journal in await books.journals_of_deal(session, trade.deal_id)
        for line in journal["lines"]
    ]
    left = {
        code: sum(line["amount_minor"] for line in lines if line["account"] == code)
        for code in {line["account"] for line in lines if "in-transit" in line["account"]}
    }
    assert set(left.values()) == {0}


async def test_who_prepared_a_payment_file_may_not_approve_it(session: AsyncSession) -> None:
    bank = await bank_of(session)
    await paid_by_wire(session, bank)
    batch = await prepared_file(session, bank.account)
    with pytest.raises(BatchDecided):
        await files.give(session, batch.id, now=NOW)
    own = await decided(session, batch.prepared_by, batch.sha256, now=NOW)
    with pytest.raises(BatchSamePerson):
        await files.approve(session, batch.id, decision=own, now=NOW)
    other = await decided(session, await staff(session), "0" * 64, now=NOW)
    with pytest.raises(BatchChanged):
        await files.approve(session, batch.id, decision=other, now=NOW)
    for attack, why in (
        ("state = 'approved', decided_by = prepared_by, decided_at = now()", "is not decided by"),
        ("document = 'x'", "never changes"),
    ):
        with pytest.raises(DBAPIError, match=why):
            async with session.begin_nested():
                await session.execute(
                    text(f"UPDATE payment_batch SET {attack} WHERE id = :id"),
                    {"id": batch.id},
                )


async def test_an_item_is_in_one_file_until_that_is_refused(session: AsyncSession) -> None:
    bank = await bank_of(session)
    _, payout = await paid_by_wire(session, bank)
    batch = await prepared_file(session, bank.account)
    with pytest.raises(BatchEmpty):
        await prepared_file(session, bank.account)
    item = (await items_of(session, payout))[0]
    with pytest.raises(DBAPIError, match="ix_payment_item_in_one_file"):
        async with session.begin_nested():
            values = item.model_dump() | {"id": ids.new(NOW), "end_to_end_id": "P" * 16}
            session.add(PaymentItem(**values))
            await session.flush()
    decision = Decision(await staff(session), batch.sha256)
    await files.refuse(session, batch.id, decision=decision, reason="Wrong day.", now=NOW)
    assert (await prepared_file(session, bank.account)).items == 2


async def test_an_account_changed_after_the_file_was_made_voids_it(session: AsyncSession) -> None:
    bank = await bank_of(session)
    trade, _ = await paid_by_wire(session, bank)
    batch = await prepared_file(session, bank.account)
    await with_bank_account(session, trade.owner_ids[0])
    decision = await decided(session, await staff(session), batch.sha256, now=NOW)
    with pytest.raises(BatchChanged) as refused:
        await files.approve(session, batch.id, decision=decision, now=NOW)
    assert refused.value.data["parties"] == [str(trade.owner_ids[0])]


async def test_a_deal_paid_by_wire_waits_for_accounts_at_banks(session: AsyncSession) -> None:
    bank = await bank_of(session)
    trade = await wired(session, bank, PRICE)
    with pytest.raises(PayoutAccountMissing) as refused:
        await approved_payout(session, trade)
    assert refused.value.data["parties"] == sorted(map(str, trade.owner_ids))


async def test_no_payment_provider_is_asked_for_what_a_bank_pays(session: AsyncSession) -> None:
    bank = await bank_of(session)
    _, payout = await paid_by_wire(session, bank)
    transfers = await payout_queries.transfers(session, payout.id)
    assert {one.intent_id for one in transfers} == {None}
    assert all(one.account.startswith("iban:") for one in transfers)
