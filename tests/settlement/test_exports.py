"""Exports: exact amounts as text, no power over a spreadsheet, however long the table is."""

import csv
import io
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from contracts.money import Money
from exchange import clock
from exchange.context import Context
from settlement.exports import queries, rules
from settlement.ledger import service as ledger
from tests.exchange.identity_factory import signed_client
from tests.exchange.test_portal_pages import signed_in
from tests.settlement.settlement_factory import Trade, invoiced

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
            kind="test",
            actor="me",
            deal_id=trade.deal_id,
            lines=[("psp:stripe:clearing", Money(5, "CNY")), ("suspense:psp", Money(-5, "CNY"))],
            reason="-2+3+cmd|' /C calc'!A0",
            now=clock.now(),
        )
    return trade


async def table(context: Context, name: str, form: str) -> list[dict[str, str]]:
    async with signed_client(context, role="auditor") as (client, _):
        answer = await client.get(f"/v1/exports/{name}?form={form}")
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
        for name in rules.COLUMNS:
            answer = await client.get(f"/v1/exports/{name}")
            assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed")
            assert (await client.get(f"/v1/exports/{name}?form=pdf")).status_code == 422


async def test_the_pages_offer_the_tables_to_download(context: Context) -> None:
    async with signed_in(context, "auditor") as client:
        for page, names in (
            ("settlements", ("settlements", "invoices", "journals")),
            ("payouts", ("payouts",)),
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
