"""Refunds that failed and are sent again: by two people, one at a time, and never twice."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.money import Money
from contracts.refusal import IdReused, Unknown
from exchange.db import Database
from settlement.approvals.rules import SamePerson
from settlement.bank import queries as banks
from settlement.bank import report, reporting
from settlement.bank import service as files
from settlement.bank.rules import CustodyMoney
from settlement.bank.tables import BankAccount
from settlement.ledger import queries as books
from settlement.ledger import service as ledger
from settlement.ledger.rules import Line
from settlement.outbound.rules import CREATE_REFUND
from settlement.recoveries import queries as recoveries
from settlement.recoveries import rules as taking
from settlement.recoveries.rules import Cause
from settlement.redletters import service as red_letters
from settlement.redletters.rules import RedLetterNeedsRefund
from settlement.refunds import queries, resending, rules, service
from settlement.refunds.rules import (
    Again,
    Ask,
    PaymentDisputed,
    PaymentNotRefundable,
    RefundAccountMissing,
    RefundNotFailed,
    RefundOpen,
    RefundSentAgain,
)
from settlement.refunds.tables import Refund
from settlement.sweeps import queries as sweeps
from settlement.timeline import queries as timelines
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
from tests.settlement.fake_stripe import FakeStripe
from tests.settlement.redletters_factory import asked as red_letter_of
from tests.settlement.returns_factory import (
    Staff,
    balances,
    disputed,
    refunded,
    settle,
)
from tests.settlement.returns_factory import staff as people_of
from tests.settlement.settlement_factory import Trade
from tests.settlement.test_refunds import bought
from tests.settlement.test_stripe_service import deliver, event, payment
from tests.settlement.test_wire_refunds import PRICE, Wired, approved, shown, stands, wired

LATER = NOW + timedelta(days=1)
PAYER, AMOUNT = UUID(int=7), st.integers(1, 10**12).map(lambda minor: Money(minor, "CNY"))


@dataclass
class Failed:
    """A refund to a card that the provider reports failed."""

    trade: Trade
    refund: Refund
    gateway: FakeStripe
    provider_id: str
    people: Staff

    def again(self, goes_to: str = rules.TO_CARD, account_id: UUID | None = None) -> Again:
        return Again(self.refund.id, "the bank asks for it anew", goes_to, account_id)


async def failed(db: Database, minor: int = 500) -> Failed:
    trade, payment_id, provider_id, gateway = await bought(db)
    people = await people_of(db)
    refund = await refunded(db, await payment(db, payment_id), minor, people)
    await settle(db, gateway)
    one = Failed(trade, refund, gateway, provider_id, people)
    await comes_back(db, one, refund.id)
    return one


async def comes_back(db: Database, one: Failed, refund_id: UUID) -> None:
    one.gateway.failed |= set(one.gateway.of(CREATE_REFUND, "refund", refund_id))
    await deliver(db, event(one.provider_id, "refund.failed"))
    await settle(db, one.gateway)


async def resent(db: Database, one: Failed, again: Again, *, id: UUID | None = None) -> Refund:
    """What sends it again, prepared by one person and approved by another."""
    async with db.transaction() as session:
        refund, _ = await resending.resend(
            session, id or ids.new(NOW), again=again, person_id=one.people.maker, now=NOW
        )
        decision = await decided(session, one.people.checker, refund.content_sha256, now=NOW)
        return await service.approve(session, refund.id, decision=decision, now=NOW)


def moved(*journals: list[Line]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for code, money in (line for journal in journals for line in journal):
        found[code.partition(":")[0]] = found.get(code.partition(":")[0], 0) + money.amount_minor
        found[code] = found.get(code, 0) + money.amount_minor
    return {code: minor for code, minor in found.items() if minor}


@given(amount=AMOUNT)
def test_what_failed_and_was_sent_again_leaves_the_books_as_if_it_had_arrived_at_once(
    amount: Money,
) -> None:
    """Each journal makes nothing out of nothing; all of them together are one refund."""
    made = rules.made_lines(PAYER, amount)
    failure = [rules.failed_lines(PAYER, amount), rules.owed_lines(PAYER, amount)]
    again = rules.approved_lines(PAYER, amount, rules.resent_lines(PAYER, amount))
    for lines in (made, *failure, again):
        assert sum(money.amount_minor for _, money in lines) == 0
    assert moved(made, *failure, again, rules.made_lines(PAYER, amount)) == moved(made)
    assert moved(*failure, made, again) == {}


@given(amount=AMOUNT, state=st.sampled_from(["prepared", "approved", "refused", "made"]))
def test_only_what_failed_is_sent_again_and_a_card_alone_may_change_its_way(
    amount: Money, state: str
) -> None:
    with pytest.raises(RefundNotFailed):
        rules.check_failed(state, first=None)
    with pytest.raises(RefundNotFailed):
        rules.check_failed("failed", first=PAYER)
    rules.check_failed("failed", first=None)
    ways = [
        (Ask(PAYER, amount, "x", way, again), by_card)
        for way in (rules.TO_CARD, rules.TO_PAYER, rules.TO_VERIFIED)
        for again in (None, PAYER)
        for by_card in (True, False)
    ]
    for ask, by_card in ways:
        fits = by_card == (ask.goes_to == rules.TO_CARD)
        fits = fits or (by_card and ask.resends is not None)
        if fits:
            rules.check_way(ask, by_card=by_card)
        else:
            with pytest.raises(PaymentNotRefundable):
                rules.check_way(ask, by_card=by_card)


def test_what_is_sent_again_is_said_in_what_is_approved() -> None:
    """And a refund that sends nothing again has the content that it always had."""
    ask = Ask(PAYER, Money(5, "CNY"), "x")
    plain = canonical.loads(rules.content(PAYER, ask, provider_id="pi_1", debits=[]))
    again = Ask(PAYER, Money(5, "CNY"), "x", resends=UUID(int=8))
    said = canonical.loads(rules.content(PAYER, again, provider_id="pi_1", debits=[]))
    assert "resends" not in plain
    assert said == {**plain, "resends": str(UUID(int=8))}


async def test_a_failed_card_refund_is_sent_again_under_a_key_of_its_own(db: Database) -> None:
    one = await failed(db)
    before = await balances(db, one.trade)
    assert before["refund:buyer:owed"] == -500
    refund = await resent(db, one, one.again())
    assert (await balances(db, one.trade))["refund:buyer:in-transit"] == -500
    for _ in range(2):
        await settle(db, one.gateway)
    assert len(one.gateway.of(CREATE_REFUND, "refund", refund.id)) == 1
    mine = {str(one.refund.id), str(refund.id)}  # what other tests left to be sent went out too
    keys = {
        key
        for op, params, key in one.gateway.calls
        if op == CREATE_REFUND and params["metadata"].get("refund") in mine
    }
    assert len(keys) == 2  # one for each order, whatever was repeated
    after = await balances(db, one.trade)
    assert not [code for code in after if code.startswith("refund:")]
    assert after["psp:stripe:clearing"] == before["psp:stripe:clearing"] - 500
    async with db.sessions() as session:
        assert (await queries.get_refund(session, refund.id)).state == "made"
        assert (await queries.get_refund(session, one.refund.id)).state == "failed"
        assert await queries.counted_minor(session, one.refund.payment_id) == 500
        assert await recoveries.of_cause(session, Cause(taking.REFUND, refund.id)) == []
        assert await books.check(session) == []
    with pytest.raises(RefundSentAgain):
        await resent(db, one, one.again())


async def test_what_fails_again_is_sent_again_by_the_name_of_the_first(db: Database) -> None:
    one = await failed(db)
    second = await resent(db, one, one.again())
    await settle(db, one.gateway)
    await comes_back(db, one, second.id)
    assert (await balances(db, one.trade))["refund:buyer:owed"] == -500
    with pytest.raises(RefundNotFailed) as caught:
        await resent(db, one, Again(second.id, "x", rules.TO_CARD))
    assert caught.value.data["first"] == str(one.refund.id)
    third = await resent(db, one, one.again())
    await settle(db, one.gateway)
    async with db.sessions() as session:
        rows = await queries.of_refund(session, one.refund.id)
        assert {row.id: row.state for row in rows} == {second.id: "failed", third.id: "made"}
        assert (await queries.resent_as(session, [one.refund.id]))[one.refund.id].id == third.id
    assert not [c for c in await balances(db, one.trade) if c.startswith("refund:")]


async def test_a_failed_card_refund_goes_by_wire_out_of_an_account_of_the_exchanges_own(
    db: Database,
) -> None:
    one = await failed(db)
    async with db.transaction() as session:
        own = await followed(session, "CNY")
        custody = await followed(session, "CNY", instruct_only=True)
        with pytest.raises(RefundAccountMissing):  # the payer has no account yet
            await _prepared(session, one, one.again(rules.TO_VERIFIED, own.id))
        payers = await with_bank_account(session, one.trade.buyer.id, currency="CNY")
        for account, why in ((None, RefundAccountMissing), (custody.id, CustodyMoney)):
            with pytest.raises(why):
                await _prepared(session, one, one.again(rules.TO_VERIFIED, account))
        with pytest.raises(RefundAccountMissing):  # no statement shows where a card's money is from
            await _prepared(session, one, one.again(rules.TO_PAYER, own.id))
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


async def _prepared(session: AsyncSession, one: Failed, again: Again) -> Refund:
    refund, _ = await resending.resend(
        session, ids.new(NOW), again=again, person_id=one.people.maker, now=NOW
    )
    return refund


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


async def test_what_waits_is_told_in_the_timeline_and_to_the_staff_until_it_is_sent_again(
    db: Database,
) -> None:
    one = await failed(db)

    async def waits() -> tuple[list[str], bool]:
        async with db.sessions() as session:
            _, _, waiting = await timelines.of_settlement(session, one.trade.deal_id)
            open_ = await queries.to_resend(session, limit=1_000, deal_id=one.trade.deal_id)
        return sorted(each.kind for each in waiting), one.refund.id in [row.id for row in open_]

    assert await waits() == (["prepare", "resend-refund"], True)
    async with db.transaction() as session:
        refund = await _prepared(session, one, one.again())
    assert await waits() == (["decide-refund", "prepare"], False)
    async with db.transaction() as session:
        no = await decided(session, one.people.checker, refund.content_sha256, now=NOW)
        await service.refuse(session, refund.id, decision=no, reason="by wire", now=NOW)
    assert await waits() == (["prepare", "resend-refund"], True)
    await resent(db, one, one.again())
    assert await waits() == (["prepare", "wait-refund"], False)


async def test_no_second_red_letter_is_written_of_what_is_sent_again(db: Database) -> None:
    one = await failed(db)
    refund = await resent(db, one, one.again())
    await settle(db, one.gateway)
    async with db.transaction() as session:
        ask = red_letter_of(one.trade.invoice.id, 500, refund_id=refund.id)
        with pytest.raises(RedLetterNeedsRefund):
            await red_letters.prepare(
                session, ids.new(NOW), ask=ask, person_id=one.people.maker, now=NOW
            )
        ask = red_letter_of(one.trade.invoice.id, 500, refund_id=one.refund.id)
        letter, new = await red_letters.prepare(
            session, ids.new(NOW), ask=ask, person_id=one.people.maker, now=NOW
        )
    assert (letter.refund_id, new) == (one.refund.id, True)


async def test_what_the_card_holder_disputes_is_not_sent_again(db: Database) -> None:
    one = await failed(db)
    one.gateway.disputes[one.provider_id] = [disputed(one.provider_id, 5, "needs_response")]
    await deliver(db, event(one.provider_id, "charge.dispute.created"))
    await settle(db, one.gateway)
    with pytest.raises(PaymentDisputed):
        await resent(db, one, one.again())


async def test_one_person_is_not_two_and_one_id_is_one_order(db: Database) -> None:
    one = await failed(db)
    async with db.transaction() as session:
        refund = await _prepared(session, one, one.again())
        told = {"again": one.again(), "person_id": one.people.maker, "now": LATER}
        again, new = await resending.resend(session, refund.id, **told)
        assert (again.id, again.content_sha256, new) == (refund.id, refund.content_sha256, False)
        with pytest.raises(IdReused):
            other = Again(one.refund.id, "for another reason", rules.TO_CARD)
            await resending.resend(session, refund.id, **{**told, "again": other})
        with pytest.raises(RefundOpen):
            await _prepared(session, one, one.again())
        with pytest.raises(Unknown):
            await _prepared(session, one, Again(ids.new(NOW), "x", rules.TO_CARD))
        own = await decided(session, one.people.maker, refund.content_sha256, now=NOW)
        with pytest.raises(SamePerson):
            await service.approve(session, refund.id, decision=own, now=NOW)


async def test_of_several_who_send_it_again_at_once_one_does(db: Database) -> None:
    one = await failed(db)
    tries = await asyncio.gather(
        *(resent(db, one, one.again()) for _ in range(4)), return_exceptions=True
    )
    sent = [each for each in tries if isinstance(each, Refund)]
    assert len(sent) == 1
    assert all(isinstance(each, RefundOpen | Refund) for each in tries)
    await asyncio.gather(*(settle(db, one.gateway) for _ in range(3)))
    orders = [given for op, _, given in one.gateway.made if op == CREATE_REFUND]
    assert [given["amount"] for given in orders] == [500, 500]  # the failed one, and one more


async def test_what_failed_before_it_was_booked_as_owed_is_sent_again_too(db: Database) -> None:
    """It stands as in transit, though nothing is on its way, and nobody kept when it failed."""
    trade, payment_id, provider_id, gateway = await bought(db)
    people = await people_of(db)
    refund = await refunded(db, await payment(db, payment_id), 500, people)
    await settle(db, gateway)
    async with db.transaction() as session:
        await session.execute(
            text("UPDATE refund SET state = 'failed' WHERE id = :id"), {"id": refund.id}
        )
        made = await queries.get_refund(session, refund.id)
        await ledger.post(
            session, idem_key=f"{made.provider_id}:refund.failed", kind="refund.failed",
            actor="exchange", deal_id=trade.deal_id,
            lines=rules.failed_lines(trade.buyer.id, refund.amount), now=NOW,
        )  # fmt: skip
    assert (await balances(db, trade))["refund:buyer:in-transit"] == -500
    one = Failed(trade, refund, gateway, provider_id, people)
    await resent(db, one, one.again())
    await settle(db, gateway)
    assert not [code for code in await balances(db, trade) if code.startswith("refund:")]


COPY = (
    "INSERT INTO refund (id, payment_id, deal_id, payer_id, amount_minor, currency, reason, "
    "goes_to, state, content, content_sha256, prepared_by, prepared_at, resends) "
    "SELECT :new, payment_id, deal_id, payer_id, {amount}, currency, reason, 'card', 'prepared', "
    "c.content, encode(sha256(c.content), 'hex'), prepared_by, prepared_at, {of} "
    "FROM refund, LATERAL (SELECT convert_to(jsonb_set(convert_from(content, 'UTF8')::jsonb, "
    "'{{resends}}', to_jsonb({of}::text))::text, 'UTF8') AS content) AS c WHERE id = :failed"
)


@pytest.mark.parametrize(
    ("attack", "why"),
    [
        (COPY.format(amount="amount_minor + 1", of="id"), "sends nothing again that is owed"),
        (
            COPY.format(amount="amount_minor", of="CAST(:sent AS uuid)"),
            "sends nothing again that is owed",
        ),
        (COPY.format(amount="amount_minor", of="id"), "ix_refund_one_"),
        ("UPDATE refund SET state = 'made' WHERE id = :failed", "stays what it is of"),
        ("UPDATE refund SET resends = NULL WHERE id = :sent", "stays what it is of"),
        ("UPDATE refund SET amount_minor = 501 WHERE id = :sent", "stays what it is of"),
        ("UPDATE refund SET decided_by = prepared_by WHERE id = :sent", "who decided it"),
    ],
    ids=["more", "of-what-sends", "twice", "unfail", "unlink", "raise", "one-person"],
)
async def test_the_database_sends_again_only_what_is_owed_and_once(
    db: Database, attack: str, why: str
) -> None:
    one = await failed(db)
    refund = await resent(db, one, one.again())
    await settle(db, one.gateway)
    values: dict[str, Any] = {"new": ids.new(NOW), "failed": one.refund.id, "sent": refund.id}
    asked = {name: value for name, value in values.items() if f":{name}" in attack}
    with pytest.raises(DBAPIError, match=why):
        async with db.transaction() as session:
            await session.execute(text(attack), asked)


async def test_a_row_that_says_failed_frees_nothing_while_the_books_say_it_arrived(
    db: Database,
) -> None:
    """The application's role may write the word; another order needs the ledger's as well."""
    one = await failed(db)
    refund = await resent(db, one, one.again())
    await settle(db, one.gateway)
    with pytest.raises(DBAPIError, match="sends nothing again that is owed"):
        async with db.transaction() as session:
            await session.execute(
                text("UPDATE refund SET state = 'failed' WHERE id = :id"), {"id": refund.id}
            )
            again = COPY.format(amount="amount_minor", of="id")
            await session.execute(text(again), {"new": ids.new(NOW), "failed": one.refund.id})
