"""Withheld taxes over HTTP, at a terminal and in a real Chromium, by two people, both languages."""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import anyio
import pytest
from playwright.async_api import expect

from contracts import ids
from contracts.calendar import day_of
from contracts.money import Money
from exchange import clock
from exchange.context import Context
from exchange.identity.tables import Person
from exchange.remit_cli import app
from settlement.remittances import queries as remittances
from settlement.remittances import service as remitting
from settlement.withholding import queries
from settlement.withholding.tables import WithheldTax
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.contracts.poppler import poppler
from tests.exchange.identity_factory import PASSWORD, Doors, person
from tests.exchange.portal_site import Visit, chromium, served, visit
from tests.exchange.terminal_factory import approvers, run
from tests.settlement.approvals_factory import proved
from tests.settlement.bank_factory import approved_payout
from tests.settlement.settlement_factory import Trade, invoiced, paid, with_accounts
from tests.settlement.withholding_factory import (
    approved_remittance,
    authority,
    receipted,
    resident,
    shown,
    treaty,
)

PRICE = Money(120_000_001, "HKD")  # a currency of its own: a remittance takes all that waits
NARROW = {"width": 390, "height": 844}


async def paid_abroad(context: Context, *, claims: bool = False) -> tuple[Trade, WithheldTax]:
    """A trade whose first owner is in Hong Kong and paid out, with its income tax withheld."""
    now = clock.now()
    async with context.db.transaction() as session:
        trade = await invoiced(session, price=PRICE, now=now)
        await paid(session, trade, now=now)
        await with_accounts(session, trade, now=now)
        await authority(session, PRICE.currency)
        claim = treaty(valid_to=date(2100, 1, 1)) if claims else None
        await resident(session, trade.owners[0].id, "HK", claim=claim, now=now)
        await approved_payout(session, trade, now=now)
        rows = (await queries.of_deals(session, [trade.deal_id]))[trade.deal_id]
        return trade, next(row for row in rows if row.tax == "withheld-income")


async def test_a_residence_is_recorded_by_one_person_and_approved_by_another(
    context: Context, doors: Doors
) -> None:
    maker, checker = await doors.of("operator"), await doors.of("approver")
    async with context.db.transaction() as session:
        payee = await party(session, now=NOW)
    owner, stranger = await doors.of("holder", payee), await doors.of("holder")
    at = f"/v1/parties/{payee.id}/tax-residences/{ids.new(NOW)}"
    said = {"country": "HK", "since": "2026-01-01"}
    made = await maker.put(at, json=said)
    assert (made.status_code, made.json()["certificate_no"]) == (201, None)
    assert (await maker.put(at, json=said)).status_code == 200
    other = await maker.put(at, json={**said, "country": "FR"})
    assert (other.status_code, other.json()["code"]) == (409, "id-reused")
    again = await maker.put(f"{at[:-1]}0", json=said)
    assert again.json()["code"] in ("tax-residence-open", "id-reused")
    here = f"/v1/tax-residences/{made.json()['id']}"
    assert (await stranger.get(here)).status_code == 404
    seen = {"content_sha256": made.json()["content_sha256"]}
    done = await checker.post(f"{here}/approval", json=await proved(checker, **seen))
    assert (done.status_code, done.json()["state"]) == (200, "approved")
    assert (await owner.get(here)).json()["country"] == "HK"


async def test_a_payee_sees_what_will_be_withheld_and_what_was(
    context: Context, doors: Doors
) -> None:
    now = clock.now()
    async with context.db.transaction() as session:
        trade = await invoiced(session, price=PRICE, now=now)
        await paid(session, trade, now=now)
        await resident(session, trade.owners[0].id, "HK", claim=treaty(valid_to=date(2100, 1, 1)))
    owner = await doors.of("holder", trade.owners[0])
    told = (await owner.get(f"/v1/settlements/{trade.deal_id}/withholding")).json()
    (mine,) = told["payees"]
    assert told["is_final"] is False
    assert mine["certificate_no"] == "HK-2026-0042"
    assert (
        mine["net_minor"] + sum(one["amount_minor"] for one in mine["withheld"])
        == (mine["gross_minor"])
    )
    assert {one["rate_bp"] for one in mine["withheld"]} == {700, 600}
    home = await doors.of("holder", trade.owners[1])
    assert (await home.get(f"/v1/settlements/{trade.deal_id}/withholding")).json()["payees"] == []
    buyer = await doors.of("broadcaster", trade.buyer)
    assert (await buyer.get(f"/v1/settlements/{trade.deal_id}/withholding")).status_code == 404


