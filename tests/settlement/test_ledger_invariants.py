"""The ledger's invariants 1 to 11, each by name, as the application's own role.

Source: the reference on settlement, §4. What SQL could do to them is in `test_ledger_attacks`.
"""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.refusal import IdReused
from exchange.db import Database
from settlement.ledger import holds, queries, service
from settlement.ledger.holds import Wanted
from settlement.ledger.rules import (
    AccountUnlimited,
    AlreadyReversed,
    HoldEnded,
    HoldOutOfTime,
    HoldTooSmall,
    LimitReached,
    ReversalStays,
)
from tests.conftest import NOW
from tests.settlement import books_factory as books
from tests.settlement.books_factory import LATER, money


async def reversed_once(session: AsyncSession, journal: int, **more: str) -> int:
    values = {"idem_key": f"reverse:{journal}", "actor": "test", "reason": "wrong"} | more
    return await service.reverse(session, journal, now=NOW, **values)


async def test_invariant_01_what_is_posted_adds_up_to_zero_in_every_currency(
    session: AsyncSession,
) -> None:
    one = books.payee()
    await books.owed(session, one, money(700))
    await books.owed(session, one, money(1_000, "JPY"))
    await books.held(session, one, money(300))
    await books.check_now(session)
    sums = await session.execute(
        text(
            "SELECT a.currency, sum(posted_minor) FROM ledger_balance "
            "JOIN ledger_account a ON a.id = account_id GROUP BY a.currency"
        )
    )
    assert {total for _, total in sums} == {0}


@pytest.mark.parametrize(
    ("amounts", "fault"),
    [([100, -99], "does not balance"), ([100], "two_lines"), ([], "two_lines")],
)
async def test_invariant_02_a_journal_has_two_lines_and_balances(
    session: AsyncSession, amounts: list[int], fault: str
) -> None:
    one = books.payee()
    await books.owed(session, one, money(500))
    accounts = await service.account_ids(session, [(one.clearing, money(1)), (one.due, money(1))])
    with pytest.raises(DBAPIError, match=fault):
        await session.execute(
            text(
                "SELECT ledger_post(:key, 'invoice.issued', 'me', NULL, now(), '\\x00', "
                "CAST(:accounts AS bigint[]), CAST(:amounts AS bigint[]))"
            ),
            {
                "key": str(one.id),
                "accounts": sorted(accounts.values(), reverse=True)[: len(amounts)],
                "amounts": amounts,
            },
        )
        await session.commit()


async def test_invariant_03_a_balance_is_the_sum_of_its_postings(session: AsyncSession) -> None:
    one = books.payee()
    for amount in (700, 20, 1):
        await books.owed(session, one, money(amount))
    found = (
        await session.execute(
            text(
                "SELECT posted_minor, version, (SELECT sum(amount_minor) FROM ledger_posting p "
                "WHERE p.account_id = a.id) AS total, (SELECT count(*) FROM ledger_posting p "
                "WHERE p.account_id = a.id) AS postings FROM ledger_balance b "
                "JOIN ledger_account a ON a.id = b.account_id WHERE a.code = :code"
            ),
            {"code": f"{one.due}:CNY"},
        )
    ).one()
    assert (found.posted_minor, found.version) == (found.total, found.postings) == (-721, 3)


async def test_invariant_04_running_balances_follow_each_other_and_versions_are_dense(
    session: AsyncSession,
) -> None:
    one = books.payee()
    for amount in (700, 20, 1):
        await books.owed(session, one, money(amount))
    await books.paid(session, one, money(21))
    rows = await session.execute(
        text(
            "SELECT account_version, balance_after_minor FROM ledger_posting p "
            "JOIN ledger_account a ON a.id = p.account_id WHERE a.code = :code ORDER BY 1"
        ),
        {"code": f"{one.due}:CNY"},
    )
    assert [tuple(row) for row in rows] == [(1, -700), (2, -720), (3, -721), (4, -700)]


async def test_invariant_05_a_journal_takes_no_line_after_its_own_transaction(
    db: Database,
) -> None:
    one = books.payee()
    async with db.transaction() as session:
        journal = await books.owed(session, one, money(700))
    async with db.sessions() as session:
        with pytest.raises(DBAPIError, match="is sealed"):
            await session.execute(
                text(
                    "INSERT INTO ledger_posting (journal_id, line, account_id, currency, "
                    "amount_minor) SELECT journal_id, 3, account_id, currency, 5 "
                    "FROM ledger_posting WHERE journal_id = :journal AND line = 1"
                ),
                {"journal": journal},
            )


async def test_invariant_06_a_journal_is_reversed_once_and_exactly(session: AsyncSession) -> None:
    one = books.payee()
    journal = await books.owed(session, one, money(700))
    await books.undone(session, journal)
    await books.check_now(session)
    assert (await books.balance(session, one.due), await books.balance(session, one.clearing)) == (
        0,
        0,
    )
    with pytest.raises(AlreadyReversed):
        await reversed_once(session, journal, idem_key="again")


