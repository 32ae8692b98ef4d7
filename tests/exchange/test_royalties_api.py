"""Usage reports and royalties over HTTP, on the page, and by command."""

import csv
import io
import re
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from contracts import canonical, ids
from contracts.money import Money
from exchange import clock, royalties_cli
from exchange.app import create_app
from exchange.context import Context
from tests.exchange.identity_factory import PASSWORD, person, signed_client
from tests.settlement.settlement_factory import Trade, invoiced

TERMS = {
    "consideration": {
        "kind": "guarantee-share", "share_bp": 1250, "currency": "CNY", "amount": "500000.00"
    },
    "parameters": {"statement_days": 30},
}  # fmt: skip
YEAR = {"first_day": "2025-01-01", "last_day": "2025-12-31"}
TABLE = "source,runs,gross_minor,deductions_minor\nIPTV,2,700000000,100000000\n"


@dataclass
class Desk:
    """A licensed deal with clients of its sides and of a stranger."""

    context: Context
    trade: Trade
    licensee: httpx.AsyncClient
    licensor: httpx.AsyncClient
    stranger: httpx.AsyncClient

    @property
    def where(self) -> str:
        return f"/v1/deals/{self.trade.deal_id}"

    async def report(self, *, gross: int, **change: Any) -> httpx.Response:
        line = {"source": "IPTV", "runs": 2, "gross_minor": gross, "deductions_minor": 0}
        body = {**YEAR, "lines": [line], **change}
        path = f"{self.where}/usage-reports/{ids.new(clock.now())}"
        return await self.licensee.put(path, json=body)


@pytest.fixture
async def desk(context: Context) -> Any:
    async with AsyncExitStack() as stack:
        async with context.db.transaction() as session:
            trade = await invoiced(
                session, price=Money(50_000_000, "CNY"), terms=canonical.dumps(TERMS),
                now=clock.now(),
            )  # fmt: skip

        async def client(role: str, **more: Any) -> httpx.AsyncClient:
            opened, _ = await stack.enter_async_context(signed_client(context, role=role, **more))
            return opened

        yield Desk(
            context, trade, await client("broadcaster", of=trade.buyer),
            await client("holder", of=trade.owners[0]), await client("broadcaster"),
        )  # fmt: skip


async def test_a_report_is_answered_with_the_statement_and_invoiced(desk: Desk) -> None:
    answer = await desk.report(gross=600_000_000)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["earned_minor"], told["due_minor"]) == (75_000_000, 25_000_000)
    assert told["tax"]["net_minor"] + told["tax"]["tax_minor"] == 25_000_000
    assert told["tax"]["verified"] is False and told["tax"]["legal_basis"]
    invoices = (await desk.licensee.get("/v1/invoices?limit=200")).json()["items"]
    claimed = next(one for one in invoices if one["deal_id"] == told["claim_id"])
    assert (claimed["of_deal"], claimed["amount_minor"]) == (str(desk.trade.deal_id), 25_000_000)
    settled = (await desk.licensor.get(f"/v1/settlements/{told['claim_id']}")).json()
    assert (settled["kind"], settled["of_deal"]) == ("royalties", str(desk.trade.deal_id))
    assert (await desk.licensor.get("/money")).status_code in (200, 303)


async def test_both_sides_read_what_was_reported_and_a_stranger_nothing(desk: Desk) -> None:
    assert (await desk.report(gross=480_000_000)).status_code == 201
    for client in (desk.licensee, desk.licensor):
        told = (await client.get(f"{desk.where}/royalties")).json()
        assert told["model"] == "guarantee-share"
        assert [one["receipts_minor"] for one in told["reports"]] == [480_000_000]
        assert told["reports"][0]["lines"][0]["source"] == "IPTV"
    assert (await desk.stranger.get(f"{desk.where}/royalties")).status_code == 404


async def test_a_report_that_makes_no_sense_is_refused_by_name(desk: Desk) -> None:
    assert (await desk.report(gross=1)).status_code == 201
    overlap = await desk.report(gross=1, first_day="2025-06-01")
    assert (overlap.status_code, overlap.json()["code"]) == (409, "usage-period-overlaps")
    early = await desk.report(gross=1, first_day="2026-01-01", last_day="2026-12-31")
    assert early.json()["code"] in ("usage-period-not-over", "bad-usage-report")
    twice = [{"source": "OTT"}, {"source": "OTT"}]
    assert (await desk.report(gross=1, lines=twice)).json()["code"] == "bad-usage-report"
    licensor = await desk.licensor.put(
        f"{desk.where}/usage-reports/{ids.new(clock.now())}", json={**YEAR, "lines": twice}
    )
    assert licensor.status_code == 403


