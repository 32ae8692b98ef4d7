"""Attacks on the ledger's verbs and on what waits to be judged; see `test_ledger_attacks`."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from exchange.db import Database
from tests.settlement.attack_books import POST, Books


@pytest.fixture
async def books(db: Database) -> AsyncIterator[Books]:
    async with db.sessions() as session:
        opened = Books(session)
        await opened.open()
        yield opened
        await session.rollback()


async def test_a17_who_pretends_to_be_a_verb_is_refused(books: Books) -> None:
    """What a verb works out is what tells it from a hand, and no hand may write it."""
    journal = await books.journal("k17", 2)
    with pytest.raises(DBAPIError, match="permission denied for table ledger_posting"):
        await books.session.execute(
            text(
                "INSERT INTO ledger_posting (journal_id, line, account_id, currency, amount_minor, "
                "balance_after_minor, account_version) "
                "VALUES (:journal, 1, :account, 'CNY', 5, 5, 1)"
            ),
            {"journal": journal, "account": books.accounts[0]},
        )


async def test_a17_a_part_of_a_verb_called_by_itself_writes_no_balance(books: Books) -> None:
    journal = await books.journal("k17b", 2)
    with pytest.raises(DBAPIError, match="permission denied for table ledger_balance"):
        await books.session.execute(
            text("SELECT ledger_write_lines(:journal, CAST(:accounts AS bigint[]), '{5, -5}')"),
            {"journal": journal, "accounts": books.accounts[:2]},
        )


async def test_a17_a_line_by_the_owners_hand_moves_its_balance(books: Books) -> None:
    await books.session.execute(text("RESET ROLE"))
    await books.session.execute(text("SET LOCAL ROLE NONE"))
    journal = await books.journal("k17c", 2)
    await books.line(journal, 1, 0, 5)
    await books.line(journal, 2, 1, -5)
    await books.commit_checks()
    assert (await books.posted(0), await books.posted(1)) == (5, -5)


@pytest.mark.parametrize(
    ("accounts", "amounts", "said"),
    [
        ([None, 0], [5, -5], "has no balance"),
        ([0, 1], [5], "one amount for each account"),
        ([0], [5, -5], "two_lines"),
        ([0, 1], [0, 0], "moves_something"),
    ],
    ids=["no-account", "no-amount", "one-line", "nothing"],
)
async def test_a18_lines_of_no_account_or_amount_are_refused(
    books: Books, accounts: list[int | None], amounts: list[int], said: str
) -> None:
    values = {
        "key": f"{books.mark}:k18",
        "hash": b"0",
        "accounts": [None if one is None else books.accounts[one] for one in accounts],
        "amounts": amounts,
    }
    with pytest.raises(DBAPIError, match=said):
        await books.session.execute(text(POST), values)


async def test_a18_lines_in_any_order_are_booked_in_the_order_of_accounts(books: Books) -> None:
    made = await books.post("k18b", [1, 0, 1, 2], [-7, 3, 1, 3])
    await books.commit_checks()
    rows = await books.session.execute(
        text(
            "SELECT account_id, amount_minor, balance_after_minor, account_version "
            "FROM ledger_posting WHERE journal_id = :made ORDER BY line"
        ),
        {"made": made},
    )
    first, second, third = books.accounts[:3]
    assert [tuple(row) for row in rows] == [
        (first, 3, 3, 1), (second, -7, -7, 1), (second, 1, -6, 2), (third, 3, 3, 1),
    ]  # fmt: skip


async def test_a19_an_account_keeps_its_currency(books: Books) -> None:
    await books.post("k19", [0, 1], [100, -100])
    await books.session.execute(text("RESET ROLE"))
    await books.session.execute(text("SET LOCAL ROLE NONE"))
    with pytest.raises(DBAPIError, match="in_the_accounts_currency"):
        await books.session.execute(
            text("UPDATE ledger_account SET currency = 'USD' WHERE id = :id"),
            {"id": books.accounts[0]},
        )


@pytest.mark.parametrize("line", [0, -1, 3])
async def test_a20_a_line_has_a_place_in_its_journal(books: Books, line: int) -> None:
    journal = await books.journal("k20", 2)
    with pytest.raises(DBAPIError, match="no room"):
        await books.line(journal, line, 0, 5)


async def test_a20_a_line_by_hand_moves_something(books: Books) -> None:
    journal = await books.journal("k20b", 2)
    with pytest.raises(DBAPIError, match="ledger_posting_moves_something"):
        await books.line(journal, 1, 0, 0)


@pytest.mark.parametrize("lines", [-2, 0, 1, 1001])
async def test_a20_a_journal_by_hand_has_two_lines_at_least(books: Books, lines: int) -> None:
    with pytest.raises(DBAPIError, match="ledger_journal_has_two_lines"):
        await books.journal("k20c", lines)


async def test_a21_what_the_verbs_did_not_prove_is_judged_at_commit_and_then_waits_no_more(
    books: Books,
) -> None:
    await books.post("k21", [0, 1], [5, -5])
    assert await waiting(books) == 0
    await books.journal("k21b", 2)
    assert await waiting(books) == 1
    with pytest.raises(DBAPIError, match="has 0 lines of 2"):
        await books.commit_checks()


async def test_a21_a_journal_judged_waits_no_more(books: Books) -> None:
    journal = await books.journal("k21c", 2)
    await books.line(journal, 1, 0, 5)
    await books.line(journal, 2, 1, -5)
    await books.commit_checks()
    assert await waiting(books) == 0


async def test_a21_a_journal_that_on_conflict_drops_leaves_nothing_to_judge(books: Books) -> None:
    await books.post("k21d", [0, 1], [5, -5])
    await books.session.execute(
        text("INSERT INTO ledger_journal (idem_key, kind, actor, effective_at, request_hash, "
             "lines) VALUES (:key, 'invoice.issued', 'me', now(), '\\x00', 2) "
             "ON CONFLICT DO NOTHING"),
        {"key": f"{books.mark}:k21d"},
    )  # fmt: skip
    await books.commit_checks()
    assert await waiting(books) == 0


async def waiting(books: Books) -> int:
    """How many of this test's journals wait to be judged."""
    counted = await books.session.execute(
        text("SELECT count(*) FROM ledger_pending WHERE idem_key LIKE :mine"),
        {"mine": f"{books.mark}:%"},
    )
    return int(counted.scalar_one())