async def test_invariant_06_two_reversals_at_once_make_one(db: Database) -> None:
    one = books.payee()
    async with db.transaction() as session:
        journal = await books.owed(session, one, money(700))

    async def work(number: int) -> str:
        try:
            async with db.transaction() as session:
                await books.undone(session, journal, idem_key=f"{journal}:{number}")
        except AlreadyReversed:
            return "refused"
        return "made"

    told = await asyncio.gather(*(work(number) for number in range(6)))
    assert sorted(told) == ["made", *["refused"] * 5]
    async with db.sessions() as session:
        assert await books.balance(session, one.due) == 0


@pytest.mark.parametrize("amounts", [(-699, 699), (700, -700), (-1400, 1400)])
async def test_invariant_06_a_reversal_by_sql_is_the_exact_negative(
    session: AsyncSession, amounts: tuple[int, int]
) -> None:
    one = books.payee()
    await books.owed(session, one, money(10_000))
    journal = await books.owed(session, one, money(700))
    accounts = await service.account_ids(session, [(one.clearing, money(1)), (one.due, money(1))])
    await session.execute(
        text(
            "SELECT ledger_book(:key, 'reversal', 'me', NULL, now(), '\\x00', "
            "CAST(:accounts AS bigint[]), CAST(:amounts AS bigint[]), :of, 'x', NULL)"
        ),
        {
            "key": str(one.id), "of": journal, "amounts": list(amounts),
            "accounts": [accounts[f"{one.clearing}:CNY"], accounts[f"{one.due}:CNY"]],
        },
    )  # fmt: skip
    with pytest.raises(DBAPIError, match="exact negative"):
        await session.commit()


async def test_invariant_06_what_has_moved_on_cannot_be_reversed(session: AsyncSession) -> None:
    one = books.payee()
    journal = await books.owed(session, one, money(700))
    await books.paid(session, one, money(1))
    with pytest.raises(LimitReached):
        await reversed_once(session, journal)


async def test_invariant_07_a_reversal_is_not_reversed(session: AsyncSession) -> None:
    one = books.payee()
    made = await books.undone(session, await books.owed(session, one, money(700)))
    with pytest.raises(ReversalStays):
        await reversed_once(session, made, idem_key="again")
    accounts = await service.account_ids(session, [(one.clearing, money(1)), (one.due, money(1))])
    await session.execute(
        text(
            "SELECT ledger_book(:key, 'reversal', 'me', NULL, now(), '\\x00', "
            "CAST(:accounts AS bigint[]), '{700,-700}', :of, 'x', NULL)"
        ),
        {
            "key": str(one.id), "of": made,
            "accounts": [accounts[f"{one.clearing}:CNY"], accounts[f"{one.due}:CNY"]],
        },
    )  # fmt: skip
    with pytest.raises(DBAPIError, match="is not reversed"):
        await session.commit()


@pytest.mark.parametrize("prefix", ["deposit", "forfeited", "payee", "receivable"])
async def test_invariant_08_nobody_is_owed_or_owes_less_than_nothing(
    session: AsyncSession, prefix: str
) -> None:
    code = f"{prefix}:{ids.new(NOW)}"
    side = 1 if prefix == "receivable" else -1
    await books.booked(session, [(code, money(70 * side)), ("psp:test", money(-70 * side))])
    await books.booked(session, [(code, money(-70 * side)), ("psp:test", money(70 * side))])
    with pytest.raises(LimitReached):
        await books.booked(session, [(code, money(-side)), ("psp:test", money(side))])


async def test_invariant_09_what_is_held_is_not_available_from_the_moment_it_is_made(
    session: AsyncSession,
) -> None:
    one = books.payee()
    await books.owed(session, one, money(700))
    await books.held(session, one, money(600))
    await books.paid(session, one, money(100))
    with pytest.raises(LimitReached, match="above ceiling"):
        await books.paid(session, one, money(1))


async def test_invariant_09_no_more_is_held_than_is_there(session: AsyncSession) -> None:
    one = books.payee()
    await books.owed(session, one, money(700))
    await books.held(session, one, money(400))
    with pytest.raises(LimitReached, match="less than is to be held"):
        await books.held(session, one, money(301))


async def test_invariant_09_two_holds_at_once_do_not_hold_the_same_money(db: Database) -> None:
    one = books.payee()
    async with db.transaction() as session:
        await books.owed(session, one, money(700))

    async def work() -> int:
        try:
            async with db.transaction() as session:
                await books.held(session, one, money(300))
        except LimitReached:
            return 0
        return 1

    assert sum(await asyncio.gather(*(work() for _ in range(6)))) == 2
    async with db.sessions() as session:
        assert not [fault for fault in await queries.check(session) if str(one.id) in fault]


