"""Deposits by wire: known by their reference, returned by payment file, wrong amounts suspended."""

from datetime import timedelta
from uuid import UUID

import pytest
from lxml import etree
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import ids
from contracts.money import Money
from settlement.bank import service as files
from settlement.bank.rules import BatchEmpty
from settlement.bank.tables import PaymentBatch, PaymentItem
from settlement.collecting import rules as references
from settlement.deposits import moving, queries, rules, service
from settlement.deposits.rules import DepositElsewhere, DepositMoveDecided, Move, Terms
from settlement.deposits.tables import Deposit, DepositMovement, DepositReceipt
from settlement.reconciliation import queries as positions
from settlement.reconciliation.tables import ReconMatch
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.settlement.approvals_factory import decided
from tests.settlement.bank_factory import (
    Bank,
    approved_file,
    closed,
    followed,
    prepared_file,
    staff,
    suspended,
    with_bank_account,
)

ASKED = 90_000


async def asked_for(session: AsyncSession) -> Deposit:
    whose = await party(session, kind="broadcaster", now=NOW)
    seller = await party(session, now=NOW)
    terms = Terms(
        auction_id=ids.new(NOW), party_id=whose.id, seller_id=seller.id,
        required=Money(ASKED, "EUR"), until=NOW + timedelta(days=1), forfeits=("non-payment",),
    )  # fmt: skip
    return await service.require(session, terms, now=NOW)


def reference(deposit: Deposit) -> str:
    return references.spaced(references.of_deposit(deposit.auction_id, deposit.party_id))


async def wire(session: AsyncSession, bank: Bank, deposit: Deposit, *amounts: int) -> None:
    before = bank.balance_minor
    for amount in amounts:
        bank.line(amount, text=f"保证金 {reference(deposit)}")
    await closed(session, bank, since=before)
    await session.refresh(deposit)


async def agrees(session: AsyncSession, bank: Bank) -> None:
    await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    await session.execute(text("SET CONSTRAINTS ALL DEFERRED"))
    assert (await positions.position(session, bank.account)).difference_minor == 0
    assert await positions.unexplained(session, "EUR") == 0


async def going_back(session: AsyncSession, deposit: Deposit) -> DepositMovement:
    """A return that two people decided."""
    await service.set_free(session, deposit.auction_id, return_by=NOW.date(), now=NOW)
    movement, _ = await moving.prepare(
        session, ids.new(NOW), deposit.auction_id, deposit.party_id,
        move=Move(rules.RETURN, deposit.held_minor, "Not the winner"),
        person_id=await staff(session), now=NOW,
    )  # fmt: skip
    decision = await decided(session, await staff(session), movement.content_sha256, now=NOW)
    return await moving.approve(session, movement.id, decision=decision, now=NOW)


async def shown(session: AsyncSession, bank: Bank, batch: PaymentBatch, **more: str) -> PaymentItem:
    """The bank shows the one payment of a file; return it."""
    wanted = select(PaymentItem).where(col(PaymentItem.batch_id) == batch.id)
    item = (await session.scalars(wanted)).one()
    before = bank.balance_minor
    sign = 1 if "back" in more else -1
    bank.line(sign * item.amount_minor, ref=item.end_to_end_id, **more)
    assert (await closed(session, bank, since=before)).matched == 1
    await session.refresh(item)
    return item


@pytest.mark.parametrize("amounts", [(ASKED,), (50_000, 40_000)], ids=["whole", "in-two"])
async def test_a_credit_with_the_reference_is_the_deposit(
    session: AsyncSession, amounts: tuple[int, ...]
) -> None:
    bank, deposit = Bank(await followed(session)), await asked_for(session)
    await wire(session, bank, deposit, *amounts)
    assert (deposit.state, deposit.held_minor) == ("frozen", ASKED)
    assert deposit.frozen_at is not None and deposit.frozen_at <= NOW
    receipts = await queries.receipts(session, deposit.auction_id, deposit.party_id)
    assert {one.bank_account_id for one in receipts} == {bank.account.id}
    matches = select(ReconMatch.rule).where(col(ReconMatch.account_id) == bank.account.id)
    assert set(await session.scalars(matches)) == {"deposit-reference"}
    await agrees(session, bank)


@pytest.mark.parametrize("amount", [ASKED + 1, -ASKED], ids=["too-much", "a-debit"])
async def test_another_amount_waits_for_people(session: AsyncSession, amount: int) -> None:
    bank, deposit = Bank(await followed(session)), await asked_for(session)
    await wire(session, bank, deposit, amount)
    assert (deposit.state, deposit.held_minor) == ("required", 0)
    (item,) = await suspended(session, bank.account)
    assert item.amount_minor == amount and item.due_on > NOW.date()
    await agrees(session, bank)


