"""Red letters: never more than the invoice, nor its tax, by two people, in a series of its own."""

import asyncio
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from contracts import ids
from contracts.money import Money
from contracts.refusal import IdReused, Unknown
from exchange.db import Database
from settlement.approvals.rules import AlreadyDecided, ContentChanged, SamePerson
from settlement.invoices import service as invoicing
from settlement.invoices.rules import InvoiceNotOpen, PaymentOpen
from settlement.ledger import queries as books
from settlement.redletters import queries, rules, service
from settlement.redletters.rules import (
    Blue,
    RedLetterNeedsRefund,
    RedLetterOpen,
    RedLetterTooLarge,
    RefundHasRedLetter,
)
from settlement.taxes import rules as taxes
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.redletters_factory import approved, asked, fresh, issued, prepared
from tests.settlement.returns_factory import balances, paid_out, refunded, settle, staff
from tests.settlement.settlement_factory import Trade, invoiced, paid
from tests.settlement.test_refunds import bought
from tests.settlement.test_stripe_service import fake, payment

PRICE = Money(120_000_001, "CNY")


async def owed(db: Database, price: Money = PRICE) -> Trade:
    async with db.transaction() as session:
        return await invoiced(session, price=price, now=NOW)


@given(
    gross=st.integers(1, 10**12),
    rate_bp=st.integers(0, 2_000),
    parts=st.lists(st.integers(1, 10**12), max_size=8),
)
def test_invariant_21_red_letters_never_pass_the_invoice_nor_its_tax(
    gross: int, rate_bp: int, parts: list[int]
) -> None:
    """In steps of any size; when all is taken back, so is all the tax."""
    tax = taxes.included(Money(gross, "CNY"), rate_bp).tax.amount_minor
    taken, taken_tax = 0, 0
    for part in [*parts, gross]:
        amount = Money(min(part, gross - taken), "CNY")
        left = Money(gross - taken, "CNY")
        with pytest.raises(RedLetterTooLarge):
            rules.check_room(Money(left.amount_minor + 1, "CNY"), most=left)
        if amount.amount_minor == 0:
            break
        rules.check_room(amount, most=left)
        back = rules.tax_of(Blue(Money(gross, "CNY"), tax, taken, taken_tax), amount)
        assert 0 <= back.amount_minor <= amount.amount_minor
        taken, taken_tax = taken + amount.amount_minor, taken_tax + back.amount_minor
        assert taken_tax <= tax
    if taken == gross:
        assert taken_tax == tax


async def test_an_allowance_lowers_what_is_owed_and_what_everybody_gets(db: Database) -> None:
    trade, people = await owed(db), await staff(db)
    before = await balances(db, trade)
    row = await issued(db, asked(trade.invoice.id, 20_000_000), people)
    assert row.number and row.number.startswith("UHDXR-2026-")
    after = await balances(db, trade)
    moved = {code: after.get(code, 0) - minor for code, minor in before.items()}
    assert moved == {
        "receivable:buyer": -20_000_000,
        "commission": 943_396,
        "tax:vat:output": 56_604,
        "payee:owner0:held": 13_300_000,
        "payee:owner1:held": 5_700_000,
    }
    invoice = await fresh(db, trade.invoice.id)
    assert (invoice.due.amount_minor, invoice.state) == (100_000_001, "issued")
    assert (invoice.reversed_minor, invoice.reversed_tax_minor) == (20_000_000, row.tax_minor)
    assert row.tax_minor == 1_132_075  # 6 % within 200,000.00


async def test_what_is_left_is_paid_and_paid_out_to_the_last_fen(db: Database) -> None:
    trade, people = await owed(db), await staff(db)
    await issued(db, asked(trade.invoice.id, 20_000_000), people)
    gateway = fake()
    async with db.transaction() as session:
        await paid(session, trade, now=NOW, received=Money(100_000_001, "CNY"))
    await paid_out(db, gateway, trade, people)
    assert await balances(db, trade) == {
        "psp:stripe:clearing": 5_000_000,
        "commission": -4_716_981,
        "tax:vat:output": -283_019,
    }
    async with db.sessions() as session:
        assert await books.check(session) == []


