import asyncio
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

import settlement
from contracts import ids
from contracts.money import Money
from exchange.db import Database
from settlement.ledger import names, queries, rules, service
from settlement.ledger.rules import Entry, JournalKeyReused, LimitReached
from tests.conftest import NOW


def cny(minor: int) -> Money:
    return Money(minor, "CNY")


async def booked(session: AsyncSession, key: str, **change: Any) -> int:
    buyer = change.pop("buyer", ids.new(NOW))
    values: dict[str, Any] = {
        "idem_key": key,
        "kind": "invoice.issued",
        "actor": "test",
        "deal_id": None,
        "lines": [(rules.receivable(buyer), cny(500)), (rules.SUSPENSE_PSP, cny(-500))],
        "now": NOW,
    }
    return await service.post(session, **(values | change))


async def test_a_journal_opens_its_accounts_and_moves_their_balances(
    session: AsyncSession,
) -> None:
    buyer = ids.new(NOW)
    await booked(session, f"{buyer}:1", buyer=buyer)
    balances = {row["code"]: row for row in await queries.trial_balance(session)}
    row = balances[f"receivable:{buyer}:CNY"]
    assert (row["kind"], row["balance_minor"], row["postings"]) == ("asset", 500, 1)


PAYEE = ids.new(NOW)


@pytest.mark.parametrize(
    ("account", "amount", "fault"),
    [
        (rules.receivable(PAYEE), -1, "below floor"),
        (rules.payee_held(PAYEE), 1, "above ceiling"),
        (rules.payee_due(PAYEE), 1, "above ceiling"),
        (rules.payee_in_transit(PAYEE), 1, "above ceiling"),
    ],
    ids=["receivable", "held", "due", "in-transit"],
)
async def test_nobody_is_paid_more_than_is_owed(
    session: AsyncSession, account: str, amount: int, fault: str
) -> None:
    lines = [(account, cny(amount)), (rules.SUSPENSE_PSP, cny(-amount))]
    with pytest.raises(LimitReached, match=fault):
        await booked(session, str(ids.new(NOW)), lines=lines)


async def test_an_account_moves_up_to_its_limit_and_no_further(session: AsyncSession) -> None:
    payee = ids.new(NOW)
    owed = [(rules.payee_due(payee), cny(-70)), (rules.SUSPENSE_PSP, cny(70))]
    paid = [(rules.payee_due(payee), cny(70)), (rules.SUSPENSE_PSP, cny(-70))]
    await booked(session, f"{payee}:owed", lines=owed)
    await booked(session, f"{payee}:paid", lines=paid)
    with pytest.raises(LimitReached, match="above ceiling"):
        await booked(session, f"{payee}:paid again", lines=paid)


async def test_the_same_key_and_content_book_once(session: AsyncSession) -> None:
    buyer = ids.new(NOW)
    first = await booked(session, f"{buyer}:1", buyer=buyer)
    assert await booked(session, f"{buyer}:1", buyer=buyer) == first
    balances = {row["code"]: row["balance_minor"] for row in await queries.trial_balance(session)}
    assert balances[f"receivable:{buyer}:CNY"] == 500


async def test_the_same_key_with_other_content_is_refused(session: AsyncSession) -> None:
    key = str(ids.new(NOW))
    await booked(session, key)
    with pytest.raises(JournalKeyReused):
        await booked(session, key, kind="other")


async def test_two_workers_booking_one_key_at_once_make_one_journal(db: Database) -> None:
    buyer = ids.new(NOW)

    async def work() -> int:
        async with db.transaction() as session:
            return await booked(session, f"{buyer}:1", buyer=buyer)

    made = await asyncio.gather(*(work() for _ in range(8)))
    assert len(set(made)) == 1
    async with db.sessions() as session:
        rows = {row["code"]: row for row in await queries.trial_balance(session)}
    assert rows[f"receivable:{buyer}:CNY"]["postings"] == 1


