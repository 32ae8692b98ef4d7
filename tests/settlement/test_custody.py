"""Money that a bank holds for others (监管账户), and several wires that make up one invoice."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import ids
from contracts.money import Money
from settlement.bank import rules as bank
from settlement.bank import service as files
from settlement.bank.rules import BatchEmpty, CustodyMoney
from settlement.bank.tables import BankAccount
from settlement.collecting import rules as references
from settlement.invoices import queries as invoices
from settlement.ledger.tables import LedgerAccount, LedgerBalance
from settlement.plans import queries as plans
from settlement.reconciliation import queries, releasing
from settlement.reconciliation.rules import Part
from settlement.reconciliation.tables import ReconMatch, ReconSide
from settlement.sweeps import service as sweeps
from settlement.sweeps.rules import Ask
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.bank_factory import (
    Bank,
    approved_file,
    approved_payout,
    closed,
    collecting,
    followed,
    prepared_file,
    staff,
    suspended,
    with_bank_account,
)
from tests.settlement.settlement_factory import Trade, invoiced

PRICE = Money(1_000_000, "EUR")


async def booked(session: AsyncSession, code: str) -> int | None:
    wanted = (
        select(LedgerBalance.posted_minor)
        .join(LedgerAccount, col(LedgerAccount.id) == col(LedgerBalance.account_id))
        .where(col(LedgerAccount.code) == code)
    )
    return (await session.scalars(wanted)).one_or_none()


async def agrees(session: AsyncSession, account: BankAccount) -> None:
    await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    await session.execute(text("SET CONSTRAINTS ALL DEFERRED"))
    here = await queries.position(session, account)
    assert here.difference_minor == 0
    assert await queries.unexplained(session, account.currency) == 0


async def test_a_deal_is_wired_into_escrow_and_paid_out_by_the_custodian(
    session: AsyncSession,
) -> None:
    bank_ = Bank(await followed(session, instruct_only=True))
    account = bank_.account
    await collecting(session, account)
    trade = await invoiced(session, price=PRICE, now=NOW)
    said = await invoices.issued(session, trade.invoice.id, party_id=trade.buyer.id)
    assert said.wire is not None and said.wire.custody  # the paper says whose account it is
    bank_.line(PRICE.amount_minor, text=said.wire.reference)
    assert (await closed(session, bank_, since=0)).matched == 1
    escrow = f"bank:escrow:{account.id}:EUR"
    assert (await booked(session, escrow), await booked(session, f"bank:{account.id}:EUR")) == (
        PRICE.amount_minor, None,
    )  # fmt: skip
    for owner in trade.owners:
        await with_bank_account(session, owner.id)
    await approved_payout(session, trade)
    other = await followed(session)
    with pytest.raises(BatchEmpty):  # no account of the exchange's own pays what lies in escrow
        await prepared_file(session, other)
    batch = await approved_file(session, account)
    document = etree.fromstring(await files.give(session, batch.id, now=NOW))
    told = {one.text for one in document.iter("{*}Ustrd")}
    assert all(one is not None and one.startswith("监管账户划付 Escrow payout") for one in told)
    assert document.findtext(".//{*}DbtrAcct/{*}Id/{*}IBAN") == account.number
    before = bank_.balance_minor
    for one in document.iter("{*}CdtTrfTxInf"):
        amount = int(one.findtext("{*}Amt/{*}InstdAmt").replace(".", ""))
        bank_.line(-amount, ref=one.findtext("{*}PmtId/{*}EndToEndId"))
    assert (await closed(session, bank_, since=before)).suspended == 0
    assert (await plans.get_settlement(session, trade.deal_id)).state == "paid_out"
    assert await booked(session, escrow) == bank_.balance_minor  # the commission lies there still
    await agrees(session, account)


@pytest.mark.parametrize("target", ["bank-fees", "card-clearing"])
async def test_what_lies_in_escrow_becomes_no_money_of_the_exchange(
    session: AsyncSession, target: str
) -> None:
    bank_ = Bank(await followed(session, instruct_only=True))
    bank_.line(-900, text="fee")
    await closed(session, bank_, since=0)
    (item,) = await suspended(session, bank_.account)
    with pytest.raises(CustodyMoney):
        await releasing.propose(
            session, ids.new(NOW), items=[item.id], parts=[Part("account", target, -900)],
            person_id=await staff(session), now=NOW,
        )  # fmt: skip


async def test_the_exchange_sweeps_nothing_into_escrow(session: AsyncSession) -> None:
    account = await followed(session, instruct_only=True)
    with pytest.raises(CustodyMoney):
        await sweeps.prepare(
            session, ids.new(NOW), ask=Ask(account.id, Money(1, "EUR")),
            person_id=await staff(session), now=NOW,
        )  # fmt: skip


async def test_what_lay_in_escrow_before_is_others(session: AsyncSession) -> None:
    bank_ = Bank(await followed(session, instruct_only=True), balance_minor=5_000)
    await closed(session, bank_, since=5_000)
    (item,) = await suspended(session, bank_.account)
    before = await booked(session, "custody:opening:EUR") or 0
    release, _ = await releasing.propose(
        session, ids.new(NOW), items=[item.id], parts=[Part("account", "opening", 5_000)],
        person_id=await staff(session), now=NOW,
    )  # fmt: skip
    decision = await decided(session, await staff(session), release.sha256, now=NOW)
    await releasing.approve(session, release.id, decision=decision, now=NOW)
    assert await booked(session, "custody:opening:EUR") == before - 5_000
    await agrees(session, bank_.account)


@given(st.uuids(), st.uuids() | st.none(), st.booleans(), st.booleans())
def test_money_in_escrow_leaves_by_its_own_account(
    paying: UUID, held: UUID | None, one: bool, other: bool
) -> None:
    may = bank.may_pay(paying_id=paying, paying_in_custody=one, held_id=held, held_in_custody=other)
    assert may == (held in (None, paying) or not (one or other))


async def wires(session: AsyncSession, bank_: Bank, trade: Trade, *amounts: int) -> str:
    """Wire parts of a price, each in a statement of its own; return the invoice's state."""
    for amount in amounts:
        before = bank_.balance_minor
        bank_.line(amount, text=references.of_invoice(trade.invoice.number))
        await closed(session, bank_, since=before)
    await session.refresh(trade.invoice)
    return trade.invoice.state


