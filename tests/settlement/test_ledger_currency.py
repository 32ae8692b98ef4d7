"""Currencies in the ledger, invariants 12 to 15: exchange at quotes, exponents, exact rates.

Source: the reference on settlement, §4. What SQL could do to them is in `test_ledger_attacks`.
"""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import EXPONENTS, AmountOutOfRange, Money
from contracts.refusal import IdReused
from exchange.db import Database
from settlement.ledger import exchanging, rules, service
from settlement.ledger.rules import (
    Quote,
    QuoteNotValid,
)
from tests.conftest import NOW
from tests.settlement import books_factory as books
from tests.settlement.books_factory import LATER, money


async def test_invariant_12_a_line_is_in_its_accounts_currency(session: AsyncSession) -> None:
    one = books.payee()
    await books.owed(session, one, money(700))
    accounts = await service.account_ids(session, [(one.due, money(1))])
    with pytest.raises(DBAPIError, match="in_the_accounts_currency"):
        await session.execute(
            text(
                "WITH made AS (INSERT INTO ledger_journal (idem_key, kind, actor, effective_at, "
                "request_hash, lines) VALUES (:key, 'invoice.issued', 'me', now(), '\\x00', 2) "
                "RETURNING id) "
                "SELECT id FROM made"
            ),
            {"key": str(one.id)},
        )
        await session.execute(
            text(
                "INSERT INTO ledger_posting (journal_id, line, account_id, currency, "
                "amount_minor) SELECT id, 1, :account, 'USD', 5 "
                "FROM ledger_journal WHERE idem_key = :key"
            ),
            {"key": str(one.id), "account": accounts[f"{one.due}:CNY"]},
        )


async def test_invariant_13_an_exchange_balances_in_each_currency_and_names_its_quote(
    session: AsyncSession,
) -> None:
    one = books.payee()
    await books.owed(session, one, money(10_000, "USD"))
    quote = await books.quoted(session, "USD", "CNY", "7.1023")
    journal = await books.exchanged(session, quote, one, money(10_000, "USD"), money(71_023))
    await books.check_now(session)
    kept = (
        await session.execute(
            text(
                "SELECT quote_id, sold_minor, bought_minor FROM ledger_exchange "
                "WHERE journal_id = :id"
            ),
            {"id": journal},
        )
    ).one()
    assert tuple(kept) == (quote, 10_000, 71_023)
    sums = await session.execute(
        text("SELECT count(*), sum(amount_minor) FROM ledger_posting WHERE journal_id = :id "
             "GROUP BY currency"), {"id": journal},
    )  # fmt: skip
    assert [tuple(row) for row in sums] == [(2, 0), (2, 0)]
    assert await books.balance(session, one.due) == -71_023


@pytest.mark.parametrize(
    "now", [NOW - timedelta(seconds=1), NOW + timedelta(hours=1), NOW + timedelta(days=400)]
)
async def test_invariant_13_a_quote_that_does_not_hold_is_refused(
    session: AsyncSession, now: object
) -> None:
    one = books.payee()
    await books.owed(session, one, money(10_000, "USD"))
    quote = await books.quoted(session, "USD", "CNY", "7.1023")
    with pytest.raises(QuoteNotValid):
        await books.exchanged(session, quote, one, money(10_000, "USD"), money(71_023), now=now)


@pytest.mark.parametrize(
    ("bought", "sold", "at", "fault"),
    [
        (71_023, 10_000, LATER, "does not hold"),
        (71_024, 10_000, NOW, "departs from its quote"),
        (71_022, 10_000, NOW, "departs from its quote"),
        (71_023, 9_999, NOW, "does not move the positions"),
    ],
)
async def test_invariant_13_sql_cannot_exchange_at_another_rate_or_an_old_one(
    session: AsyncSession, bought: int, sold: int, at: object, fault: str
) -> None:
    one = books.payee()
    await books.owed(session, one, money(10_000, "USD"))
    quote = await books.quoted(session, "USD", "CNY", "7.1023")
    lines = rules.exchange_lines((one.due, money(10_000, "USD")), one.due, money(bought))
    journal = await books.booked(session, lines, now=at)
    await session.execute(
        text("INSERT INTO ledger_exchange VALUES (:journal, :quote, 'USD', :sold, 'CNY', :bought)"),
        {"journal": journal, "quote": quote, "sold": sold, "bought": bought},
    )
    with pytest.raises(DBAPIError, match=fault):
        await session.commit()


