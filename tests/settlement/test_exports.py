"""Exports: exact amounts as text, no power over a spreadsheet, however long the table is."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from contracts import calendar
from contracts.money import Money
from exchange import clock
from exchange.context import Context
from exchange.db import Database
from settlement.disputes import service as disputing
from settlement.exports import queries, rules
from settlement.ledger import service as ledger
from tests.exchange.identity_factory import signed_client
from tests.exchange.test_portal_pages import signed_in
from tests.settlement import returns_factory as returning
from tests.settlement.bank_factory import Bank, closed, followed
from tests.settlement.settlement_factory import Trade, invoiced
from tests.settlement.test_refunds import bought
from tests.settlement.test_stripe_service import payment

PRICE = Money(120_000_001, "CNY")
EVIL = '=HYPERLINK("http://evil.example","x")'


async def traded(context: Context) -> Trade:
    """A trade whose payee's name and a journal's reason are formulas."""
    async with context.db.transaction() as session:
        trade = await invoiced(session, price=PRICE, now=clock.now())
        trade.owners[0].name_en = EVIL
        trade.buyer.name_en = "@SUM(A1)"
        session.add_all([trade.owners[0], trade.buyer])
        await ledger.post(
            session,
            idem_key=f"export:{trade.deal_id}",
            kind="invoice.issued",
            actor="me",
            deal_id=trade.deal_id,
            lines=[("psp:stripe:clearing", Money(5, "CNY")), ("suspense:psp", Money(-5, "CNY"))],
            reason="-2+3+cmd|' /C calc'!A0",
            now=clock.now(),
        )
    return trade


async def table(context: Context, name: str, form: str, days: str = "") -> list[dict[str, str]]:
    async with signed_client(context, role="auditor") as (client, _):
        answer = await client.get(f"/v1/exports/{name}?form={form}{days}")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}.{form}"'
    if form == "csv":
        return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    sheet = load_workbook(io.BytesIO(answer.content), read_only=True)[name]
    head, *rows = sheet.iter_rows()
    assert {cell.data_type for row in rows for cell in row if cell.value is not None} == {"s"}
    names = [str(cell.value) for cell in head]
    return [dict(zip(names, (str(c.value or "") for c in row), strict=True)) for row in rows]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
async def test_staff_export_exact_amounts_as_text_and_no_formula(
    context: Context, form: str
) -> None:
    trade = await traded(context)
    own = [r for r in await table(context, "settlements", form) if r["deal"] == str(trade.deal_id)]
    assert {r["amount"] for r in own} == {"60000.00", "798000.01", "342000.00"}
    assert [r["payee_en"] for r in own if r["payee"] == str(trade.owner_ids[0])] == [f"'{EVIL}"]
    (bill,) = [
        r for r in await table(context, "invoices", form) if r["number"] == trade.invoice.number
    ]
    assert (bill["due"], bill["payer_en"]) == ("1200000.01", "'@SUM(A1)")
    lines = [
        r for r in await table(context, "journals", form) if r["settlement"] == str(trade.deal_id)
    ]
    sums = [sum(Decimal(r[side] or 0) for r in lines) for side in ("debit", "credit")]
    assert sums == [Decimal("1200000.06")] * 2
    assert {r["reason"] for r in lines} == {"", "'-2+3+cmd|' /C calc'!A0"}


async def test_payouts_are_exported_to_staff_alone(context: Context) -> None:
    assert list(rules.COLUMNS["payouts"])
    await table(context, "payouts", "csv")
    async with signed_client(context, role="holder") as (client, _):
        for name in queries.TABLES:
            answer = await client.get(f"/v1/exports/{name}")
            assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed")
            assert (await client.get(f"/v1/exports/{name}?form=pdf")).status_code == 422


async def test_a_table_is_asked_for_by_its_days_in_shanghai(context: Context) -> None:
    trade = await traded(context)
    today = calendar.day_of(clock.now())
    for shift, found in ((0, 1), (-1, 0), (1, 0)):
        day = today + timedelta(days=shift)
        bills = await table(context, "invoices", "csv", days=f"&from={day}&until={day}")
        assert [r["number"] for r in bills].count(trade.invoice.number) == found
    assert trade.invoice.number in [
        r["number"] for r in await table(context, "invoices", "csv", days=f"&until={today}")
    ]
    async with signed_client(context, role="auditor") as (client, _):
        wrong = await client.get("/v1/exports/refunds?from=2026-02-02&until=2026-02-01")
        assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid-content")


@pytest.mark.parametrize("form", ["csv", "xlsx"])
async def test_refunds_and_disputes_are_exported_as_they_stand(
    context: Context, db: Database, form: str
) -> None:
    _, payment_id, _, gateway = await bought(db)
    paid = await payment(db, payment_id)
    refund = await returning.refunded(db, paid, 12_345, await returning.staff(db))
    await returning.settle(db, gateway)
    async with db.transaction() as session:
        seen = returning.disputed(payment_id.hex, 900, "needs_response")
        await disputing.apply_seen(session, payment_id, seen, now=clock.now())
    (row,) = [r for r in await table(context, "refunds", form) if r["refund"] == str(refund.id)]
    assert (row["amount"], row["currency"], row["state"]) == ("123.45", "CNY", "made")
    (lost,) = [r for r in await table(context, "disputes", form) if r["payment"] == str(paid.id)]
    assert (lost["amount"], lost["drawn"], lost["reason"]) == ("9.00", "9.00", "fraudulent")


async def test_the_bank_s_lines_and_what_is_in_suspense_are_exported(
    context: Context, db: Database
) -> None:
    async with db.transaction() as session:
        bank = Bank(await followed(session), balance_minor=5_000)
        bank.line(-990)
        await closed(session, bank, since=5_000)
    mine = str(bank.account.id)
    lines = [r for r in await table(context, "bank-lines", "csv") if r["bank_account"] == mine]
    assert [r["amount"] for r in lines] == ["-9.90"]
    items = [r for r in await table(context, "suspense", "xlsx") if r["bank_account"] == mine]
    assert sorted(r["amount"] for r in items) == ["-9.90", "50.00"]


async def test_deposits_are_exported_with_what_became_of_them(context: Context) -> None:
    wanted = set(rules.COLUMNS["deposits"])
    for row in await table(context, "deposits", "csv"):
        assert set(row) == wanted and Decimal(row["required"]) >= 0


async def test_an_account_s_statement_is_exported_to_staff_and_to_whom_it_is_about(
    context: Context,
) -> None:
    trade = await traded(context)
    today = calendar.day_of(clock.now())
    code = f"receivable:{trade.buyer.id}:CNY"
    where = f"/v1/exports/accounts/{code}/statement?from={today}&until={today}"
    for role, home, status in (
        ("auditor", None, 200), ("broadcaster", trade.buyer, 200), ("holder", None, 404),
    ):  # fmt: skip
        async with signed_client(context, role=role, of=home) as (client, _):
            answer = await client.get(where)
            assert answer.status_code == status
            if status != 200:
                continue
            text = answer.content.decode("utf-8-sig")
            opening, line, closing = csv.DictReader(io.StringIO(text, newline=""))
            assert (opening["kind"], opening["balance"]) == ("opening", "0.00")
            assert (line["amount"], line["kind"]) == ("1200000.01", "invoice.issued")
            assert (closing["kind"], closing["balance"]) == ("closing", "1200000.01")
            assert opening["name_zh"] == "应收账款"
            book = await client.get(f"{where}&form=xlsx")
            assert load_workbook(io.BytesIO(book.content), read_only=True)["statement"]


def test_every_table_has_its_columns_and_its_query() -> None:
    assert {*queries.TABLES, "statement"} == set(rules.COLUMNS)


async def test_the_pages_offer_the_tables_to_download(context: Context) -> None:
    async with signed_in(context, "auditor") as client:
        for page, names in (
            ("settlements", ("settlements", "invoices", "journals", "deposits")),
            ("payouts", ("payouts",)),
            ("refunds", ("refunds",)),
            ("disputes", ("disputes",)),
            ("bank", ("bank-lines", "suspense")),
        ):
            text = (await client.get(f"/console/{page}")).text
            for name in names:
                assert f'href="/v1/exports/{name}"' in text
                answer = await client.get(f"/v1/exports/{name}?form=xlsx")
                assert answer.status_code == 200 and answer.content[:2] == b"PK"


async def test_a_long_table_comes_in_pieces(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    await traded(context)
    whole = await table(context, "journals", "csv")
    monkeypatch.setattr(queries, "AT_ONCE", 2)
    monkeypatch.setattr("exchange.api.exports.PIECE_BYTES", 100)
    assert (await table(context, "journals", "csv"))[: len(whole)] == whole


@given(st.text())
def test_no_text_starts_a_formula(text: str) -> None:
    cell = rules.written(text)
    numeric = cell.lstrip("-").replace(".", "", 1).isdigit()
    assert not cell.startswith(("=", "+", "@", "\t", "\r", "\n"))
    assert not cell.startswith("-") or numeric


@given(st.integers(-(10**15), 10**15), st.sampled_from(["CNY", "JPY", "KWD"]))
def test_an_amount_is_written_exactly_and_read_back(minor: int, currency: str) -> None:
    places = {"CNY": 2, "JPY": 0, "KWD": 3}[currency]
    text = rules.written(rules.decimal(minor, currency))
    assert Decimal(text).scaleb(places) == minor
    assert len(text.partition(".")[2]) == places