async def test_journals_over_the_same_accounts_in_any_order_do_not_wait_in_a_circle(
    db: Database,
) -> None:
    payees = [ids.new(NOW) for _ in range(4)]

    async def work(number: int) -> None:
        turned = payees[number % 4 :] + payees[: number % 4]
        lines = [(rules.payee_held(payee), cny(-10)) for payee in turned]
        async with db.transaction() as session:
            await service.post(
                session,
                idem_key=f"{payees[0]}:{number}",
                kind="invoice.issued",
                actor="test",
                deal_id=None,
                lines=[*lines, (rules.SUSPENSE_PSP, cny(40))],
                now=NOW,
            )

    await asyncio.gather(*(work(number) for number in range(16)))
    async with db.sessions() as session:
        rows = {row["code"]: row for row in await queries.trial_balance(session)}
    assert [rows[f"{rules.payee_held(payee)}:CNY"]["balance_minor"] for payee in payees] == [
        -160
    ] * 4


def entry(key: str, code: str, amount: int, *, deal: UUID | None = None) -> Entry:
    lines = [(code, cny(amount)), (rules.PSP_CLEARING, cny(-amount))]
    return Entry(key, "invoice.issued", "me", deal, lines)


async def test_journals_booked_together_are_those_booked_one_by_one(session: AsyncSession) -> None:
    run, deal = ids.new(NOW), ids.new(NOW)
    code = f"suspense:{run}:many"
    entries = [entry(f"{run}:{turn}", code, turn + 1, deal=deal) for turn in range(5)]
    made = await service.post_many(session, entries, now=NOW)
    assert len(set(made)) == 5
    assert await service.post_many(session, entries[::-1], now=NOW) == made[::-1]
    alone = await service.post(
        session, idem_key=f"{run}:3", kind="invoice.issued", actor="me", deal_id=deal,
        lines=entries[3].lines, now=NOW,
    )  # fmt: skip
    assert alone == made[3]
    told = {row["code"]: row["balance_minor"] for row in await queries.trial_balance(session)}
    assert told[f"{code}:CNY"] == 15
    assert len(await queries.journals_of_deal(session, deal)) == 5
    assert await service.post_many(session, [], now=NOW) == []


async def test_one_journal_that_is_refused_refuses_all_booked_with_it(db: Database) -> None:
    run = ids.new(NOW)
    code = f"suspense:{run}:all"
    async with db.transaction() as session:
        await service.post_many(session, [entry(f"{run}:0", code, 1)], now=NOW)
    with pytest.raises(JournalKeyReused):
        async with db.transaction() as session:
            entries = [entry(f"{run}:1", code, 5), entry(f"{run}:0", code, 7)]
            await service.post_many(session, entries, now=NOW)
    async with db.sessions() as session:
        told = {row["code"]: row["balance_minor"] for row in await queries.trial_balance(session)}
    assert told[f"{code}:CNY"] == 1


async def test_batches_that_cross_each_other_do_not_wait_in_a_circle(db: Database) -> None:
    run = ids.new(NOW)
    codes = [f"suspense:{run}:{number}" for number in range(6)]

    async def book(number: int) -> None:
        order = codes if number % 2 else codes[::-1]
        entries = [entry(f"{run}:{number}:{code}", code, 1) for code in order]
        async with db.transaction() as session:
            await service.post_many(session, entries, now=NOW)

    await asyncio.gather(*(book(number) for number in range(12)))
    async with db.sessions() as session:
        told = {row["code"]: row["balance_minor"] for row in await queries.trial_balance(session)}
    assert [told[f"{code}:CNY"] for code in codes] == [12] * 6