async def test_a_mistyped_reference_is_nobodys_deposit(session: AsyncSession) -> None:
    bank, deposit = Bank(await followed(session)), await asked_for(session)
    typed = references.of_deposit(deposit.auction_id, deposit.party_id)
    bank.line(ASKED, text=typed[:-1] + ("A" if typed[-1] != "A" else "B"))
    assert (await closed(session, bank, since=0)).suspended == 1


async def test_a_losers_deposit_goes_back_in_a_payment_file(session: AsyncSession) -> None:
    bank, deposit = Bank(await followed(session, instruct_only=True)), await asked_for(session)
    await wire(session, bank, deposit, ASKED)
    movement = await going_back(session, deposit)
    with pytest.raises(DepositMoveDecided):
        await moving.record_return(
            session, movement.id, reference="typed", person_id=await staff(session), now=NOW
        )
    with pytest.raises(BatchEmpty) as refused:
        await prepared_file(session, bank.account)
    assert refused.value.data["left_out"] == [str(deposit.party_id)]  # it declared no account
    await with_bank_account(session, deposit.party_id)
    with pytest.raises(BatchEmpty):
        await prepared_file(session, await followed(session))  # the money lies elsewhere
    batch = await approved_file(session, bank.account)
    document = etree.fromstring(await files.give(session, batch.id, now=NOW))
    assert document.findtext(".//{*}Purp/{*}Cd") == "REFU"
    assert str(movement.id) in (document.findtext(".//{*}RmtInf/{*}Ustrd") or "")
    item = await shown(session, bank, batch)
    await session.refresh(movement)
    assert (item.state, movement.state, bank.balance_minor) == ("paid", "done", 0)
    with pytest.raises(BatchEmpty):
        await prepared_file(session, bank.account)  # once
    await agrees(session, bank)


async def test_a_return_that_comes_back_goes_to_another_account(session: AsyncSession) -> None:
    bank, deposit = Bank(await followed(session)), await asked_for(session)
    await wire(session, bank, deposit, ASKED)
    await going_back(session, deposit)
    await with_bank_account(session, deposit.party_id)
    batch = await approved_file(session, bank.account)
    await shown(session, bank, batch)
    assert (await shown(session, bank, batch, back="AC04")).state == "returned"
    assert bank.balance_minor == ASKED
    with pytest.raises(BatchEmpty):
        await prepared_file(session, bank.account)  # not to the account that it came back from
    later = NOW - timedelta(days=4)  # the change has cooled off by now
    await with_bank_account(session, deposit.party_id, now=later)
    again = await approved_file(session, bank.account)
    await shown(session, bank, again)
    assert bank.balance_minor == 0
    await agrees(session, bank)


async def test_a_deposit_lies_in_one_account(session: AsyncSession) -> None:
    bank, deposit = Bank(await followed(session)), await asked_for(session)
    await wire(session, bank, deposit, 50_000)
    other = Bank(await followed(session))
    await wire(session, other, deposit, 40_000)
    assert deposit.held_minor == 50_000 and len(await suspended(session, other.account)) == 1
    receipt = DepositReceipt(
        id=ids.new(NOW), auction_id=deposit.auction_id, party_id=deposit.party_id,
        amount_minor=1, reference=f"typed-{deposit.party_id}", credited_at=NOW,
        recorded_by=await staff(session), recorded_at=NOW,
    )  # fmt: skip
    with pytest.raises(DepositElsewhere):
        await service.receive(session, receipt, currency="EUR")


async def test_no_payment_returns_what_nobody_approved(session: AsyncSession) -> None:
    bank, deposit = Bank(await followed(session)), await asked_for(session)
    await wire(session, bank, deposit, ASKED)
    movement = await going_back(session, deposit)
    where = await with_bank_account(session, deposit.party_id)
    batch = await prepared_file(session, bank.account)

    async def insert(movement_id: UUID, minor: int) -> None:
        async with session.begin_nested():
            session.add(
                PaymentItem(
                    id=ids.new(NOW), batch_id=batch.id, deposit_movement_id=movement_id,
                    party_id=deposit.party_id, payee_account_id=where.id, amount_minor=minor,
                    currency="EUR", end_to_end_id=f"P{movement_id.hex[:15]}{minor}",
                    state="failed",
                )
            )  # fmt: skip
            await session.flush()

    with pytest.raises(DBAPIError, match="returns no deposit that was approved"):
        await insert(movement.id, ASKED + 1)