@pytest.mark.parametrize("part", [700, 250])
async def test_invariant_10_a_hold_is_captured_once_and_its_rest_is_let_go(
    session: AsyncSession, part: int
) -> None:
    one = books.payee()
    await books.owed(session, one, money(700))
    hold_id = await books.held(session, one, money(700))
    made = await books.captured(session, hold_id, one, money(part))
    assert await books.captured(session, hold_id, one, money(part)) == made
    await books.check_now(session)
    if part < 700:
        await books.paid(session, one, money(700 - part))
    assert await books.balance(session, one.due) == 0
    with pytest.raises(HoldEnded):
        await holds.release(session, hold_id, actor="test", now=NOW)


async def test_invariant_10_a_released_hold_cannot_be_captured(session: AsyncSession) -> None:
    one = books.payee()
    await books.owed(session, one, money(700))
    hold_id = await books.held(session, one, money(700))
    end = await holds.release(session, hold_id, actor="test", now=NOW)
    assert await holds.release(session, hold_id, actor="test", now=NOW) is end
    with pytest.raises(HoldEnded):
        await books.captured(session, hold_id, one, money(700))


async def test_invariant_10_capturing_and_releasing_at_once_end_a_hold_once(db: Database) -> None:
    one = books.payee()
    async with db.transaction() as session:
        await books.owed(session, one, money(700))
        hold_id = await books.held(session, one, money(700))

    async def work(number: int) -> str:
        try:
            async with db.transaction() as session:
                if number % 2:
                    await books.captured(session, hold_id, one, money(700))
                    return "captured"
                await holds.release(session, hold_id, actor="test", now=NOW)
                return "released"
        except HoldEnded:
            return "refused"

    told = await asyncio.gather(*(work(number) for number in range(6)))
    async with db.sessions() as session:
        left = await books.balance(session, one.due)
    assert len(set(told) - {"refused"}) == 1
    assert left == (0 if "captured" in told else -700)


@pytest.mark.parametrize("amount", [701, -1])
async def test_invariant_10_no_more_is_captured_than_was_held(
    session: AsyncSession, amount: int
) -> None:
    one = books.payee()
    await books.owed(session, one, money(1_000))
    hold_id = await books.held(session, one, money(700))
    with pytest.raises(HoldTooSmall):
        await books.captured(session, hold_id, one, money(amount))


async def test_invariant_10_a_capture_by_sql_moves_what_it_says(session: AsyncSession) -> None:
    one = books.payee()
    await books.owed(session, one, money(1_000))
    hold_id = await books.held(session, one, money(700))
    journal = await books.paid(session, one, money(300))
    await session.execute(
        text("INSERT INTO ledger_hold_end VALUES (:hold, 'captured', 200, :journal, 'me', :now)"),
        {"hold": hold_id, "journal": journal, "now": NOW},
    )
    with pytest.raises(DBAPIError, match="captures 200, its journal moves 300"):
        await session.commit()


async def test_invariant_10_expiry_lets_everything_go(session: AsyncSession) -> None:
    one = books.payee()
    await books.owed(session, one, money(700))
    hold_id = await books.held(session, one, money(700))
    with pytest.raises(HoldOutOfTime):
        async with session.begin_nested():
            await books.captured(session, hold_id, one, money(700), now=LATER)
    while await holds.expire_due(session, now=LATER, limit=1):
        pass
    end = await holds.release(session, hold_id, actor="test", now=LATER)
    assert (end.outcome, end.actor) == ("expired", "exchange")
    await books.paid(session, one, money(700))


async def test_invariant_10_a_hold_does_not_expire_early(session: AsyncSession) -> None:
    one = books.payee()
    await books.owed(session, one, money(700))
    hold_id = await books.held(session, one, money(700))
    with pytest.raises(DBAPIError, match="cannot be expired"):
        await session.execute(
            text("INSERT INTO ledger_hold_end VALUES (:hold, 'expired', 0, NULL, 'me', :now)"),
            {"hold": hold_id, "now": LATER - timedelta(seconds=1)},
        )


async def test_the_same_hold_again_is_the_same_and_another_is_refused(
    session: AsyncSession,
) -> None:
    one = books.payee()
    await books.owed(session, one, money(700))
    hold_id = await books.held(session, one, money(600))
    wanted = Wanted(one.due, money(600), "test", LATER)
    _, new = await holds.hold(session, hold_id, wanted, actor="test", now=NOW)
    assert not new
    await books.paid(session, one, money(100))
    with pytest.raises(IdReused):
        await holds.hold(
            session, hold_id, Wanted(one.due, money(5), "test", LATER), actor="test", now=NOW
        )


@pytest.mark.parametrize("code", ["psp:stripe:clearing", "bank:deposits", "suspense:psp"])
async def test_invariant_11_a_record_of_what_others_did_refuses_nothing(
    session: AsyncSession, code: str
) -> None:
    for amount in (-(10**12), 10**12, 10**12):
        await books.booked(session, [(code, money(amount)), ("suspense:x", money(-amount))])
    with pytest.raises(AccountUnlimited):
        await holds.hold(
            session, ids.new(NOW), Wanted(code, money(5), "test", LATER), actor="test", now=NOW
        )
