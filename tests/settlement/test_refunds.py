"""Refunds: who gives back what, by two people, once, whatever is heard in whatever order."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from contracts import ids
from contracts.money import Money
from contracts.refusal import IdReused
from exchange.db import Database
from settlement.approvals.rules import AlreadyDecided, ContentChanged, Decision, SamePerson
from settlement.disputes import queries as disputes
from settlement.ledger import queries as books
from settlement.outbound.rules import (
    CREATE_REFUND,
    CREATE_TRANSFER,
    REVERSE_TRANSFER,
    Rejected,
)
from settlement.payouts.rules import SettlementNotFunded
from settlement.recoveries import queries as recoveries
from settlement.recoveries import rules as taking
from settlement.recoveries.rules import Cause, PayoutUnderWay, Share
from settlement.refunds import queries, service
from settlement.refunds.rules import (
    Ask,
    PaymentDisputed,
    PaymentNotRefundable,
    RefundOpen,
    RefundTooLarge,
)
from settlement.refunds.tables import Refund
from settlement.taxes import rules as taxes
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.fake_stripe import FakeStripe
from tests.settlement.returns_factory import (
    balances,
    disputed,
    paid_out,
    refunded,
    settle,
    staff,
)
from tests.settlement.settlement_factory import Trade
from tests.settlement.test_stripe_service import PRICE, asked, deliver, event, fake, payment, ready

SHARES = st.dictionaries(
    st.integers(1, 12), st.integers(0, 10_000_000), min_size=1, max_size=8
).filter(lambda shares: sum(shares.values()) > 0)


async def bought(db: Database) -> tuple[Trade, UUID, str, FakeStripe]:
    """A trade whose buyer has paid by card."""
    gateway = fake()
    trade, payment_id, provider_id = await ready(db, gateway)
    gateway.pay(provider_id, PRICE)
    await deliver(db, event(provider_id, "payment_intent.succeeded"))
    await settle(db, gateway)
    return trade, payment_id, provider_id, gateway


@given(shares=SHARES, parts=st.lists(st.integers(1, 10_000), min_size=1, max_size=6))
def test_refunds_in_steps_end_where_one_whole_refund_does(
    shares: dict[int, int], parts: list[int]
) -> None:
    """Nobody gives back more than it got, nobody gets anything, and all together is exact."""
    taken = dict.fromkeys(shares, 0)
    left = sum(shares.values())
    for part in [*parts, left]:
        amount = min(part, left)
        if amount == 0:
            break
        step = taking.steps(
            {line: Share(line, minor, taken[line]) for line, minor in shares.items()}, amount
        )
        assert sum(step.values()) == amount
        assert all(minor > 0 for minor in step.values())
        for line, minor in step.items():
            taken[line] += minor
            assert taken[line] <= shares[line]
        left -= amount
    if left == 0:
        assert taken == shares


async def test_a_refund_before_the_payout_comes_out_of_what_is_due(db: Database) -> None:
    trade, payment_id, _, gateway = await bought(db)
    before = await balances(db, trade)
    paid = await payment(db, payment_id)
    refund = await refunded(db, paid, 10_000_001, await staff(db))
    await settle(db, gateway)
    assert len(gateway.of(CREATE_REFUND, "refund", refund.id)) == 1
    after = await balances(db, trade)
    given = {code: after.get(code, 0) - minor for code, minor in before.items()}
    assert given.pop("psp:stripe:clearing") == -10_000_001
    assert given == {
        "commission": 471_698,
        "tax:vat:output": 28_302,
        "payee:owner0:due": 6_650_001,
        "payee:owner1:due": 2_850_000,
    }
    async with db.sessions() as session:
        seen = await queries.get_refund(session, refund.id)
    assert seen.state == "made"


async def test_a_refund_after_the_payout_reverses_every_transfer(db: Database) -> None:
    trade, payment_id, _, gateway = await bought(db)
    people = await staff(db)
    await paid_out(db, gateway, trade, people)
    refund = await refunded(db, await payment(db, payment_id), PRICE.amount_minor, people)
    owed = await balances(db, trade)
    assert owed["recoverable:owner0"] + owed["recoverable:owner1"] == 114_000_001
    await settle(db, gateway)
    assert await balances(db, trade) == {}  # everybody is where they were before
    async with db.sessions() as session:
        rows = await recoveries.of_cause(session, Cause(taking.REFUND, refund.id))
        assert await books.check(session) == []
    assert [row.state for row in rows] == ["taken", "reversed", "reversed"]
    made = [given for op, _, given in gateway.made if op == REVERSE_TRANSFER]
    assert sorted(one["amount"] for one in made) == sorted(
        row.amount_minor for row in rows if row.kind == "share"
    )


async def test_what_an_account_cannot_give_back_stays_a_claim_and_is_asked_for_again(
    db: Database,
) -> None:
    """The buyer has the money in any case; the payee owes it until the reversal goes through."""
    trade, payment_id, _, gateway = await bought(db)
    people = await staff(db)
    await paid_out(db, gateway, trade, people)
    refund = await refunded(db, await payment(db, payment_id), 40_000_000, people)
    poor = fake(refusal=Rejected("balance_insufficient", final=True))
    await settle(db, poor)
    owed = await balances(db, trade)
    assert owed["recoverable:owner0"] + owed["recoverable:owner1"] == 38_000_000
    await settle(db, gateway, NOW + timedelta(hours=7))
    async with db.sessions() as session:
        rows = await recoveries.of_cause(session, Cause(taking.REFUND, refund.id))
    assert {row.state for row in rows if row.kind == "share"} == {"reversed"}
    assert "recoverable:owner0" not in await balances(db, trade)


async def test_a_second_payment_of_one_invoice_goes_back_out_of_suspense(db: Database) -> None:
    trade, payment_id = await asked(db)
    gateway = fake()
    await settle(db, gateway)
    provider_id = str((await payment(db, payment_id)).provider_id)
    gateway.pay(provider_id, Money(77, "CNY"))  # not what is due
    await deliver(db, event(provider_id, "payment_intent.succeeded"))
    await settle(db, gateway)
    async with db.transaction() as session:
        await session.execute(
            text("UPDATE payment SET amount_minor = 77 WHERE id = :id"), {"id": payment_id}
        )
    await refunded(db, await payment(db, payment_id), 77, await staff(db))
    await settle(db, gateway)
    assert "suspense:psp" not in await balances(db, trade)


async def test_a_refund_that_comes_back_is_still_owed_to_the_buyer(db: Database) -> None:
    trade, payment_id, provider_id, gateway = await bought(db)
    refund = await refunded(db, await payment(db, payment_id), 500, await staff(db))
    await settle(db, gateway)
    gateway.failed |= set(gateway.of(CREATE_REFUND, "refund", refund.id))
    for type in ("refund.failed", "refund.updated", "charge.refunded"):
        await deliver(db, event(provider_id, type))
    await settle(db, gateway)
    assert (await balances(db, trade))["refund:buyer:owed"] == -500
    async with db.sessions() as session:
        assert (await queries.get_refund(session, refund.id)).state == "failed"


async def test_a_refund_that_was_not_ordered_here_waits_in_suspense(db: Database) -> None:
    _, _, provider_id, gateway = await bought(db)
    names = {"refund": str(ids.new(NOW)), "intent_id": "dashboard"}
    foreign = {"payment_intent": provider_id, "amount": 900, "metadata": names}
    gateway.made.append((CREATE_REFUND, f"re_{gateway.mark}", foreign))
    for _ in range(2):
        await deliver(db, event(provider_id, "refund.created"))
        await settle(db, gateway)
    async with db.sessions() as session:
        booked = await session.execute(
            text(
                "SELECT p.amount_minor FROM ledger_journal j "
                "JOIN ledger_posting p ON p.journal_id = j.id "
                "JOIN ledger_account a ON a.id = p.account_id "
                "WHERE j.idem_key = :key AND a.code = 'suspense:psp:CNY'"
            ),
            {"key": f"re_{gateway.mark}:foreign"},
        )
        assert booked.scalars().all() == [900]


async def test_more_than_came_in_never_goes_back(db: Database) -> None:
    _, payment_id, _, gateway = await bought(db)
    people = await staff(db)
    paid = await payment(db, payment_id)
    await refunded(db, paid, 100_000_000, people)
    with pytest.raises(RefundOpen):
        await refunded(db, paid, 1, people)
    await settle(db, gateway)
    with pytest.raises(RefundTooLarge) as caught:
        await refunded(db, paid, 20_000_002, people)
    assert caught.value.data["most"] == {"amount_minor": 20_000_001, "currency": "CNY"}
    await refunded(db, paid, 20_000_001, people)


async def test_what_is_unpaid_or_under_way_or_disputed_is_not_refunded(db: Database) -> None:
    trade, payment_id = await asked(db)
    people = await staff(db)
    with pytest.raises(PaymentNotRefundable):
        await refunded(db, await payment(db, payment_id), 1, people)
    trade, payment_id, provider_id, gateway = await bought(db)
    silent = fake(refusal=Rejected("429", final=False))
    await paid_out(db, silent, trade, people)  # approved, and nothing has gone out yet
    with pytest.raises(PayoutUnderWay):
        await refunded(db, await payment(db, payment_id), 1, people)
    await settle(db, gateway, NOW + timedelta(hours=7))
    gateway.disputes[provider_id] = [disputed(provider_id, 5, "needs_response")]
    await deliver(db, event(provider_id, "charge.dispute.created"))
    await settle(db, gateway, NOW + timedelta(hours=7))
    with pytest.raises(PaymentDisputed):
        await refunded(db, await payment(db, payment_id), 1, people)
    async with db.sessions() as session:
        found = await disputes.find_open(session, payment_id)
    assert found is not None
    assert found.state == "received"


async def test_two_people_decide_a_refund_on_exactly_what_was_read(db: Database) -> None:
    trade, payment_id, _, gateway = await bought(db)
    people = await staff(db)
    ask = Ask(payment_id, Money(700, "CNY"), "withdrawn")
    async with db.transaction() as session:
        refund, new = await service.prepare(
            session, ids.new(NOW), ask=ask, person_id=people.checker, now=NOW
        )
        again = await service.prepare(
            session, refund.id, ask=ask, person_id=people.checker, now=NOW
        )
        assert (new, again[1]) == (True, False)
    async with db.transaction() as session:
        with pytest.raises(IdReused):
            other = Ask(payment_id, Money(701, "CNY"), "withdrawn")
            await service.prepare(session, refund.id, ask=other, person_id=people.checker, now=NOW)
        with pytest.raises(SamePerson):
            own = Decision(people.checker, refund.content_sha256)
            await service.approve(session, refund.id, decision=own, now=NOW)
        with pytest.raises(ContentChanged):
            await service.approve(
                session, refund.id, decision=Decision(people.maker, "0" * 64), now=NOW
            )
    await paid_out(db, gateway, trade, people)  # now it would reverse transfers instead
    seen = Decision(people.maker, refund.content_sha256)
    async with db.transaction() as session:
        with pytest.raises(ContentChanged):
            await service.approve(session, refund.id, decision=seen, now=NOW)
        gone = await service.refuse(session, refund.id, decision=seen, reason="late", now=NOW)
        assert gone.state == "refused"
        assert await service.refuse(session, refund.id, decision=seen, reason="late", now=NOW)
        with pytest.raises(AlreadyDecided):
            await service.approve(session, refund.id, decision=seen, now=NOW)


async def test_invariant_30_one_id_is_one_refund_even_when_asked_for_twice_at_once(
    db: Database,
) -> None:
    """The same content gets the same answer, other content is refused, and one call executes."""
    _, payment_id, _, gateway = await bought(db)
    people, refund_id = await staff(db), ids.new(NOW)

    async def ask(amount_minor: int) -> tuple[Refund, bool]:
        asked_for = Ask(payment_id, Money(amount_minor, "CNY"), "withdrawn")
        async with db.transaction() as session:
            return await service.prepare(
                session, refund_id, ask=asked_for, person_id=people.maker, now=NOW
            )

    answers = await asyncio.gather(*(ask(900) for _ in range(4)))
    assert sorted(new for _, new in answers) == [False, False, False, True]
    assert len({refund.content_sha256 for refund, _ in answers}) == 1
    with pytest.raises(IdReused):
        await ask(901)

    async def approve() -> None:
        async with db.transaction() as session:
            sha256 = answers[0][0].content_sha256
            decision = await decided(session, people.checker, sha256, now=NOW)
            await service.approve(session, refund_id, decision=decision, now=NOW)

    await asyncio.gather(*(approve() for _ in range(4)))
    await asyncio.gather(*(settle(db, gateway) for _ in range(3)))
    assert len(gateway.of(CREATE_REFUND, "refund", refund_id)) == 1


async def test_not_even_the_database_lets_one_person_do_both(db: Database) -> None:
    _, payment_id, _, _ = await bought(db)
    refund = await refunded(db, await payment(db, payment_id), 5, await staff(db))
    with pytest.raises(DBAPIError, match="or who decided it"):
        async with db.transaction() as session:
            await session.execute(
                text("UPDATE refund SET decided_by = prepared_by WHERE id = :id"),
                {"id": refund.id},
            )


async def test_a_payout_pays_what_a_refund_has_left(db: Database) -> None:
    trade, payment_id, _, gateway = await bought(db)
    people = await staff(db)
    await refunded(db, await payment(db, payment_id), 20_000_001, people)
    await settle(db, gateway)
    await paid_out(db, gateway, trade, people)
    made = [given["amount"] for op, _, given in gateway.made if op == CREATE_TRANSFER]
    assert sorted(made) == [28_500_000, 66_500_000]
    left = await balances(db, trade)
    assert not [code for code in left if code.startswith(("payee:", "refund:", "recoverable:"))]
    await refunded(db, await payment(db, payment_id), 100_000_000, people)
    await settle(db, gateway)
    assert await balances(db, trade) == {}


async def test_nothing_is_paid_out_of_what_went_back_whole(db: Database) -> None:
    trade, payment_id, _, gateway = await bought(db)
    people = await staff(db)
    await refunded(db, await payment(db, payment_id), PRICE.amount_minor, people)
    await settle(db, gateway)
    with pytest.raises(SettlementNotFunded):
        await paid_out(db, gateway, trade, people)


@given(
    fee=st.integers(1, 10**9),
    rate_bp=st.integers(0, 2_000),
    parts=st.lists(st.integers(1, 10**8), max_size=6),
)
def test_invariant_21_no_more_vat_goes_back_than_was_charged(
    fee: int, rate_bp: int, parts: list[int]
) -> None:
    """In steps of any size: never below nothing, never above, and all of it at the end."""
    charged = taxes.included(Money(fee, "CNY"), rate_bp).tax.amount_minor
    taken, tax = 0, 0
    for part in [*parts, fee]:
        step = min(part, fee - taken)
        moved = taking.tax_step(charged, Share(1, fee, taken), step)
        assert 0 <= moved <= step
        taken, tax = taken + step, tax + moved
        assert tax <= charged
    assert (taken, tax) == (fee, charged)