async def test_the_journals_of_a_deal_are_told_in_order_with_their_lines(
    session: AsyncSession,
) -> None:
    deal, buyer = ids.new(NOW), ids.new(NOW)
    await booked(session, f"{deal}:1", deal_id=deal, buyer=buyer)
    await booked(session, f"{deal}:2", deal_id=deal, buyer=buyer)
    journals = await queries.journals_of_deal(session, deal)
    assert [journal["key"] for journal in journals] == [f"{deal}:1", f"{deal}:2"]
    lines = {line["account"]: line["amount_minor"] for line in journals[0]["lines"]}
    assert lines == {f"receivable:{buyer}:CNY": 500, "suspense:psp:CNY": -500}


@pytest.mark.parametrize(
    "lines",
    [[], [("commission", cny(0)), ("psp:x", cny(0))], [("commission", cny(-1)), ("psp:x", cny(2))]],
)
async def test_a_journal_that_cannot_be_is_a_bug(session: AsyncSession, lines: Any) -> None:
    with pytest.raises(ValueError, match="zero sum"):
        await booked(session, str(ids.new(NOW)), lines=lines)


def test_a_code_outside_the_chart_of_accounts_is_a_bug() -> None:
    with pytest.raises(ValueError, match="chart of accounts"):
        rules.opening("petty cash")


BALANCED = st.lists(st.integers(1, 10**9), min_size=1, max_size=6)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(BALANCED, st.sampled_from(["CNY", "USD", "JPY"])), max_size=6))
async def test_random_journals_leave_balances_that_an_auditor_rebuilds(
    db: Database, journals: list[tuple[list[int], str]]
) -> None:
    """The auditor keeps its own sums; the ledger must agree and find no fault in itself."""
    run = ids.new(NOW)
    audited: dict[str, int] = {}
    async with db.sessions() as session:
        for turn, (amounts, currency) in enumerate(journals):
            lines = [
                (f"suspense:{run}:{number}", Money(amount, currency))
                for number, amount in enumerate(amounts)
            ]
            lines.append((rules.PSP_CLEARING, Money(-sum(amounts), currency)))
            await booked(session, f"{run}:{turn}", lines=lines)
            for code, amount in lines[:-1]:
                key = rules.account_code(code, currency)
                audited[key] = audited.get(key, 0) + amount.amount_minor
        told = {row["code"]: row["balance_minor"] for row in await queries.trial_balance(session)}
        faults = await queries.check(session)
        await session.rollback()
    assert {code: told[code] for code in audited} == audited
    assert faults == []


def test_every_kind_of_journal_that_is_booked_has_a_name_in_both_languages() -> None:
    sources = [path.read_text() for path in Path(settlement.__file__).parent.rglob("*.py")]
    booked = {kind for text in sources for kind in re.findall(r'kind="([a-z-]+\.[a-z-]+)"', text)}
    assert {"payment.received", "transfer.made", "payout.approved"} <= booked
    assert booked <= set(names.JOURNALS)
    assert all(named.zh != named.en for named in names.JOURNALS.values())


@pytest.mark.parametrize("prefix", [prefix for prefix, _ in rules.CHART])
def test_every_account_of_the_chart_has_a_name_in_both_languages(prefix: str) -> None:
    named = names.name(prefix if prefix.isalpha() else f"{prefix}x")
    assert named.zh and named.en and named.zh != named.en
    assert named != names.OUTSIDE


async def test_an_account_that_a_hand_opened_is_shown_and_paged_past(session: AsyncSession) -> None:
    """The books stay readable: its code is outside the chart and names no currency."""
    code = f"odd-{ids.new(NOW)}"
    await booked(session, f"{code}:1")
    await session.execute(
        text(
            "INSERT INTO ledger_account (code, kind, currency, status) "
            "VALUES (:code, 'asset', 'CNY', 'open')"
        ),
        {"code": code},
    )
    listed: list[str] = []
    while found := await queries.balances(session, after=listed[-1] if listed else None, limit=50):
        listed += [row["code"] for row in found]
    assert code in listed
    assert len(listed) == len(set(listed)) == len(await queries.trial_balance(session))
    assert names.name(code) == names.OUTSIDE
