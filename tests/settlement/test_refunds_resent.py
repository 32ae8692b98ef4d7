"""Refunds that failed and are sent again: by two people, one at a time, and never twice."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from contracts import ids
from contracts.refusal import IdReused, Unknown
from exchange.db import Database
from settlement.approvals.rules import SamePerson
from settlement.ledger import queries as books
from settlement.ledger import service as ledger
from settlement.outbound.rules import CREATE_REFUND
from settlement.recoveries import queries as recoveries
from settlement.recoveries import rules as taking
from settlement.recoveries.rules import Cause
from settlement.redletters import service as red_letters
from settlement.redletters.rules import RedLetterNeedsRefund
from settlement.refunds import queries, resending, rules, service
from settlement.refunds.rules import (
    Again,
    PaymentDisputed,
    RefundNotFailed,
    RefundOpen,
    RefundSentAgain,
)
from settlement.refunds.tables import Refund
from settlement.timeline import queries as timelines
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.redletters_factory import asked as red_letter_of
from tests.settlement.resent_factory import Failed, comes_back, failed, prepared, resent
from tests.settlement.returns_factory import (
    balances,
    disputed,
    refunded,
    settle,
)
from tests.settlement.returns_factory import staff as people_of
from tests.settlement.test_refunds import bought
from tests.settlement.test_stripe_service import deliver, event, payment

LATER = NOW + timedelta(days=1)


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
        refund = await prepared(session, one, one.again())
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
        refund = await prepared(session, one, one.again())
        told = {"again": one.again(), "person_id": one.people.maker, "now": LATER}
        again, new = await resending.resend(session, refund.id, **told)
        assert (again.id, again.content_sha256, new) == (refund.id, refund.content_sha256, False)
        with pytest.raises(IdReused):
            other = Again(one.refund.id, "for another reason", rules.TO_CARD)
            await resending.resend(session, refund.id, **{**told, "again": other})
        with pytest.raises(RefundOpen):
            await prepared(session, one, one.again())
        with pytest.raises(Unknown):
            await prepared(session, one, Again(ids.new(NOW), "x", rules.TO_CARD))
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