async def test_an_invoice_that_is_taken_back_whole_asks_for_nothing(db: Database) -> None:
    trade, people = await owed(db), await staff(db)
    for amount in (1, 70_000_000, 50_000_000):
        await issued(db, asked(trade.invoice.id, amount), people)
    invoice = await fresh(db, trade.invoice.id)
    assert (invoice.state, invoice.due.amount_minor) == ("reversed", 0)
    assert invoice.reversed_tax_minor == invoice.tax_minor
    assert await balances(db, trade) == {}
    with pytest.raises(InvoiceNotOpen):
        async with db.transaction() as session:
            await invoicing.request_payment(
                session,
                invoice.id,
                ids.new(NOW),
                payer_id=trade.buyer.id,
                method="card",
                now=NOW,
            )
    with pytest.raises(RedLetterTooLarge) as refused:
        await prepared(db, asked(invoice.id, 1), people)
    assert refused.value.data["most"] == {"amount_minor": 0, "currency": "CNY"}


async def test_what_a_deposit_paid_is_not_taken_back_and_the_rest_closes_the_invoice(
    db: Database,
) -> None:
    trade, people = await owed(db), await staff(db)
    async with db.transaction() as session:
        invoice = await invoicing.locked(session, trade.invoice.id)
        await invoicing.credit_deposit(session, invoice, Money(20_000_001, "CNY"), now=NOW)
    with pytest.raises(RedLetterTooLarge):
        await prepared(db, asked(invoice.id, 100_000_001), people)
    await issued(db, asked(invoice.id, 100_000_000), people)
    assert (await fresh(db, invoice.id)).state == "paid"
    left = await balances(db, trade)
    assert left["payee:owner0:due"] + left["payee:owner1:due"] == -19_000_001
    assert left["commission"] + left["tax:vat:output"] == -1_000_000


async def test_no_red_letter_while_a_payment_of_the_whole_is_under_way(db: Database) -> None:
    trade, people = await owed(db), await staff(db)
    row = await prepared(db, asked(trade.invoice.id, 5), people)
    async with db.transaction() as session:
        await invoicing.request_payment(
            session, trade.invoice.id, ids.new(NOW), payer_id=trade.buyer.id, method="card", now=NOW
        )
    with pytest.raises(PaymentOpen):
        await approved(db, row, people.checker)


async def test_a_paid_invoice_is_taken_back_by_its_refund_alone(db: Database) -> None:
    trade, payment_id, _, gateway = await bought(db)
    people = await staff(db)
    with pytest.raises(RedLetterNeedsRefund):
        await prepared(db, asked(trade.invoice.id, 500), people)
    refund = await refunded(db, await payment(db, payment_id), 10_000_001, people)
    await settle(db, gateway)
    with pytest.raises(RedLetterNeedsRefund):
        await prepared(db, asked(trade.invoice.id, 500, refund_id=refund.id), people)
    before = await balances(db, trade)
    ask = asked(trade.invoice.id, 10_000_001, refund_id=refund.id)
    row = await issued(db, ask, people)
    assert await balances(db, trade) == before  # the refund booked it all
    invoice = await fresh(db, trade.invoice.id)
    assert (invoice.state, invoice.reversed_minor) == ("paid", 10_000_001)
    with pytest.raises(RefundHasRedLetter) as refused:
        await prepared(db, ask, people)
    assert refused.value.data == {"red_letter": str(row.id)}


async def test_whoever_prepared_it_does_not_approve_it(db: Database) -> None:
    trade, people = await owed(db), await staff(db)
    row = await prepared(db, asked(trade.invoice.id, 5), people)
    with pytest.raises(SamePerson):
        await approved(db, row, people.maker)
    async with db.sessions() as session:
        assert (await queries.get_red_letter(session, row.id, party_id=None)).state == "prepared"


async def test_a_decision_names_what_was_read_and_stands(db: Database) -> None:
    trade, people = await owed(db), await staff(db)
    row = await prepared(db, asked(trade.invoice.id, 5), people)
    async with db.transaction() as session:
        other = await decided(session, people.checker, "0" * 64, now=NOW)
        with pytest.raises(ContentChanged):
            await service.approve(session, row.id, decision=other, now=NOW)
    async with db.transaction() as session:
        seen = await decided(session, people.checker, row.content_sha256, now=NOW)
        for _ in range(2):
            refused = await service.refuse(session, row.id, decision=seen, reason="no", now=NOW)
        assert (refused.state, refused.number) == ("refused", None)
    with pytest.raises(AlreadyDecided):
        await approved(db, row, people.checker)
    assert (await fresh(db, trade.invoice.id)).reversed_minor == 0


