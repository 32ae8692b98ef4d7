"""Attacks on the books, as the application's own role. A number stands for its attack."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from exchange.db import Database
from settlement.ledger import queries
from tests.settlement.attack_books import Books


@pytest.fixture
async def books(db: Database) -> AsyncIterator[Books]:
    async with db.sessions() as session:
        opened = Books(session)
        await opened.open()
        yield opened
        await session.rollback()


async def test_the_attacks_run_as_the_application_role(books: Books) -> None:
    assert (await books.session.execute(text("SELECT current_user"))).scalar_one() == "exchange_app"


async def test_a1_a_balanced_journal_is_booked(books: Books) -> None:
    await books.post("k1", [0, 1], [100, -100])
    await books.commit_checks()
    assert (await books.posted(0), await books.posted(1)) == (100, -100)


async def test_a2_an_unbalanced_journal_fails_at_commit(books: Books) -> None:
    await books.post("k2", [0, 1], [100, -99])
    with pytest.raises(DBAPIError, match="does not balance in CNY"):
        await books.session.commit()


async def test_a3_two_currencies_that_balance_in_number_only_fail(books: Books) -> None:
    await books.post("k3", [0, 3], [100, -100])
    with pytest.raises(DBAPIError, match="does not balance"):
        await books.session.commit()


async def test_a4_four_lines_that_balance_in_each_currency_name_their_quote(books: Books) -> None:
    """The reference schema books them; here they are an exchange (test_ledger_invariants, 13)."""
    await books.post("k4", [0, 1, 3, 4], [-700, 700, -100, 100])
    with pytest.raises(DBAPIError, match="without a quote"):
        await books.session.commit()


@pytest.mark.parametrize(
    ("lines", "word"), [(0, "two_lines"), (1, "two_lines"), (2, "0 lines of 2")]
)
async def test_a5_an_empty_or_one_line_journal_fails(books: Books, lines: int, word: str) -> None:
    with pytest.raises(DBAPIError, match=word):
        await books.journal("k5", lines)
        await books.session.commit()


async def test_a6_a_balanced_pair_cannot_join_a_journal_of_another_transaction(
    db: Database,
) -> None:
    async with db.transaction() as session:
        first = Books(session)
        await first.open()
        old = await first.post("k6", [0, 1], [100, -100])
    async with db.sessions() as session:
        first.session = session
        with pytest.raises(DBAPIError, match="is sealed"):
            await first.line(old, 7, 0, 5)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger_posting SET amount_minor = 1",
        "DELETE FROM ledger_posting",
        "UPDATE ledger_journal SET kind = 'x'",
        "DELETE FROM ledger_journal",
        "TRUNCATE ledger_posting CASCADE",
        "TRUNCATE ledger_journal CASCADE",
        "UPDATE ledger_account SET floor_minor = NULL",
        "UPDATE ledger_account SET status = 'frozen'",
        "DELETE FROM ledger_account",
        "UPDATE ledger_hold SET amount_minor = 1",
        "DELETE FROM ledger_hold_end",
        "UPDATE ledger_quote SET rate = 1",
        "DELETE FROM ledger_exchange",
        "DELETE FROM ledger_account_mark",
        "DELETE FROM ledger_close",
    ],
)
async def test_a7_nothing_booked_is_changed_or_removed(books: Books, change: str) -> None:
    await books.post("k7", [0, 1], [100, -100])
    with pytest.raises(DBAPIError, match=r"permission denied|append-only"):
        await books.session.execute(text(change))


async def test_a7_even_the_owner_meets_the_triggers(books: Books) -> None:
    await books.post("k7b", [0, 1], [100, -100])
    await books.session.execute(text("RESET ROLE"))
    await books.session.execute(text("SET LOCAL ROLE NONE"))
    with pytest.raises(DBAPIError, match="append-only"):
        await books.session.execute(text("UPDATE ledger_posting SET amount_minor = 1"))


async def test_a8_a_line_in_another_currency_than_its_account_fails(books: Books) -> None:
    journal = await books.journal("k8", 2)
    with pytest.raises(DBAPIError, match="in_the_accounts_currency"):
        await books.line(journal, 1, 0, 5, currency="USD")


async def test_a9_a_balance_does_not_go_below_its_floor(books: Books) -> None:
    with pytest.raises(DBAPIError, match="below floor"):
        await books.post("k9", [2, 1], [-1, 1])


async def test_a10_the_same_key_and_content_give_the_same_journal(books: Books) -> None:
    first = await books.post("k10", [0, 1], [100, -100])
    assert await books.post("k10", [0, 1], [100, -100]) == first
    assert await books.posted(0) == 100


async def test_a10_the_same_key_with_other_content_is_refused(books: Books) -> None:
    await books.post("k10", [0, 1], [100, -100])
    with pytest.raises(DBAPIError, match="reused with other content"):
        await books.post("k10", [0, 1], [200, -200], b"1")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger_balance SET posted_minor = posted_minor + 1",
        "INSERT INTO ledger_balance VALUES (1, 1, 1)",
        "DELETE FROM ledger_balance",
        "TRUNCATE ledger_balance",
        "UPDATE ledger_balance SET held_debit_minor = 0",
        "DELETE FROM ledger_hold_open",
        "INSERT INTO ledger_currency VALUES ('XXX', 2)",
        "UPDATE ledger_currency SET exponent = 0",
        "INSERT INTO ledger_pending SELECT id, idem_key, kind, actor, reason, reversal_of, "
        "effective_at FROM ledger_journal",
        "DELETE FROM ledger_pending",
    ],
)
async def test_a11_a_balance_cannot_be_edited(books: Books, change: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        await books.session.execute(text(change))


async def test_a12_lines_cannot_follow_an_early_check(books: Books) -> None:
    journal = await books.journal("k12", 2)
    await books.line(journal, 1, 0, 5)
    await books.line(journal, 2, 1, -5)
    await books.commit_checks()
    with pytest.raises(DBAPIError, match="no room"):
        await books.line(journal, 3, 0, 1)


async def test_a13_a_dropped_line_moves_no_balance(books: Books) -> None:
    journal = await books.journal("k13", 2)
    await books.line(journal, 1, 0, 5)
    with pytest.raises(DBAPIError, match="no room"):
        await books.line(journal, 1, 0, 5, tail=" ON CONFLICT DO NOTHING")


async def test_a14_the_balance_trigger_cannot_be_hung_on_another_table(books: Books) -> None:
    await books.session.execute(
        text("CREATE TEMP TABLE forged (LIKE ledger_posting) ON COMMIT DROP")
    )
    with pytest.raises(DBAPIError, match=r"by ledger_posting alone|permission denied"):
        await books.session.execute(
            text(
                "CREATE TRIGGER forge BEFORE INSERT ON forged "
                "FOR EACH ROW EXECUTE FUNCTION ledger_apply_posting()"
            )
        )
        await books.session.execute(
            text("INSERT INTO forged VALUES (1, 1, :account, 'CNY', 5, 0, 0)"),
            {"account": books.accounts[0]},
        )


@pytest.mark.parametrize(
    ("table", "function"),
    [
        ("ledger_hold", "ledger_count_hold"),
        ("ledger_hold_end", "ledger_end_hold"),
        ("ledger_account_mark", "ledger_mark_account"),
        ("ledger_pending", "ledger_assert_balanced"),
    ],
)
async def test_a14_no_other_table_counts_holds_marks_accounts_or_judges(
    books: Books, table: str, function: str
) -> None:
    await books.session.execute(text("CREATE TEMP TABLE forged (nothing int) ON COMMIT DROP"))
    await books.session.execute(
        text(
            "CREATE TRIGGER forge AFTER INSERT ON forged "
            f"FOR EACH ROW EXECUTE FUNCTION {function}()"
        )
    )
    with pytest.raises(DBAPIError, match=f"(by|in) {table} alone"):
        await books.session.execute(text("INSERT INTO forged DEFAULT VALUES"))


async def test_a15_a_journal_cannot_pretend_to_belong_to_a_later_transaction(
    books: Books,
) -> None:
    with pytest.raises(DBAPIError, match="permission denied for table ledger_journal"):
        await books.session.execute(
            text(
                "INSERT INTO ledger_journal (idem_key, kind, actor, effective_at, request_hash, "
                "lines, xid) VALUES (:key, 'invoice.issued', 'me', now(), '\\x00', 2, 999999999)"
            ),
            {"key": f"{books.mark}:k15"},
        )


async def test_a_balance_broken_behind_the_triggers_is_found_by_the_check(books: Books) -> None:
    await books.post("k16", [0, 1], [100, -100])
    await books.commit_checks()
    assert not [fault for fault in await queries.check(books.session) if books.mark in fault]
    await books.session.execute(text("RESET ROLE"))
    await books.session.execute(text("SET LOCAL ROLE NONE"))
    await books.session.execute(
        text("UPDATE ledger_balance SET posted_minor = 7 WHERE account_id = :id"),
        {"id": books.accounts[0]},
    )
    faults = await queries.check(books.session)
    assert any(f"test:{books.mark}:0 shows 7" in fault for fault in faults)
    assert any(fault.startswith("currency CNY adds up to") for fault in faults)
