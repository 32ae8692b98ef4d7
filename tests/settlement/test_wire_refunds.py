"""Refunds of bank transfers: one approval for the exact file, made and sent back once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from lxml import etree
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import Money
from contracts.refusal import IdReused
from settlement.approvals.rules import ContentChanged, Decision, SamePerson
from settlement.bank import pain, report, reporting
from settlement.bank import queries as banks
from settlement.bank import service as files
from settlement.bank.tables import PaymentBatch
from settlement.invoices.tables import Payment
from settlement.ledger import queries as books
from settlement.payees.rules import COOLING_OFF
from settlement.reconciliation import releasing
from settlement.reconciliation.rules import Part
from settlement.recoveries import queries as recoveries
from settlement.recoveries import rules as taking
from settlement.recoveries.rules import Cause
from settlement.refunds import queries, rules, service
from settlement.refunds.rules import (
    Ask,
    PaymentNotRefundable,
    RefundAccountMissing,
    RefundOpen,
    RefundTooLarge,
)
from settlement.refunds.tables import Refund
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.bank_factory import (
    Bank,
    approved_file,
    approved_payout,
    closed,
    followed,
    iban,
    reported,
    staff,
    suspended,
    with_bank_account,
)
from tests.settlement.settlement_factory import Trade, invoiced

PRICE = Money(1_000_001, "EUR")
TAG = f"{{{pain.NAMESPACE}}}"


@dataclass
class Wired:
    """A trade that a bank transfer paid, and the bank that tells of it."""

    trade: Trade
    bank: Bank
    payment_id: UUID
    came_from: str

    def ask(self, minor: int, goes_to: str = rules.TO_PAYER) -> Ask:
        return Ask(self.payment_id, Money(minor, "EUR"), "rights withdrawn", goes_to)


async def wired(
    session: AsyncSession, *, account: str | None = None, instruct_only: bool = False
) -> Wired:
    """A trade whose invoice a bank transfer paid, from this account."""
    bank = Bank(await followed(session, instruct_only=instruct_only))
    number = account or iban()
    trade = await invoiced(session, price=PRICE, now=NOW)
    bank.line(
        PRICE.amount_minor, text=f"Invoice {trade.invoice.number}", name="Buyer GmbH",
        account=number,
    )  # fmt: skip
    assert (await closed(session, bank, since=0)).matched == 1
    return Wired(trade, bank, await payment_of(session, trade), number)


async def payment_of(session: AsyncSession, trade: Trade) -> UUID:
    found = await session.execute(
        text("SELECT id FROM payment WHERE invoice_id = :invoice"), {"invoice": trade.invoice.id}
    )
    return UUID(str(found.scalar_one()))


async def prepared(session: AsyncSession, ask: Ask) -> Refund:
    refund, _ = await service.prepare(
        session, ids.new(NOW), ask=ask, person_id=await staff(session), now=NOW
    )
    return refund


async def approved(session: AsyncSession, ask: Ask) -> Refund:
    refund = await prepared(session, ask)
    decision = await decided(session, await staff(session), refund.content_sha256, now=NOW)
    return await service.approve(session, refund.id, decision=decision, now=NOW)


async def stands(session: AsyncSession, one: Wired) -> Mapping[str, int]:
    """What stands on the accounts of the bank, of payees, of the exchange, and on its way back."""
    rows = await session.execute(
        text(
            "SELECT a.code, sum(p.amount_minor) FROM ledger_posting p "
            "JOIN ledger_account a ON a.id = p.account_id "
            "JOIN ledger_journal j ON j.id = p.journal_id "
            "WHERE j.deal_id = :deal GROUP BY a.code HAVING sum(p.amount_minor) <> 0"
        ),
        {"deal": one.trade.deal_id},
    )
    found: dict[str, int] = {}
    for code, minor in rows:
        kind = "bank" if code.startswith("bank:") else code.removesuffix(":EUR")
        kind = kind.split(":")[0] if kind.startswith(("payee:", "refund:", "recover")) else kind
        found[kind] = found.get(kind, 0) + int(minor)
    assert await books.check(session) == []
    return found


async def shown(session: AsyncSession, one: Wired, refund: Refund, **more: str) -> None:
    """The bank pays the refund, and says so."""
    before = one.bank.balance_minor
    [item] = await banks.items(session, refund.id)
    one.bank.line(-refund.amount_minor, ref=item.end_to_end_id, **more)
    assert (await closed(session, one.bank, since=before)).matched == 1


async def test_what_is_approved_is_the_file_that_the_bank_gets(session: AsyncSession) -> None:
    one = await wired(session)
    refund = await approved(session, one.ask(400_000))
    document = await files.give(session, refund.id, now=NOW)
    content = refund.content.decode()
    assert f'"document_sha256":"{hashlib.sha256(document).hexdigest()}"' in content
    assert f'"to":"iban:{one.came_from}"' in content
    root = etree.fromstring(document)
    said = {
        name: root.findtext(f".//{TAG}{where}")
        for name, where in {
            "iban": f"CdtrAcct/{TAG}Id/{TAG}IBAN", "amount": "InstdAmt", "name": f"Cdtr/{TAG}Nm",
            "purpose": f"Purp/{TAG}Cd", "count": "NbOfTxs", "sum": "CtrlSum",
            "from": f"DbtrAcct/{TAG}Id/{TAG}IBAN",
        }.items()
    }  # fmt: skip
    assert said == {
        "iban": one.came_from, "amount": "4000.00", "name": "Buyer GmbH", "purpose": "REFU",
        "count": "1", "sum": "4000.00", "from": one.bank.account.number,
    }  # fmt: skip
    batch = await banks.get_batch(session, refund.id)
    assert (batch.refund_id, batch.prepared_by) == (refund.id, refund.prepared_by)
    assert batch.decided_by == refund.decided_by


@pytest.mark.parametrize("instruct_only", [False, True], ids=["own", "held-by-a-bank"])
async def test_a_refund_leaves_the_bank_when_its_statement_shows_it(
    session: AsyncSession, instruct_only: bool
) -> None:
    one = await wired(session, instruct_only=instruct_only)
    before = await stands(session, one)
    refund = await approved(session, one.ask(400_000))
    on_its_way = await stands(session, one)
    assert on_its_way["refund"] == -400_000
    assert on_its_way["bank"] == before["bank"]
    position = await banks.in_flight_minor(session, one.bank.account.id)
    assert position == 400_000
    await shown(session, one, refund)
    after = await stands(session, one)
    assert "refund" not in after
    assert after["bank"] == PRICE.amount_minor - 400_000
    assert after["payee"] == before["payee"] + 380_000  # the owners' part of it
    assert refund.state == "made"
    assert (await banks.get_batch(session, refund.id)).state == "settled"


async def test_all_refunds_together_give_back_what_came_in_and_no_more(
    session: AsyncSession,
) -> None:
    one = await wired(session)
    for minor in (1, 333_333, 666_667):
        with pytest.raises(RefundTooLarge):
            await prepared(session, one.ask(PRICE.amount_minor + 1))
        refund = await approved(session, one.ask(minor))
        with pytest.raises(RefundOpen):
            await prepared(session, one.ask(1))
        await shown(session, one, refund)
    assert await stands(session, one) == {}  # commission and its tax went back to the unit
    with pytest.raises(RefundTooLarge):
        await prepared(session, one.ask(1))


async def test_a_returned_refund_is_owed_again_once(session: AsyncSession) -> None:
    one = await wired(session)
    refund = await approved(session, one.ask(400_000))
    await shown(session, one, refund)
    [item] = await banks.items(session, refund.id)
    before = one.bank.balance_minor
    for _ in range(2):
        one.bank.line(400_000, ref=item.end_to_end_id, back="AC04")
    done = await closed(session, one.bank, since=before)
    assert (done.matched, done.suspended) == (1, 1)  # it comes back once
    assert refund.state == "failed"
    assert (item.state, item.return_reason) == ("returned", "AC04")
    after = await stands(session, one)
    assert after["refund"] == -400_000
    assert after["bank"] == PRICE.amount_minor


async def test_a_rejected_refund_has_left_nothing(session: AsyncSession) -> None:
    one = await wired(session)
    refund = await approved(session, one.ask(400_000))
    await files.give(session, refund.id, now=NOW)
    before = await stands(session, one)
    batch = await banks.get_batch(session, refund.id)
    [item] = await banks.items(session, refund.id)
    raw = reported(batch, **{item.end_to_end_id: "RJCT AC04"})
    for _ in range(2):
        await reporting.import_report(
            session, raw, report.read(raw), person_id=await staff(session), now=NOW
        )
    assert refund.state == "failed"
    assert await stands(session, one) == before
    assert before["refund"] == -400_000


async def test_after_the_payout_the_owners_owe_what_went_back(session: AsyncSession) -> None:
    one = await wired(session)
    for owner in one.trade.owners:
        await with_bank_account(session, owner.id)
    await approved_payout(session, one.trade)
    batch = await approved_file(session, one.bank.account)
    before = one.bank.balance_minor
    for item in await banks.items(session, batch.id):
        one.bank.line(-item.amount_minor, ref=item.end_to_end_id)
    await closed(session, one.bank, since=before)
    refund = await approved(session, one.ask(PRICE.amount_minor))
    rows = await recoveries.of_cause(session, Cause(taking.REFUND, refund.id))
    assert {row.state for row in rows if row.kind == "share"} == {"owed"}
    assert (await stands(session, one))["recoverable"] == sum(
        row.amount_minor for row in rows if row.kind == "share"
    )


async def test_a_card_payment_and_a_transfer_go_back_their_own_ways(
    session: AsyncSession,
) -> None:
    one = await wired(session)
    with pytest.raises(PaymentNotRefundable):
        await prepared(session, one.ask(1, rules.TO_CARD))


async def test_without_an_account_to_go_to_nothing_is_prepared(session: AsyncSession) -> None:
    one = await wired(session, account="DE00123")
    with pytest.raises(RefundAccountMissing):
        await prepared(session, one.ask(1))
    with pytest.raises(RefundAccountMissing):
        await prepared(session, one.ask(1, rules.TO_VERIFIED))
    account = await with_bank_account(session, one.trade.buyer.id)
    refund = await approved(session, one.ask(1, rules.TO_VERIFIED))
    assert (refund.to_account, refund.payee_account_id) == (account.details().code, account.id)


async def test_a_changed_account_cools_off_and_voids_what_was_prepared(
    session: AsyncSession,
) -> None:
    one = await wired(session)
    buyer = one.trade.buyer.id
    await with_bank_account(session, buyer)
    refund = await prepared(session, one.ask(1, rules.TO_VERIFIED))
    changed = await with_bank_account(session, buyer)
    checker = await staff(session)
    decision = await decided(session, checker, refund.content_sha256, now=NOW)
    with pytest.raises(RefundAccountMissing):  # nowhere to go while it cools off
        await service.approve(session, refund.id, decision=decision, now=NOW)
    later = NOW + COOLING_OFF
    decision = await decided(session, checker, refund.content_sha256, now=later)
    with pytest.raises(ContentChanged):
        await service.approve(session, refund.id, decision=decision, now=later)
    no = Decision(checker, refund.content_sha256)
    await service.refuse(session, refund.id, decision=no, reason="account", now=later)
    anew, _ = await service.prepare(
        session,
        ids.new(later),
        ask=one.ask(1, rules.TO_VERIFIED),
        person_id=await staff(session),
        now=later,
    )
    assert anew.payee_account_id == changed.id


async def test_money_that_people_recognised_goes_back_to_whom_the_line_named(
    session: AsyncSession,
) -> None:
    bank, number = Bank(await followed(session)), iban()
    trade = await invoiced(session, price=PRICE, now=NOW)
    bank.line(PRICE.amount_minor, name="Buyer GmbH", account=number)
    await closed(session, bank, since=0)
    [item] = await suspended(session, bank.account)
    release, _ = await releasing.propose(
        session,
        ids.new(NOW),
        items=[item.id],
        parts=[Part("invoice", str(trade.invoice.id), PRICE.amount_minor)],
        person_id=await staff(session),
        now=NOW,
    )
    decision = await decided(session, await staff(session), release.sha256, now=NOW)
    await releasing.approve(session, release.id, decision=decision, now=NOW)
    one = Wired(trade, bank, await payment_of(session, trade), number)
    refund = await approved(session, one.ask(5))
    assert (refund.to_account, refund.account_id) == (f"iban:{number}", bank.account.id)


async def test_a_price_that_came_in_two_transfers_goes_back_to_their_one_account(
    session: AsyncSession,
) -> None:
    bank, number = Bank(await followed(session)), iban()
    trade = await invoiced(session, price=PRICE, now=NOW)
    for minor in (400_000, PRICE.amount_minor - 400_000):
        before = bank.balance_minor
        bank.line(minor, text=f"Invoice {trade.invoice.number}", name="Buyer GmbH", account=number)
        await closed(session, bank, since=before)
    one = Wired(trade, bank, await payment_of(session, trade), number)
    refund = await approved(session, one.ask(5))
    assert (refund.to_account, refund.account_id) == (f"iban:{number}", bank.account.id)


async def test_the_same_id_is_the_same_refund_and_one_person_is_not_two(
    session: AsyncSession,
) -> None:
    one = await wired(session)
    maker, ask = await staff(session), one.ask(7)
    refund, _ = await service.prepare(session, ids.new(NOW), ask=ask, person_id=maker, now=NOW)
    later = NOW + timedelta(days=1)
    again, new = await service.prepare(session, refund.id, ask=ask, person_id=maker, now=later)
    assert (again.content_sha256, new) == (refund.content_sha256, False)
    with pytest.raises(IdReused):
        other = one.ask(7, rules.TO_VERIFIED)
        await service.prepare(session, refund.id, ask=other, person_id=maker, now=NOW)
    own = await decided(session, maker, refund.content_sha256, now=NOW)
    with pytest.raises(SamePerson):
        await service.approve(session, refund.id, decision=own, now=NOW)
    decision = await decided(session, await staff(session), refund.content_sha256, now=later)
    first = await service.approve(session, refund.id, decision=decision, now=later)
    assert await service.approve(session, refund.id, decision=decision, now=later) is first
    assert len(await banks.items(session, refund.id)) == 1


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE payment_batch SET document = 'x' WHERE id = :refund",
        "UPDATE payment_batch SET refund_id = NULL WHERE id = :refund",
        "DELETE FROM payment_batch WHERE id = :refund",
        "INSERT INTO payment_batch (id, account_id, refund_id, message_id, currency, items, "
        "sum_minor, execute_on, document, sha256, state, prepared_by, prepared_at, decided_by, "
        "decided_at) SELECT id, account_id, id, 'BX', currency, 1, amount_minor, now()::date, "
        "document, encode(sha256(document), 'hex'), 'approved', prepared_by, prepared_at, "
        ":checker, now() FROM refund WHERE id = :waiting",
    ],
    ids=["other-bytes", "of-no-refund", "delete", "not-approved"],
)
async def test_the_database_gives_a_bank_only_what_was_approved(
    session: AsyncSession, attack: str
) -> None:
    one = await wired(session)
    refund = await approved(session, one.ask(5))
    await shown(session, one, refund)
    waiting = await prepared(session, one.ask(6))
    named = {"refund": refund.id, "waiting": waiting.id, "checker": refund.decided_by}
    wanted = {name: value for name, value in named.items() if f":{name}" in attack}
    with pytest.raises(DBAPIError):
        async with session.begin_nested():
            await session.execute(text(attack), wanted)
    assert isinstance(await banks.get_batch(session, refund.id), PaymentBatch)
    assert await queries.counted_minor(session, one.payment_id) == 11
    assert await session.get(Payment, one.payment_id)