async def test_the_certificate_names_the_receipt_for_its_payee_alone(
    context: Context, doors: Doors, tmp_path: Path
) -> None:
    trade, row = await paid_abroad(context, claims=True)
    owner, stranger = await doors.of("holder", trade.owners[0]), await doors.of("holder")
    at = f"/v1/withheld-taxes/{row.id}"
    early = await owner.get(f"{at}/certificate")
    assert (early.status_code, early.json()["code"]) == (409, "withheld-not-remitted")
    async with context.db.transaction() as session:
        remittance = await approved_remittance(session, group_of(row), now=clock.now())
        number = await receipted(session, remittance, now=clock.now())
    assert (await stranger.get(f"{at}/certificate")).status_code == 404
    pdfs = [(await client.get(f"{at}/certificate")).content for client in (owner, owner)]
    assert pdfs[0] == pdfs[1]
    (tmp_path / "one.pdf").write_bytes(pdfs[0])
    text = "".join(poppler("pdftotext", "-layout", tmp_path / "one.pdf", "-").split())
    for said in (
        "代扣代缴凭证", "Withholdingcertificate", number, "7.00%", "企业所得税（源泉扣缴）",
        "HK-2026-0042", row.rule,
        "".join(trade.owners[0].name_zh.split()),
    ):  # fmt: skip
        assert said in text, said
    listed = (await owner.get("/v1/withheld-taxes")).json()["items"]
    assert {one["receipt_no"] for one in listed if one["id"] == str(row.id)} == {number}


def group_of(row: WithheldTax) -> remitting.Group:
    return remitting.Group(row.authority, row.tax, row.currency, row.period)


async def test_staff_export_what_was_withheld(context: Context, doors: Doors) -> None:
    _, row = await paid_abroad(context)
    auditor = await doors.of("auditor")
    for form in ("csv", "xlsx"):
        answer = await auditor.get(f"/v1/exports/withheld?form={form}")
        assert answer.status_code == 200
    text = (await auditor.get("/v1/exports/withheld")).text
    (line,) = [one for one in text.splitlines() if one.startswith(str(row.id))]
    assert row.rule in line and row.amount.decimal() in line


async def test_two_people_remit_at_a_terminal(context: Context) -> None:
    _, row = await paid_abroad(context)
    keys = await approvers(context)
    async with served(context) as site:

        async def ask(who: str, *words: str) -> tuple[int, str]:
            at = ("--exchange", site, "--api-key", keys[who])
            return await anyio.to_thread.run_sync(run, app, *words, *at)

        told = json.loads((await ask("one", "due", "--json"))[1])["dues"]
        assert [one for one in told if one["period"] == row.period and one["tax"] == row.tax]
        chosen = (row.tax, row.period, "--currency", "HKD")
        status, said = await ask("one", "prepare", *chosen)
        assert status == 0, said
        id, sha256 = said.split("exchange remit approve ")[1].split()
        assert "same-person" in (await ask("one", "approve", id, sha256))[1]
        status, said = await ask("other", "approve", id, sha256)
        assert status == 0 and "is approved" in said
        assert (
            "remittance-not-paid"
            in (await ask("one", "receipt", id, "A-1", "--on", "2026-01-01"))[1]
        )
        listed = json.loads((await ask("one", "status", "--json"))[1])["remittances"]
    assert {one["state"] for one in listed if one["id"] == id} == {"approved"}


@dataclass(frozen=True)
class Cast:
    """Who acts on the pages."""

    row: WithheldTax
    maker: Person
    checker: Person
    payee: Person


async def cast(context: Context) -> Cast:
    trade, row = await paid_abroad(context)
    now = clock.now()
    async with context.db.transaction() as session:
        home = await party(session, now=now)
        return Cast(
            row,
            await person(session, party_id=home.id, role="operator", now=now),
            await person(session, party_id=home.id, role="approver", now=now),
            await person(session, party_id=trade.owners[0].id, role="holder", now=now),
        )


async def prepare(seen: Visit, who: Cast) -> str:
    page = seen.page
    await seen.sign_in(who.maker.email, PASSWORD)
    await seen.go("/console/remittances")
    form = page.locator("#dues form")
    for value in ("HKD", who.row.tax, who.row.period):
        form = form.filter(has=page.locator(f'input[value="{value}"]'))
    await form.locator("button").click()
    await expect(page.locator("#decision .note")).to_contain_text("another person decides")
    await seen.shot("remittance-en")
    return page.url.removeprefix(seen.site)