async def test_several_wires_make_up_an_invoice(session: AsyncSession) -> None:
    bank_ = Bank(await followed(session))
    trade = await invoiced(session, price=PRICE, now=NOW)
    assert await wires(session, bank_, trade, 400_000, 500_000) == "issued"
    held = await queries.held_for(session, [trade.invoice.id])
    assert held == {trade.invoice.id: 900_000}
    assert [item.invoice_id for item in await suspended(session, bank_.account)] == [
        trade.invoice.id, trade.invoice.id,
    ]  # fmt: skip
    assert await wires(session, bank_, trade, 100_000) == "paid"
    assert await suspended(session, bank_.account) == []
    assert (await plans.get_settlement(session, trade.deal_id)).state == "funded"
    match = (
        await session.scalars(
            select(ReconMatch).where(
                col(ReconMatch.account_id) == bank_.account.id,
                col(ReconMatch.rule) == "invoice-parts",
            )
        )
    ).one()
    sides = (await queries.sides(session, [match.id]))[match.id]
    assert sorted(side.amount_minor for side in sides if side.side == "bank") == [
        100_000, 400_000, 500_000,
    ]  # fmt: skip
    assert match.score == 100
    assert await invoices.held_at(session, [trade.deal_id]) == {trade.deal_id: bank_.account.id}
    await agrees(session, bank_.account)


async def test_what_is_paid_too_much_stays_named_and_suspended(session: AsyncSession) -> None:
    bank_ = Bank(await followed(session))
    trade = await invoiced(session, price=PRICE, now=NOW)
    assert await wires(session, bank_, trade, 300_000, 700_123) == "paid"
    (over,) = await suspended(session, bank_.account)
    assert (over.cause, over.amount_minor, over.invoice_id) == ("overpaid", 123, trade.invoice.id)
    assert over.owner_id is not None and over.due_on > NOW.date()
    assert await queries.held_for(session, [trade.invoice.id]) == {trade.invoice.id: 123}
    names = select(ReconSide.kind).where(col(ReconSide.name) == str(over.id))
    assert list(await session.scalars(names)) == ["suspense"]
    await agrees(session, bank_.account)


async def test_wires_of_two_invoices_are_not_added_up(session: AsyncSession) -> None:
    bank_ = Bank(await followed(session))
    one = await invoiced(session, price=PRICE, now=NOW)
    other = await invoiced(session, price=PRICE, now=NOW)
    before = bank_.balance_minor
    both = f"{one.invoice.number} {other.invoice.number}"
    bank_.line(PRICE.amount_minor, text=both)
    await closed(session, bank_, since=before)
    (item,) = await suspended(session, bank_.account)
    assert item.invoice_id is None
    assert await wires(session, bank_, one, 1) == "issued"
