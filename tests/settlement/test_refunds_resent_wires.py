"""Refunds that failed and are sent again by a bank."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from exchange.db import Database
from settlement.bank import queries as banks
from settlement.bank import report, reporting
from settlement.bank import service as files
from settlement.bank.rules import CustodyMoney
from settlement.bank.tables import BankAccount
from settlement.ledger import queries as books
from settlement.refunds import queries, resending, rules, service
from settlement.refunds.rules import (
    Again,
    PaymentNotRefundable,
    RefundAccountMissing,
)
from settlement.refunds.tables import Refund
from settlement.sweeps import queries as sweeps
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.bank_factory import (
    Bank,
    closed,
    followed,
    reported,
    staff,
    with_bank_account,
)
from tests.settlement.resent_factory import failed, prepared, resent
from tests.settlement.returns_factory import (
    balances,
)
from tests.settlement.test_wire_refunds import PRICE, Wired, approved, shown, stands, wired

LATER = NOW + timedelta(days=1)


async def test_a_failed_card_refund_goes_by_wire_out_of_an_account_of_the_exchanges_own(
    db: Database,
) -> None:
    one = await failed(db)
    async with db.transaction() as session:
        own = await followed(session, "CNY")
        custody = await followed(session, "CNY", instruct_only=True)
        with pytest.raises(RefundAccountMissing):  # the payer has no account yet
            await prepared(session, one, one.again(rules.TO_VERIFIED, own.id))
        payers = await with_bank_account(session, one.trade.buyer.id, currency="CNY")
        for account, why in ((None, RefundAccountMissing), (custody.id, CustodyMoney)):
            with pytest.raises(why):
                await prepared(session, one, one.again(rules.TO_VERIFIED, account))
        with pytest.raises(RefundAccountMissing):  # no statement shows where a card's money is from
            await prepared(session, one, one.again(rules.TO_PAYER, own.id))
    refund = await resent(db, one, one.again(rules.TO_VERIFIED, own.id))
    assert (refund.to_account, refund.account_id) == (payers.details().code, own.id)
    async with db.transaction() as session:
        funds = await sweeps.funds(session, "CNY", now=NOW)
        batch = await banks.get_batch(session, refund.id)
        assert batch.sha256 in refund.content.decode()
        await files.give(session, refund.id, now=NOW)
        await bank_pays(session, own, refund)
        after = await sweeps.funds(session, "CNY", now=NOW)
    assert after.owed_minor == funds.owed_minor  # it never waited for the provider's money
    left = await balances(db, one.trade)
    assert not [code for code in left if code.startswith("refund:")]
    assert left[f"bank:{own.id}"] == -500
    async with db.sessions() as session:
        assert (await queries.get_refund(session, refund.id)).state == "made"
        assert await books.check(session) == []


async def bank_pays(session: AsyncSession, account: BankAccount, refund: Refund) -> None:
    """A statement shows that the bank made the refund's payment."""
    bank = Bank(account)
    [item] = await banks.items(session, refund.id)
    bank.line(-refund.amount_minor, ref=item.end_to_end_id)
    assert (await closed(session, bank, since=0)).matched == 1


async def test_a_wire_that_came_back_goes_to_an_account_that_was_verified(
    session: AsyncSession,
) -> None:
    one = await wired(session)
    refund = await approved(session, one.ask(400_000))
    await shown(session, one, refund)
    [item] = await banks.items(session, refund.id)
    before = one.bank.balance_minor
    one.bank.line(400_000, ref=item.end_to_end_id, back="AC04")
    await closed(session, one.bank, since=before)
    assert await owed(session, one) == -400_000
    payers = await with_bank_account(session, one.trade.buyer.id)
    elsewhere = await followed(session)
    with pytest.raises(RefundAccountMissing):  # it lies in the account that it came into
        await wire_again(session, refund, account_id=elsewhere.id)
    with pytest.raises(PaymentNotRefundable):
        await wire_again(session, refund, goes_to=rules.TO_CARD)
    again = await wire_again(session, refund)
    assert (again.to_account, again.account_id) == (payers.details().code, one.bank.account.id)
    await shown(session, one, again)
    after = await stands(session, one)
    assert "refund" not in after
    assert after["bank"] == PRICE.amount_minor - 400_000
    assert (refund.state, again.state) == ("failed", "made")


async def owed(session: AsyncSession, one: Wired) -> int:
    found = await session.execute(
        text(
            "SELECT b.posted_minor FROM ledger_balance b "
            "JOIN ledger_account a ON a.id = b.account_id WHERE a.code = :code"
        ),
        {"code": f"refund:{one.trade.buyer.id}:owed:EUR"},
    )
    return int(found.scalar_one())


async def wire_again(
    session: AsyncSession,
    refund: Refund,
    *,
    goes_to: str = rules.TO_VERIFIED,
    account_id: UUID | None = None,
) -> Refund:
    again = Again(refund.id, "the account is closed", goes_to, account_id)
    made, _ = await resending.resend(
        session, ids.new(NOW), again=again, person_id=await staff(session), now=NOW
    )
    decision = await decided(session, await staff(session), made.content_sha256, now=NOW)
    return await service.approve(session, made.id, decision=decision, now=NOW)


async def test_a_rejected_wire_is_sent_again_and_books_nothing_at_the_bank_before_it_left(
    session: AsyncSession,
) -> None:
    one = await wired(session)
    refund = await approved(session, one.ask(400_000))
    await files.give(session, refund.id, now=NOW)
    [item] = await banks.items(session, refund.id)
    raw = reported(await banks.get_batch(session, refund.id), **{item.end_to_end_id: "RJCT AC01"})
    await reporting.import_report(
        session, raw, report.read(raw), person_id=await staff(session), now=LATER
    )
    assert (refund.state, refund.failed_at) == ("failed", LATER)
    assert await owed(session, one) == -400_000
    again = await wire_again(session, refund, goes_to=rules.TO_PAYER)
    assert again.to_account == f"iban:{one.came_from}"
    await shown(session, one, again)
    assert (await stands(session, one))["bank"] == PRICE.amount_minor - 400_000
