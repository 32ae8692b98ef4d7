"""Statements of accounts: sums that fit, who may read them, and their pages in both languages."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from exchange import clock
from exchange.context import Context
from settlement.ledger import rules, statements
from settlement.ledger.statements import Period
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import PASSWORD, person, signed_client
from tests.exchange.test_portal_pages import browser
from tests.settlement import books_factory as books
from tests.settlement.books_factory import Payee, money

DAY = timedelta(days=1)
DAYS = {"from": "2026-11-20", "until": "2026-11-22"}


async def moved(session: AsyncSession, one: Payee) -> None:
    """700 before, then 20 and 1, and 21 paid; one line was booked late and took effect before."""
    await books.owed(session, one, money(700), now=NOW - 9 * DAY)
    await books.owed(session, one, money(1), now=NOW, occurred_at=NOW - 30 * DAY)
    await books.owed(session, one, money(20), now=NOW - DAY)
    await books.paid(session, one, money(21), now=NOW)
    await books.owed(session, one, money(5), now=NOW + 9 * DAY)


async def test_opening_and_lines_make_the_closing_balance(session: AsyncSession) -> None:
    one = books.payee()
    await moved(session, one)
    account = await statements.find_account(session, f"{one.due}:CNY")
    period = Period(NOW - 2 * DAY, NOW + DAY)
    summed = await statements.summary(session, account, period)
    assert (summed.opening_minor, summed.debits_minor, summed.credits_minor) == (-700, 21, -21)
    assert (summed.closing_minor, summed.lines) == (-700, 3)
    lines = await statements.lines(session, account, period, after=0, limit=9)
    assert [(line.amount_minor, line.balance_minor) for line in lines] == [
        (-20, -720), (-1, -721), (21, -700),
    ]  # fmt: skip
    assert lines[1].occurred_at == NOW - 30 * DAY
    page = await statements.lines(session, account, period, after=1, limit=1)
    assert page == lines[1:2]


async def test_two_periods_that_meet_leave_nothing_out(session: AsyncSession) -> None:
    one = books.payee()
    await moved(session, one)
    account = await statements.find_account(session, f"{one.due}:CNY")
    edges = [NOW - 20 * DAY, NOW - DAY, NOW, NOW + 20 * DAY]
    closing = 0
    for since, until in itertools.pairwise(edges):
        summed = await statements.summary(session, account, Period(since, until))
        assert summed.opening_minor == closing
        closing = summed.closing_minor
    assert closing == await books.balance(session, one.due) == -705


@pytest.mark.parametrize(
    ("code", "last"),
    [
        ("receivable:{0}:CNY", 0), ("payee:{0}:in-transit:CNY", 0), ("deposit:{1}:{0}:CNY", 0),
        ("deposit:{0}:{1}:CNY", 1), ("commission:CNY", None), ("psp:stripe:clearing:CNY", None),
        ("psp:test:{0}:CNY", None), ("bank:{0}:CNY", None), ("x" * 36, None),
    ],
)  # fmt: skip
def test_an_account_is_about_the_last_party_in_its_code(code: str, last: int | None) -> None:
    named = [ids.new(NOW), ids.new(NOW)]
    assert rules.owner_of(code.format(*named)) == (None if last is None else named[last])


async def test_a_party_reads_its_own_statement_and_nobody_elses(context: Context) -> None:
    async with context.db.transaction() as session:
        owner, other = await party(session, now=NOW), await party(session, now=NOW)
        await moved(session, Payee(owner.id))
    code = f"{rules.payee_due(owner.id)}:CNY"
    async with signed_client(context, role="holder", of=owner) as (client, _):
        told = await client.get(f"/v1/ledger/accounts/{code}/statement", params=DAYS)
        mine = await client.get(f"/v1/parties/{owner.id}/statement", params=DAYS)
    found: dict[str, Any] = told.json()
    assert (found["opening_minor"], found["closing_minor"], found["lines"]) == (-700, -700, 3)
    assert [line["balance_minor"] for line in found["moved"]] == [-720, -721, -700]
    due = next(item for item in mine.json()["items"] if item["code"] == code)
    assert due == {name: found[name] for name in due}
    async with signed_client(context, role="holder", of=other) as (client, _):
        for where in (f"ledger/accounts/{code}", f"parties/{owner.id}"):
            told = await client.get(f"/v1/{where}/statement", params=DAYS)
            assert (told.status_code, told.json()["code"]) == (404, "unknown")
    async with signed_client(context, role="auditor") as (client, _):
        told = await client.get(
            f"/v1/ledger/accounts/{code}/statement", params={**DAYS, "limit": 1, "after": 1}
        )
    assert ([line["amount_minor"] for line in told.json()["moved"]], told.json()["next"]) == (
        [-1], 2,
    )  # fmt: skip


async def test_days_are_those_of_shanghai(context: Context) -> None:
    """23:59 there on the 21st is 15:59 UTC; a minute later the 22nd begins."""
    async with context.db.transaction() as session:
        owner = await party(session, now=NOW)
        for minute, amount in ((59, 1), (60, 2)):
            at = datetime(2026, 11, 21, 15, tzinfo=UTC) + timedelta(minutes=minute)
            await books.owed(session, Payee(owner.id), money(amount), now=at)
    async with signed_client(context, role="auditor") as (client, _):
        code = f"{rules.payee_due(owner.id)}:CNY"
        one_day = {"from": "2026-11-21", "until": "2026-11-21"}
        told = await client.get(f"/v1/ledger/accounts/{code}/statement", params=one_day)
    assert told.json()["credits_minor"] == -1


@pytest.mark.parametrize("until", ["2026-11-19", "9999-12-31"])
async def test_days_that_are_none_are_refused(context: Context, until: str) -> None:
    async with signed_client(context, role="auditor") as (client, _):
        told = await client.get(
            f"/v1/parties/{ids.new(NOW)}/statement", params={"from": "2026-11-20", "until": until}
        )
    assert (told.status_code, told.json()["code"]) == (422, "invalid-content")


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh-CN", ["对账单", "应付贵方", "期初余额", "账单开出"]),
        ("en", ["Statement", "Owed to you", "Opening", "Invoice issued"]),
    ],
)
async def test_the_pages_show_it_in_both_languages(
    context: Context, language: str, words: list[str]
) -> None:
    async with context.db.transaction() as session:
        owner = await party(session, now=NOW)
        await moved(session, Payee(owner.id))
        holder = await person(session, party_id=owner.id, role="holder", now=clock.now())
        auditor = await person(session, party_id=owner.id, role="auditor", now=clock.now())
    days = "from=2026-11-20&until=2026-11-22"
    code = f"{rules.payee_due(owner.id)}:CNY"
    async with browser(context) as client:
        client.headers["Accept-Language"] = language
        await client.post("/sign-in", data={"email": holder.email, "password": PASSWORD})
        overview = await client.get(f"/money/statement?{days}")
        lines = await client.get(f"/money/statement/{code}?{days}")
        strange = await client.get(f"/money/statement/psp:stripe:clearing:CNY?{days}")
    seen = overview.text + lines.text
    assert [word for word in words if word not in seen] == []
    assert "7.20" in lines.text and "7.21" in lines.text
    assert "invoice.issued" not in seen  # a kind of journal is told in words
    assert strange.status_code == 404
    async with browser(context) as client:
        client.headers["Accept-Language"] = language
        await client.post("/sign-in", data={"email": auditor.email, "password": PASSWORD})
        staff = await client.get(f"/console/ledger/accounts/{code}?{days}")
        sheet = await client.get("/console/ledger")
    assert staff.status_code == 200 and code in staff.text
    assert (owner.name_zh if language == "zh-CN" else owner.name_en) in staff.text
    assert sheet.status_code == 200 and "/console/ledger/accounts/" in sheet.text