async def test_the_same_id_says_the_same_or_is_refused(db: Database) -> None:
    trade, people = await owed(db), await staff(db)
    row = await prepared(db, asked(trade.invoice.id, 5), people)
    async with db.transaction() as session:
        again, new = await service.prepare(
            session, row.id, ask=row.ask(), person_id=people.maker, now=NOW
        )
        assert (again.id, new) == (row.id, False)
        with pytest.raises(IdReused):
            await service.prepare(
                session,
                row.id,
                ask=asked(trade.invoice.id, 6),
                person_id=people.maker,
                now=NOW,
            )


async def test_of_many_at_once_one_waits_and_together_they_never_pass_the_invoice(
    db: Database,
) -> None:
    trade, people = await owed(db, Money(1_000, "CNY")), await staff(db)

    async def attempt() -> str:
        try:
            await issued(db, asked(trade.invoice.id, 400), people)
        except (RedLetterOpen, RedLetterTooLarge) as refused:
            return refused.code
        return "issued"

    outcomes = await asyncio.gather(*(attempt() for _ in range(6)))
    outcomes += [await attempt() for _ in range(3)]
    invoice = await fresh(db, trade.invoice.id)
    assert outcomes.count("issued") == 2
    assert (invoice.reversed_minor, invoice.due.amount_minor) == (800, 200)


async def test_one_letter_approved_twice_at_once_is_issued_once(db: Database) -> None:
    trade, people = await owed(db), await staff(db)
    row = await prepared(db, asked(trade.invoice.id, 400), people)
    both = await asyncio.gather(*(approved(db, row, people.checker) for _ in range(2)))
    assert both[0].number == both[1].number
    assert (await fresh(db, trade.invoice.id)).reversed_minor == 400


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        (
            "UPDATE invoice SET reversed_minor = 5 WHERE id = :invoice",
            "is not taken back by its red letters",
        ),
        (
            "UPDATE invoice SET reversed_minor = 200000000 WHERE id = :invoice",
            "invoice_reversed_is_part_of_it",
        ),
        (
            "UPDATE red_letter SET state = 'issued', number = 'X-1', decided_at = now(), "
            "decided_by = :checker WHERE id = :id",
            "is not decided by person",
        ),
        ("UPDATE red_letter SET content = 'x' WHERE id = :id", "never changes what it says"),
        ("DELETE FROM red_letter WHERE id = :id", "a red-letter stays"),
    ],
    ids=["without-a-letter", "beyond-the-invoice", "unapproved", "changed", "deleted"],
)
async def test_the_database_refuses_what_the_service_would(
    db: Database, statement: str, rule: str
) -> None:
    trade, people = await owed(db), await staff(db)
    row = await prepared(db, asked(trade.invoice.id, 5), people)
    named = {"invoice": trade.invoice.id, "id": row.id, "checker": people.checker}
    with pytest.raises(DBAPIError, match=rule):
        async with db.transaction() as session:
            await session.execute(
                text(statement), {k: v for k, v in named.items() if f":{k}" in statement}
            )


async def test_issued_letters_are_told_to_both_sides_and_nobody_else(db: Database) -> None:
    trade, people = await owed(db), await staff(db)
    waiting = await prepared(db, asked(trade.invoice.id, 5), people)
    async with db.sessions() as session:
        with pytest.raises(Unknown):
            await queries.get_red_letter(session, waiting.id, party_id=trade.buyer.id)
    await approved(db, waiting, people.checker)
    async with db.sessions() as session:
        for side in (trade.buyer.id, trade.owner_ids[0]):
            await queries.get_red_letter(session, waiting.id, party_id=side)
            seen = await queries.page(session, party_id=side, after=UUID(int=0), limit=5)
            assert [row.id for row in seen] == [waiting.id]
        with pytest.raises(Unknown):
            await queries.get_red_letter(session, waiting.id, party_id=trade.owner_ids[1])