async def test_invariant_13_an_exchange_cannot_be_told_of_an_old_journal(db: Database) -> None:
    one = books.payee()
    async with db.transaction() as session:
        await books.owed(session, one, money(10_000, "USD"))
        journal = await books.owed(session, one, money(10_000))
        quote = await books.quoted(session, "USD", "CNY", "7.1023")
    async with db.sessions() as session:
        await session.execute(
            text("INSERT INTO ledger_exchange VALUES (:journal, :quote, 'USD', 1, 'CNY', 7)"),
            {"journal": journal, "quote": quote},
        )
        with pytest.raises(DBAPIError, match="takes no exchange"):
            await session.commit()


async def test_invariant_13_an_exchange_is_reversed_without_a_fresh_quote(
    session: AsyncSession,
) -> None:
    one = books.payee()
    await books.owed(session, one, money(10_000, "USD"))
    quote = await books.quoted(session, "USD", "CNY", "7.1023")
    journal = await books.exchanged(session, quote, one, money(10_000, "USD"), money(71_023))
    await books.undone(session, journal, now=NOW + timedelta(days=9))
    await books.check_now(session)
    assert await books.balance(session, one.due, "USD") == -10_000


RATES = st.decimals("0.0000000001", "99999", places=10).filter(lambda rate: rate > 0)
PAIRS = st.sampled_from([(a, b) for a in EXPONENTS for b in EXPONENTS if a != b])


@given(rate=RATES, pair=PAIRS, minor=st.integers(0, 10**8), turned=st.booleans())
def test_invariant_14_there_and_back_never_gains(
    rate: Decimal, pair: tuple[str, str], minor: int, turned: bool
) -> None:
    quote = Quote(*pair, rate, NOW, LATER)
    first, second = pair[::-1] if turned else pair
    sold = Money(minor, first)
    try:
        there = rules.exchanged(quote, sold, into=second, at=NOW)
        back = rules.exchanged(quote, there, into=first, at=NOW)
    except AmountOutOfRange:
        return
    assert back.amount_minor <= minor
    minus = rules.exchanged(quote, Money(-minor, first), into=second, at=NOW)
    assert minus.amount_minor == -there.amount_minor


@pytest.mark.parametrize(
    ("base", "counter", "rate", "sold", "bought"),
    [
        ("USD", "JPY", "151.37", 10_001, 15_138),  # 100.01 USD are 15,138.51 JPY
        ("KWD", "CNY", "23.1", 1_001, 2_312),  # 1.001 KWD are 23.1231 CNY
        ("JPY", "KWD", "0.002", 999, 1_998),  # 999 JPY are 1.998 KWD
        ("CNY", "HKD", "1.0721", 1, 1),
    ],
)
async def test_invariant_15_amounts_follow_the_exponents_of_one_table(
    session: AsyncSession, base: str, counter: str, rate: str, sold: int, bought: int
) -> None:
    """The database computes the same with its own table, or it would refuse the commit."""
    one = books.payee()
    await books.owed(session, one, money(sold, base))
    quote = await books.quoted(session, base, counter, rate)
    await books.exchanged(session, quote, one, money(sold, base), money(bought, counter))
    await books.check_now(session)
    assert await books.balance(session, one.due, counter) == -bought


async def test_invariant_15_the_databases_exponents_are_those_of_money(
    session: AsyncSession,
) -> None:
    rows = await session.execute(text("SELECT code, exponent FROM ledger_currency"))
    assert {row.code: row.exponent for row in rows} == dict(EXPONENTS)


async def test_a_quote_is_kept_once_and_a_rate_is_exact(session: AsyncSession) -> None:
    quote_id = await books.quoted(session, "USD", "CNY", "7.1023456789")
    kept = await exchanging.get_quote(session, quote_id)
    assert kept.rate == Decimal("7.1023456789")
    other = Quote("USD", "CNY", Decimal("7.2"), NOW, NOW + timedelta(hours=1))
    with pytest.raises(IdReused):
        await exchanging.quote(session, quote_id, other, source="test", actor="test")


@pytest.mark.parametrize(
    "quote",
    [
        Quote("USD", "CNY", Decimal("7.00000000001"), NOW, LATER),
        Quote("USD", "CNY", Decimal(0), NOW, LATER),
        Quote("USD", "CNY", Decimal("NaN"), NOW, LATER),
        Quote("USD", "USD", Decimal(1), NOW, LATER),
        Quote("USD", "CNY", Decimal(7), NOW, NOW + timedelta(hours=25)),
        Quote("USD", "CNY", Decimal(7), NOW, NOW),
    ],
    ids=["eleven places", "zero", "not a number", "one currency", "too long", "no time"],
)
def test_a_rate_that_cannot_be_kept_is_refused(quote: Quote) -> None:
    with pytest.raises(rules.RateInvalid):
        rules.check_quote(quote)
