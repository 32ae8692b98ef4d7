"""The bank rail: payees' accounts, payment files, statements, matches and suspended money."""

from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import ids
from contracts.money import Money
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
from settlement.bank.tables import BankAccount, BankEntry, PaymentItem
from settlement.invoices.tables import Invoice
from settlement.ledger import queries as books
from settlement.payees.rules import (
    COOLING_OFF,
)
from settlement.payouts import queries as payout_queries
from settlement.payouts.rules import PayoutAccountMissing
from settlement.payouts.tables import Payout
from settlement.plans import queries as plans
from settlement.reconciliation import queries, releasing
from settlement.reconciliation.rules import (
    Part,
    ReleaseChanged,
    ReleaseDecided,
    ReleaseSamePerson,
    SuspenseNotOpen,
    SuspenseUneven,
)
from settlement.reconciliation.tables import ReconMatch, ReconSide, SuspenseItem
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
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
from tests.settlement.settlement_factory import Trade, invoiced

PRICE = Money(1_000_000, "EUR")


async def bank_of(session: AsyncSession) -> Bank:
    return Bank(await followed(session))


async def paid_by_wire(session: AsyncSession, bank: Bank) -> tuple[Trade, Payout]:
    """A deal paid by wire whose payout was approved."""
    trade = await wired(session, bank, PRICE)
    for owner in trade.owners:
        await with_bank_account(session, owner.id)
    return trade, await approved_payout(session, trade)


async def items_of(session: AsyncSession, payout: Payout) -> list[PaymentItem]:
    wanted = select(PaymentItem).where(col(PaymentItem.payout_id) == payout.id)
    return list(await session.scalars(wanted.order_by(col(PaymentItem.amount_minor))))


async def rules_of(session: AsyncSession, account: BankAccount) -> list[str]:
    wanted = select(ReconMatch.rule).where(col(ReconMatch.account_id) == account.id)
    return sorted(await session.scalars(wanted))


async def state_of(session: AsyncSession, trade: Trade) -> str:
    return (await plans.get_settlement(session, trade.deal_id)).state


async def agrees(session: AsyncSession, account: BankAccount) -> bool:
    """The ledger mirrors the bank, and every suspended cent has a name."""
    await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    await session.execute(text("SET CONSTRAINTS ALL DEFERRED"))
    here = await queries.position(session, account)
    named = sum(item.amount_minor for item in await suspended(session, account))
    left = await queries.unexplained(session, account.currency)
    return (here.difference_minor, here.suspended_minor, left) == (0, named, 0)


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
                    text(f"UPDATE payment_batch SET {attack} WHERE id = :id"),  # noqa: S608 - our own words.
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


# Suspended money.


async def short_wire(session: AsyncSession, *parts: int) -> tuple[Bank, Trade, list[SuspenseItem]]:
    """A trade, and wires that do not name it."""
    bank = await bank_of(session)
    trade = await invoiced(session, price=PRICE, now=NOW)
    for part in parts:
        bank.line(part, text="our film")
    await closed(session, bank, since=0)
    return bank, trade, await suspended(session, bank.account)


async def proposed(
    session: AsyncSession, items: list[SuspenseItem], parts: list[Part]
) -> ReconMatch:
    release, _ = await releasing.propose(
        session, ids.new(NOW), items=[item.id for item in items], parts=parts,
        person_id=await staff(session), now=NOW,
    )  # fmt: skip
    return release


async def approve(session: AsyncSession, release: ReconMatch) -> ReconMatch:
    decision = await decided(session, await staff(session), release.sha256, now=NOW)
    return await releasing.approve(session, release.id, decision=decision, now=NOW)