async def test_the_page_reports_and_shows_what_is_due(desk: Desk) -> None:
    async with desk.context.db.transaction() as session:
        who = await person(
            session, party_id=desk.trade.buyer.id, role="broadcaster", now=clock.now()
        )
    transport = httpx.ASGITransport(app=create_app(desk.context), raise_app_exceptions=False)
    headers = {"Accept": "text/html"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://exchange.test", headers=headers
    ) as browser:
        await browser.post("/sign-in", data={"email": who.email, "password": PASSWORD})
        path = f"/deals/{desk.trade.deal_id}/royalties"
        page = (await browser.get(f"{path}?lang=zh")).text
        assert "保底许可费先行抵扣" in page, page[page.index("<main") :]
        fields = dict(re.findall(r'name="(csrf_token|report_id)" value="([^"]+)"', page))
        sent = await browser.post(path, data={**fields, **YEAR, "lines": TABLE})
        assert sent.status_code == 303, sent.text
        page = (await browser.get(path)).text
        assert "250,000.00" in page and "2026-01-30" in page


async def test_a_correction_asks_for_the_difference_and_too_much_is_carried(desk: Desk) -> None:
    """Earned 12.5 %: 75.0, then 50.0 of which 25.0 too much was asked for, then 80.0 million."""
    due = []
    for gross in (600_000_000, 500_000_000, 640_000_000):
        told = (await desk.report(gross=gross)).json()
        due.append((told["due_minor"], told["carried_minor"], told["recouped_minor"]))
    assert due == [
        (25_000_000, 0, 50_000_000), (0, 12_500_000, 50_000_000), (5_000_000, 0, 50_000_000),
    ]  # fmt: skip


async def test_each_reader_gets_the_statement_that_is_its_own(desk: Desk) -> None:
    for gross in (480_000_000, 600_000_000):
        assert (await desk.report(gross=gross)).status_code == 201
    where = f"{desk.where}/royalty-statements"
    async with signed_client(desk.context, role="holder", of=desk.trade.owners[1]) as (owner, _):
        printed = await owner.get(f"{where}/2/pdf")
        again = await owner.get(f"{where}/2/pdf")
        table = rows(await owner.get(f"{where}.csv"))
        told = (await owner.get(f"{desk.where}/royalties")).json()
    assert printed.content.startswith(b"%PDF") and printed.content == again.content
    assert [(one["statement"], one["version"], one["due"], one["kind"]) for one in table] == [
        (number, number, due, kind)
        for number, due in (("1", "100000.00"), ("2", "150000.00"))
        for kind in ("commission", "share")
    ]
    payees = {one["payee"] for one in table if one["kind"] == "share"}
    assert payees == {desk.trade.owners[1].name_zh}
    assert all(one["lines"] == [] for one in told["reports"])  # sums, not sources
    licensee = rows(await desk.licensee.get(f"{where}.csv"))
    assert {one["payee"] for one in licensee} == {""}
    assert [one["recouped"] for one in licensee] == ["500000.00", "500000.00"]
    assert (await desk.licensor.get(f"{where}/3/pdf")).status_code == 404
    for path in (f"{where}/1/pdf", f"{where}.csv", f"{desk.where}/royalties"):
        assert (await desk.stranger.get(path)).status_code == 404


async def test_a_co_owner_comes_from_its_money_to_its_statement_in_both_languages(
    desk: Desk,
) -> None:
    assert (await desk.report(gross=600_000_000)).status_code == 201
    async with desk.context.db.transaction() as session:
        who = await person(
            session, party_id=desk.trade.owners[1].id, role="holder", now=clock.now()
        )
    transport = httpx.ASGITransport(app=create_app(desk.context), raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://exchange.test", headers={"Accept": "text/html"}
    ) as browser:
        await browser.post("/sign-in", data={"email": who.email, "password": PASSWORD})
        path = f"/deals/{desk.trade.deal_id}/royalties"
        money = (await browser.get("/money?lang=en")).text
        assert f'href="{path}"' in money
        # The contract is between others: no link leads it there.
        assert f'href="/deals/{desk.trade.deal_id}"' not in money
        for spoken, words in (("en", ("Set off against the guarantee", "Statement 1")),
                              ("zh-CN", ("已抵扣保底", "第 1 号结算单"))):  # fmt: skip
            page = (await browser.get(f"{path}?lang={spoken}")).text
            assert [word for word in words if word not in page] == []
            assert "71,250.00" in page  # 30 % of 250,000.00 less 5 %
            assert f"{desk.where}/royalty-statements/1/pdf" in page
            assert "report_id" not in page


def rows(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))


def test_the_command_reads_a_table_and_reckons_taxes(tmp_path: Path) -> None:
    file = tmp_path / "usage.csv"
    file.write_text(TABLE, encoding="utf-8")
    deal = str(ids.new(clock.now()))
    asked = ["report", deal, str(file), "--from", "2025-01-01", "--to", "2025-12-31", "--check"]
    told = CliRunner().invoke(royalties_cli.app, asked)
    assert told.exit_code == 0, told.output
    assert "net receipts 600000000, 2 runs" in told.output
    taxed = CliRunner().invoke(royalties_cli.app, ["taxed", "10600", "--on", "2026-11-23"])
    assert "net 100.00 + VAT 6.00 = 106.00" in taxed.output and "not verified" in taxed.output
    abroad = CliRunner().invoke(
        royalties_cli.app, ["taxed", "10000", "--payee", "HK", "--on", "2026-11-23"]
    )
    assert "paid to the payee 84.91 CNY" in abroad.output  # income tax on what is left without VAT
