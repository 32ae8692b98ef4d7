"""A failed refund is sent again on the pages: by two people, in both languages, on a telephone."""

import re
from uuid import UUID

import pytest
from playwright.async_api import Page, expect

from exchange import clock
from exchange.context import Context
from exchange.db import Database
from settlement.refunds import queries
from tests.exchange.identity_factory import PASSWORD
from tests.exchange.portal_site import Visit, chromium, served, visit
from tests.exchange.test_portal_pages import someone
from tests.exchange.test_provider_suspense_browser import NARROW, fits
from tests.settlement.resent_factory import Failed, failed
from tests.settlement.returns_factory import balances, settle

REASON = "发卡行恢复收款"


async def prepare(seen: Visit, one: Failed) -> str:
    """Find the failed refund in the queue and prepare its sending; return the new one's address."""
    page, where = seen.page, f"/console/refunds/{one.refund.id}"
    await seen.go("/console")
    waits = page.locator("tr", has=page.locator(f'a[href="{where}#again"]'))
    await expect(waits).to_contain_text("退款失败：请重新退款")
    await expect(waits).to_contain_text("¥5.00")
    await waits.get_by_role("link").click()
    await expect(page.locator("#again")).to_contain_text("款项仍欠付款方")
    await fits(page)
    await seen.shot("refund-failed-zh-narrow")
    await page.select_option("#goes_to", "verified-account")
    await page.fill("#reason", REASON)
    again = page.get_by_role("button", name="经办重新退款")
    await again.click()
    refusal = page.locator("#refusal")  # the payer has declared no account
    await expect(refusal).to_contain_text("没有可供退款的银行账户")
    await expect(refusal).to_contain_text("资金")  # where the payer declares one
    await page.select_option("#goes_to", "card")
    await again.click()
    await expect(page.locator("#decision")).to_contain_text("由您经办，须由他人复核")
    await expect(page.locator("#decision button")).to_have_count(0)
    await expect(page.locator("dd", has_text=REASON)).to_be_visible()
    await fits(page)
    await seen.shot("refund-sent-again-zh-narrow")
    return page.url.removeprefix(seen.site)


async def approve_as_maker(page: Page, site: str, address: str) -> None:
    """The page offers its maker no decision; sent by hand, it is refused."""
    token = await page.locator('input[name="csrf_token"]').first.input_value()
    sha256 = await page.locator("#content-hash").text_content()
    form = {"csrf_token": token, "content_sha256": str(sha256), "password": PASSWORD}
    sent = await page.request.post(f"{site}{address}/approval", form=form)
    assert (sent.status, "same-person" in await sent.text()) == (403, True)


async def approve(seen: Visit, address: str, one: Failed) -> None:
    page, first = seen.page, f"/console/refunds/{one.refund.id}"
    await seen.go("/console")
    await page.click(f'a[href="{address}"]')
    await expect(page.locator("dl").first).to_contain_text(re.compile(r"CN¥5\.00"))
    await expect(page.get_by_role("link", name="The refund that failed")).to_have_attribute(
        "href", first
    )
    await page.fill("#password", "not mine at all")
    await page.get_by_role("button", name="Approve and send the money back").click()
    await expect(page.locator("#refusal")).to_contain_text("password")
    await page.fill("#password", PASSWORD)
    await page.get_by_role("button", name="Approve and send the money back").click()
    await expect(page.locator("h1 + p .badge")).to_have_text("On its way back")
    await page.get_by_role("link", name="The refund that failed").click()
    await expect(page.locator("#again")).to_have_count(0)
    await expect(page.locator(f'dd a[href="{address}"]')).to_be_visible()
    await seen.shot("refund-sent-again-en")


@pytest.mark.browser
async def test_a_failed_refund_is_sent_again_by_two_people_on_the_pages(
    context: Context, db: Database
) -> None:
    one = await failed(db)
    assert (await balances(db, one.trade))["refund:buyer:owed"] == -500
    maker, checker = await someone(context, "approver"), await someone(context, "approver")
    async with served(context) as site, chromium() as program:
        async with visit(program, site, locale="zh-CN", viewport=NARROW) as seen:
            await seen.sign_in(maker.email, PASSWORD)
            address = await prepare(seen, one)
            await approve_as_maker(seen.page, site, address)
        assert (await balances(db, one.trade))["refund:buyer:owed"] == -500  # nothing has moved
        async with visit(program, site) as seen:
            await seen.sign_in(checker.email, PASSWORD)
            await approve(seen, address, one)
        books = await balances(db, one.trade)
        assert {code: books[code] for code in books if code.startswith("refund:")} == {
            "refund:buyer:in-transit": -500
        }
        await settle(db, one.gateway, now=clock.now())
        async with visit(program, site, locale="zh-CN") as seen:
            await seen.sign_in(checker.email, PASSWORD)
            await seen.go(address)
            await expect(seen.page.locator("h1 + p .badge")).to_have_text("已退款")
    after = await balances(db, one.trade)
    assert not [code for code in after if code.startswith("refund:")]
    async with db.sessions() as session:
        made = await queries.get_refund(session, UUID(address[-36:]))
        assert (made.state, made.resends, made.amount_minor) == ("made", one.refund.id, 500)