async def test_two_wires_and_the_banks_fee_pay_an_invoice_once_two_people_say_so(
    session: AsyncSession,
) -> None:
    bank, trade, items = await short_wire(session, 600_000, 398_500)
    parts = [
        Part("invoice", str(trade.invoice.id), PRICE.amount_minor),
        Part("account", "bank-fees", -1_500),
    ]
    release = await proposed(session, items, parts)
    assert release.proposed_by is not None
    own = await decided(session, release.proposed_by, release.sha256, now=NOW)
    with pytest.raises(ReleaseSamePerson):
        await releasing.approve(session, release.id, decision=own, now=NOW)
    with pytest.raises(SuspenseNotOpen):
        await proposed(session, items, parts)
    await approve(session, release)
    assert await state_of(session, trade) == "funded"
    assert await suspended(session, bank.account) == []
    assert await agrees(session, bank.account)
    assert await books.check(session) == []
    sides = (await queries.sides(session, [release.id]))[release.id]
    assert [(one.side, one.kind, one.amount_minor) for one in sides][2:] == [
        ("book", "invoice", PRICE.amount_minor),
        ("book", "account", -1_500),
    ]
    with pytest.raises(ReleaseDecided):
        await approve(session, release)


async def test_a_release_leaves_no_cent_over(session: AsyncSession) -> None:
    _, trade, items = await short_wire(session, PRICE.amount_minor - 1)
    with pytest.raises(SuspenseUneven) as refused:
        await proposed(session, items, [Part("invoice", str(trade.invoice.id), PRICE.amount_minor)])
    assert refused.value.data["difference_minor"] == -1


async def test_a_release_for_an_invoice_paid_meanwhile_is_void(session: AsyncSession) -> None:
    bank, trade, items = await short_wire(session, PRICE.amount_minor)
    release = await proposed(
        session, items, [Part("invoice", str(trade.invoice.id), PRICE.amount_minor)]
    )
    before = bank.balance_minor
    bank.line(PRICE.amount_minor, text=trade.invoice.number)
    await closed(session, bank, since=before)
    with pytest.raises(ReleaseChanged):
        await approve(session, release)
    decision = Decision(await staff(session), release.sha256)
    await releasing.refuse(session, release.id, decision=decision, reason="Paid.", now=NOW)
    assert [item.match_id for item in await suspended(session, bank.account)] == [None]


async def test_a_payment_that_the_bank_shows_without_our_reference_is_released_by_hand(
    session: AsyncSession,
) -> None:
    bank = await bank_of(session)
    trade, payout = await paid_by_wire(session, bank)
    await approved_file(session, bank.account)
    before = bank.balance_minor
    items = await items_of(session, payout)
    bank.line(-sum(item.amount_minor for item in items))
    await closed(session, bank, since=before)
    parts = [Part("payment", str(item.id), -item.amount_minor) for item in items]
    await approve(session, await proposed(session, await suspended(session, bank.account), parts))
    assert await state_of(session, trade) == "paid_out"
    assert await agrees(session, bank.account)


async def test_the_sides_of_a_match_are_even_in_the_database_too(session: AsyncSession) -> None:
    _, trade, items = await short_wire(session, PRICE.amount_minor)
    release = await proposed(
        session, items, [Part("invoice", str(trade.invoice.id), PRICE.amount_minor)]
    )
    session.add(
        ReconSide(
            match_id=release.id, line=9, side="book", kind="account", name="bank-fees",
            amount_minor=1,
        )
    )  # fmt: skip
    release.score = 1
    await session.flush()
    with pytest.raises(DBAPIError, match="uneven by -1"):
        await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))


async def test_a_likely_invoice_is_suggested_and_never_matched(session: AsyncSession) -> None:
    bank, trade, (item,) = await short_wire(session, PRICE.amount_minor)
    entry = (await bank_queries.entries_by_id(session, [item.entry_id or UUID(int=0)]))[
        item.entry_id or UUID(int=0)
    ]
    assert isinstance(entry, BankEntry)
    found = await queries.suggestions(session, bank.account.currency, entry.entry())
    mine = next(one for one in found if one.invoice_id == trade.invoice.id)
    assert 50 <= mine.score < 100
    assert await state_of(session, trade) == "awaiting_payment"