async def approve_in_chinese(seen: Visit, who: Cast, address: str) -> None:
    page = seen.page
    await seen.sign_in(who.checker.email, PASSWORD)
    await expect(page.locator(f'a[href="{address}"]')).to_contain_text("复核税款解缴单")
    await seen.go(address)
    await page.fill("#password", PASSWORD)
    await page.get_by_role("button", name="批准解缴").click()
    await expect(page.locator(".badge").first).to_have_text("待付款")
    assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    await seen.shot("remittance-zh-narrow")


async def record_receipt(seen: Visit, who: Cast, address: str, number: str) -> None:
    page = seen.page
    await seen.sign_in(who.maker.email, PASSWORD)
    await expect(page.locator(f'a[href="{address}"]')).to_contain_text("tax office's receipt")
    await seen.go(address)
    await page.fill("#number", number)
    await page.fill("#issued_on", day_of(clock.now()).isoformat())
    await page.get_by_role("button", name="Record the receipt").click()
    await expect(page.locator("dd", has_text=number)).to_be_visible()


@pytest.mark.browser
async def test_staff_remit_on_pages_in_both_languages(context: Context) -> None:
    who, number = await cast(context), f"P-{ids.new(NOW).hex[:12]}"
    async with served(context) as site, chromium() as browser:
        async with visit(browser, site) as seen:
            address = await prepare(seen, who)
        async with visit(browser, site, locale="zh-CN", viewport=NARROW) as seen:
            await approve_in_chinese(seen, who, address)
        async with context.db.transaction() as session:
            remittance = (await remittances.of_withheld(session, [who.row.id]))[who.row.id]
            await shown(session, remittance, now=clock.now())
        async with visit(browser, site) as seen:
            await record_receipt(seen, who, address, number)
        async with visit(browser, site, locale="zh-CN", viewport=NARROW) as seen:
            await seen.sign_in(who.payee.email, PASSWORD)
            page = await seen.go("/money/taxes")
            await expect(page.get_by_text(number)).to_be_visible()
            assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
            await seen.shot("my-taxes-zh-narrow")


@pytest.mark.browser
async def test_a_payee_reads_what_would_be_withheld(context: Context) -> None:
    now = clock.now()
    async with context.db.transaction() as session:
        trade = await invoiced(session, price=PRICE, now=now)
        await resident(session, trade.owners[0].id, "HK")
        payee = await person(session, party_id=trade.owners[0].id, role="holder", now=now)
        clerk = await person(
            session, party_id=(await party(session, now=now)).id, role="auditor", now=now
        )
    async with served(context) as site, chromium() as browser:
        async with visit(browser, site, locale="zh-CN", viewport=NARROW) as seen:
            await seen.sign_in(payee.email, PASSWORD)
            page = await seen.go("/money/taxes")
            await expect(page.locator(".withheld")).to_contain_text("按今日规则将代扣")
            await expect(page.locator(".withheld")).to_contain_text("10.00 %")
            assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
        async with visit(browser, site) as seen:
            await seen.sign_in(clerk.email, PASSWORD)
            page = await seen.go(f"/console/settlements/{trade.deal_id}")
            await expect(page.locator(".withheld")).to_contain_text("Would be withheld today")


@pytest.mark.browser
async def test_staff_record_a_residence_on_pages(context: Context) -> None:
    who, now = await cast(context), clock.now()
    async with context.db.transaction() as session:
        payee = await party(session, now=now)
    async with served(context) as site, chromium() as browser:
        async with visit(browser, site, viewport=NARROW) as seen:
            page = seen.page
            await seen.sign_in(who.maker.email, PASSWORD)
            await seen.go("/console/tax-residences")
            said = {
                "party_id": str(payee.id), "country": "HK", "since": "2026-01-01",
                "certificate_no": "HK-7", "evidence": "declaration", "evidence_sha256": "ab" * 32,
                "valid_from": "2026-01-01", "valid_to": "2026-12-31",
            }  # fmt: skip
            for name, value in said.items():
                await page.fill(f"#{name}", value)
            await page.get_by_role("button", name="Record; another person decides").click()
            await expect(page.locator("#decision .note")).to_contain_text("another person decides")
            address = page.url.removeprefix(site)
            assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
        async with visit(browser, site, locale="zh-CN") as seen:
            page = seen.page
            await seen.sign_in(who.checker.email, PASSWORD)
            await expect(page.locator(f'a[href="{address}"]')).to_contain_text("复核税收居民身份")
            await seen.go(address)
            await page.fill("#password", PASSWORD)
            await page.get_by_role("button", name="批准该身份").click()
            await expect(page.locator("#decision")).to_have_count(0)
