"""Invoices on paper: what the page says, in both languages, to whom, and the same at any time."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyhanko.pdf_utils.reader import PdfFileReader

from contracts import canonical, ids
from contracts.deals.terms import Side, TextCannotBePrinted
from contracts.money import Money
from exchange import clock
from exchange.context import Context
from settlement.collecting.rules import Wire, of_invoice
from settlement.invoices import printing
from settlement.invoices.gateway import INVOICE
from settlement.invoices.printing import Issued
from settlement.taxes import rules as taxes
from tests.conftest import NOW
from tests.contracts.poppler import poppler
from tests.exchange.identity_factory import signed_client
from tests.settlement.settlement_factory import Trade, invoiced, paid

PRICE = Money(120_000_001, "CNY")


def issued(**changes: Any) -> Issued:
    gross = changes.pop("gross", PRICE)
    taxed = taxes.included(gross, 600)
    one = Issued(
        id=ids.new(NOW),
        number="UHDX-2026-000007",
        issued_at=NOW,
        seller=Side(
            "seller", ids.new(NOW), "示范影业有限公司", "Example Films", "91310000MA1FL1A25B"
        ),
        buyer=Side("buyer", ids.new(NOW), "示范电视台", "Example TV", "12100000400010275N"),
        kind="price",
        contract_no="UHDX-C-2026-000001",
        title={"zh": "长城", "en": "The Wall"},
        gross=gross,
        tax=taxed.tax,
        rate_bp=600,
        deposit=Money(0, gross.currency),
    )
    return replace(one, **changes)


async def printed(one: Issued) -> bytes:
    return await INVOICE.print(printing.page(one), at=one.issued_at)


def text_of(pdf: bytes, folder: Path) -> str:
    (folder / "invoice.pdf").write_bytes(pdf)
    return poppler("pdftotext", "-layout", folder / "invoice.pdf", "-")


@given(st.integers(1, 10**13), st.integers(0, 10_000))
def test_invariant_22_what_the_page_calls_net_and_tax_makes_the_gross(
    minor: int, rate_bp: int
) -> None:
    taxed = taxes.included(Money(minor, "CNY"), rate_bp)
    page = printing.page(issued(gross=taxed.gross, tax=taxed.tax, rate_bp=rate_bp))
    figures = [
        int(page[name].replace(",", "").replace(".", "")) for name in ("net", "tax", "gross")
    ]
    assert figures[0] + figures[1] == figures[2] == minor
    assert figures[1] >= 0


async def test_an_invoice_says_the_same_in_both_languages_and_in_words(tmp_path: Path) -> None:
    pdf = await printed(issued(deposit=Money(20_000_000, "CNY")))
    text = "".join(text_of(pdf, tmp_path).split())
    for said in (
        "账单", "Invoice", "UHDX-2026-000007", "2026年11月22日", "示范影业有限公司", "Example TV",
        "12100000400010275N", "《长城》", "The Wall", "许可费", "Licence fee", "1,200,000.01",
        "1,132,075.48", "67,924.53", "6.00 %", "壹佰贰拾万元零壹分", "1,000,000.01",
        "本账单不是发票", "no fapiao",
    ):  # fmt: skip
        assert "".join(said.split()) in text, said


async def test_an_invoice_says_where_to_wire_and_until_when(tmp_path: Path) -> None:
    due_at = datetime(2026, 12, 7, 16, tzinfo=UTC)  # the eighth begins in Shanghai
    wire = Wire(
        holder="示范银行客户资金监管专户", name="监管账户", scheme="cnaps",
        number="6222020200012345678", member_id="102100099996", bic=None,
        bank_name="示范银行北京分行", custody=True, reference=of_invoice("UHDX-2026-000007"),
        amount_minor=PRICE.amount_minor, currency="CNY", until=due_at,
    )  # fmt: skip
    pdf = await printed(issued(due_at=due_at, wire=wire))
    text = "".join(text_of(pdf, tmp_path).split())
    for said in (
        "2026年12月7日", "付款期限", "Pay by", "6222020200012345678", "102100099996",
        wire.reference, "示范银行客户资金监管专户", "监管账户：资金由银行存管",
        "Payment reference", "Escrow account",
    ):  # fmt: skip
        assert "".join(said.split()) in text, said
    own = text_of(await printed(issued(wire=replace(wire, custody=False))), tmp_path)
    assert "监管账户：资金由银行存管" not in own and "Pay by" not in own
    assert "收款人" not in text_of(await printed(issued()), tmp_path)


async def test_an_invoice_is_pdf_a_with_its_data_attached_and_the_same_bytes_again(
    tmp_path: Path,
) -> None:
    one = issued()
    pdf = await printed(one)
    assert await printed(one) == pdf
    (tmp_path / "invoice.pdf").write_bytes(pdf)
    poppler("pdfdetach", "-save", "1", "-o", tmp_path / "data", tmp_path / "invoice.pdf")
    assert (tmp_path / "data").read_bytes() == canonical.dumps(printing.page(one))
    metadata = PdfFileReader(BytesIO(pdf)).root["/Metadata"].data
    assert re.search(rb"pdfaid:part>3<.*pdfaid:conformance>B<", metadata, re.DOTALL)
    assert await printed(issued(gross=Money(5, "CNY"))) != pdf


async def test_what_people_typed_is_printed_and_never_run(tmp_path: Path) -> None:
    typed = '#panic() $x$ *b* #read("/etc/passwd")'
    text = text_of(await printed(issued(title={"zh": typed, "en": "E"})), tmp_path)
    assert "".join(typed.split()) in "".join(text.split())


async def test_a_character_without_a_glyph_fails_the_print() -> None:
    with pytest.raises(TextCannotBePrinted, match="could not be displayed"):
        await printed(issued(title={"zh": "示范😀", "en": "E"}))


@pytest.fixture
async def trade(context: Context) -> AsyncIterator[Trade]:
    async with context.db.transaction() as session:
        made = await invoiced(session, price=PRICE, now=clock.now())
    yield made


async def test_the_two_sides_and_staff_print_an_invoice_and_nobody_else(
    context: Context, trade: Trade
) -> None:
    address = f"/v1/invoices/{trade.invoice.id}/pdf"
    seen: list[bytes] = []
    async with AsyncExitStack() as stack:
        for role, of in (
            ("broadcaster", trade.buyer),
            ("holder", trade.owners[0]),
            ("auditor", None),
        ):
            client, _ = await stack.enter_async_context(signed_client(context, role=role, of=of))
            answer = await client.get(address)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
            assert trade.invoice.number in answer.headers["content-disposition"]
            seen.append(answer.content)
        # A co-owner is paid out of it, but is no side of the contract.
        for role, of in (("holder", trade.owners[1]), ("holder", None), ("broadcaster", None)):
            client, _ = await stack.enter_async_context(signed_client(context, role=role, of=of))
            answer = await client.get(address)
            assert (answer.status_code, answer.json()["code"]) == (404, "unknown")
    assert len(set(seen)) == 1


async def test_an_invoice_prints_the_same_bytes_after_it_is_paid(
    context: Context, trade: Trade
) -> None:
    async with signed_client(context, role="auditor") as (client, _):
        address = f"/v1/invoices/{trade.invoice.id}/pdf"
        before = (await client.get(address)).content
        async with context.db.transaction() as session:
            await paid(session, trade, now=clock.now())
        assert (await client.get(f"/v1/invoices/{trade.invoice.id}")).json()["state"] == "paid"
        assert (await client.get(address)).content == before


def test_the_day_on_the_page_is_that_of_beijing() -> None:
    late = issued(issued_at=datetime.fromisoformat("2026-12-31T16:00:00+00:00"))
    assert printing.page(late)["issued_on"] == {"zh": "2027年1月1日", "en": "2027-01-01"}
