"""Fapiao over HTTP and in a real Chromium: asked for, entered by hand, kept, downloaded."""

import hashlib
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from playwright.async_api import expect

from contracts import ids
from contracts.money import Money
from exchange import clock
from exchange.context import Context
from exchange.identity.tables import Person
from settlement.fapiao import queries
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import PASSWORD, person, signed_client
from tests.exchange.portal_site import Visit, chromium, served, visit
from tests.settlement import fapiao_factory
from tests.settlement.fapiao_factory import PDF, TAX_ID, number
from tests.settlement.settlement_factory import Trade, invoiced

PRICE = Money(120_000_001, "CNY")
NARROW = {"width": 390, "height": 844}


async def owed(context: Context) -> Trade:
    async with context.db.transaction() as session:
        return await invoiced(session, price=PRICE, now=clock.now())


async def test_a_buyer_asks_and_downloads_what_the_staff_kept(context: Context) -> None:
    trade, at = await owed(context), f"/v1/fapiaos/{ids.new(NOW)}"
    async with AsyncExitStack() as stack:
        of = [
            await stack.enter_async_context(signed_client(context, role=role, of=whose))
            for role, whose in (
                ("broadcaster", trade.buyer),
                ("operator", None),
                ("holder", trade.owners[0]),
                ("broadcaster", None),
            )
        ]
        buyer, clerk, seller, stranger = [client for client, _ in of]
        wanted = {"invoice_id": str(trade.invoice.id), "type": "82"}
        early = await buyer.put(at, json=wanted)
        assert (early.status_code, early.json()["code"]) == (409, "fapiao-details-missing")
        details = f"/v1/parties/{trade.buyer.id}/fapiao-details"
        wrong = await buyer.put(details, json={"title": "示范台", "tax_id": TAX_ID[:-1] + "1"})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "bad-tax-id")
        said = await buyer.put(details, json={"title": "示范台", "tax_id": TAX_ID.lower()})
        assert (said.status_code, said.json()["tax_id"]) == (200, TAX_ID)
        assert (await stranger.get(details)).status_code == 404
        assert (await stranger.put(at, json=wanted)).status_code == 404
        made = await buyer.put(at, json=wanted)
        assert (made.status_code, made.json()["content"]["total"]) == (201, "1200000.01")
        assert (await buyer.put(at, json=wanted)).status_code == 200
        table = (await clerk.get("/v1/fapiao-requests")).text
        assert at.rsplit("/", 1)[-1] in table and "4030000000000000000" in table
        issue = {"number": number(), "issued_on": "2026-11-22"}
        assert (await clerk.post(f"{at}/issue", json=issue)).json()["state"] == "issued"
        kept = await clerk.put(f"{at}/files/pdf", content=PDF)
        sha256 = hashlib.sha256(PDF).hexdigest()
        assert kept.json()["files"] == [{"form": "pdf", "sha256": sha256}]
        large = await clerk.put(f"{at}/files/xml", content=b"<?xml" + b" " * 1_000_000)
        assert (large.status_code, large.json()["code"]) == (413, "fapiao-file-too-large")
        for who in (buyer, seller, clerk):
            answer = await who.get(f"{at}/files/pdf")
            assert (answer.content, answer.headers["etag"]) == (PDF, f'"{sha256}"')
        assert (await stranger.get(f"{at}/files/pdf")).status_code == 404


@dataclass(frozen=True)
class Cast:
    """Who acts on the pages."""

    trade: Trade
    buyer: Person
    clerk: Person


async def cast(context: Context) -> Cast:
    trade, now = await owed(context), clock.now()
    async with context.db.transaction() as session:
        house = await party(session, now=now)
        return Cast(
            trade,
            await person(session, party_id=trade.buyer.id, role="broadcaster", now=now),
            await person(session, party_id=house.id, role="operator", now=now),
        )


async def ask_in_chinese(seen: Visit, who: Cast) -> None:
    page = seen.page
    await seen.sign_in(who.buyer.email, PASSWORD)
    await seen.go("/money/fapiaos")
    await page.fill("#title", "示范电视台")
    await page.fill("#tax_id", TAX_ID)
    await page.get_by_role("button", name="保存开票信息").click()
    await page.get_by_role("button", name="申请开票").click()
    await expect(page.locator(".badge").first).to_have_text("已申请")
    assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    await seen.shot("fapiao-asked-zh-narrow")


async def enter(seen: Visit, fapiao_id: UUID, file: Path, digits: str, email: str) -> None:
    page = seen.page
    await seen.sign_in(email, PASSWORD)
    await seen.go(f"/console/fapiaos/{fapiao_id}")
    await page.fill("#number", digits)
    await page.fill("#issued_on", "2026-11-22")
    await page.get_by_role("button", name="Keep the number").click()
    await expect(page.locator(".badge").first).to_have_text("Fapiao issued")
    await page.set_input_files("#file", file)
    await page.get_by_role("button", name="Keep the file").click()
    await expect(page.locator('a[href$="/files/pdf"]')).to_be_visible()
    await seen.shot("fapiao-issued")
    await seen.go("/console/fapiaos")
    await expect(page.locator("#requests a").first).to_have_attribute(
        "href", "/v1/fapiao-requests?form=csv"
    )


@pytest.mark.browser
async def test_a_fapiao_goes_from_the_buyers_page_to_the_staffs_and_back(
    context: Context, tmp_path: Path
) -> None:
    who, digits = await cast(context), number()
    file = tmp_path / "fapiao.pdf"
    file.write_bytes(PDF)
    async with served(context) as site, chromium() as browser:
        async with visit(browser, site, locale="zh-CN", viewport=NARROW) as seen:
            await ask_in_chinese(seen, who)
        async with context.db.sessions() as session:
            row = await queries.find_blue(session, who.trade.invoice.id)
        assert row is not None
        async with visit(browser, site) as seen:
            await enter(seen, row.id, file, digits, who.clerk.email)
        async with visit(browser, site) as seen:
            await seen.sign_in(who.buyer.email, PASSWORD)
            page = await seen.go("/money/fapiaos")
            await expect(page.locator("tbody th").first).to_have_text(digits)
            async with page.expect_download() as waiting:
                await page.locator('a[href$="/files/pdf"]').click()
            await (await waiting.value).save_as(tmp_path / "back.pdf")
            assert file.read_bytes() == (tmp_path / "back.pdf").read_bytes()


async def test_a_blue_fapiao_has_no_sheet_and_a_red_one_needs_its_letter(context: Context) -> None:

    trade = await owed(context)
    async with context.db.transaction() as session:
        by = await fapiao_factory.clerk(session, now=clock.now())
        row = await fapiao_factory.asked(session, trade.invoice.id, person_id=by, now=clock.now())
    async with signed_client(context, role="operator") as (client, _):
        answer = await client.post(
            f"/v1/fapiaos/{row.id}/confirmation", json={"confirmation": "04"}
        )
        assert (answer.status_code, answer.json()["code"]) == (409, "fapiao-out-of-turn")
        missing = {"red_letter_id": str(ids.new(NOW)), "confirmation": "02"}
        asked = await client.put(f"/v1/red-fapiaos/{ids.new(NOW)}", json=missing)
        assert (asked.status_code, asked.json()["code"]) == (404, "unknown")
