"""Two people of the staff at work in a real Chromium: a batch, a journal by hand, a refund."""

from uuid import UUID

import pytest
from playwright.async_api import Browser, Page, expect

from contracts.money import Money
from exchange import clock
from exchange.context import Context
from exchange.db import Database
from tests.exchange.identity_factory import PASSWORD
from tests.exchange.portal_site import Visit, visit
from tests.exchange.test_portal_pages import someone
from tests.settlement.batches_factory import waiting
from tests.settlement.orders_factory import journal, owed
from tests.settlement.test_refunds import bought

pytestmark = pytest.mark.browser

expect.set_options(timeout=30_000)  # the machine may be busy with other tests
WIDE = {"width": 1280, "height": 860}
NARROW = {"width": 400, "height": 800}
FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"


async def approve(seen: Visit, where: str, button: str) -> Page:
    """Approve what a page shows, with the password, and see that it fits the screen."""
    page = await seen.go(where)
    assert await page.evaluate(FITS), where
    await page.fill("#password", PASSWORD)
    await page.get_by_role("button", name=button).click()
    await expect(page.locator("#decision")).to_have_count(0)
    return page


async def test_payouts_are_ticked_by_one_and_released_by_another(
    context: Context, db: Database, site: str, browser: Browser
) -> None:
    async with db.transaction() as session:
        now = clock.now()
        chosen = [
            await waiting(session, Money(minor, "CNY"), now=now) for minor in (10_000, 20_000)
        ]
    one, other = await someone(context, "operator"), await someone(context, "approver")
    async with visit(browser, site, viewport=WIDE) as seen:
        page = seen.page
        await seen.sign_in(one.email, PASSWORD)
        await seen.go("/console/payouts")
        for payout in chosen:
            await page.check(f"#tick-{payout.id}")
        await page.get_by_role("button", name="Put what is ticked into one batch").click()
        await expect(page.locator("#decision")).to_contain_text("another person decides")
        where = page.url.removeprefix(site)
        await seen.shot("payout-batch")
    async with visit(browser, site, locale="zh-CN", viewport=NARROW) as seen:
        await seen.sign_in(other.email, PASSWORD)
        page = await approve(seen, where, "全部批准并付款")
        await expect(page.locator(".badge").first).to_have_text("已批准")
        await seen.shot("payout-batch-approved-narrow-zh")


async def test_a_journal_is_typed_by_one_and_booked_by_another(
    context: Context, db: Database, site: str, browser: Browser
) -> None:
    async with db.transaction() as session:
        account = await owed(session, now=clock.now())
    one, other = await someone(context, "operator"), await someone(context, "approver")
    async with visit(browser, site, locale="zh-CN", viewport=NARROW) as seen:
        page = seen.page
        await seen.sign_in(one.email, PASSWORD)
        await seen.go("/console/ledger/orders")
        assert await page.evaluate(FITS)
        item = journal(account, 1)["lines"][0]["explains"]
        lines = {"account-1": account, "debit-1": "12.34", "explains-1": item}
        lines |= {"account-2": "expense:bank-fees:CNY", "credit-2": "12.34"}
        for name, typed in lines.items():
            await page.fill(f'input[name="{name}"]', typed)
        await page.fill("#reason-journal", "银行手续费补记")
        await (
            page.locator("section", has=page.locator("#reason-journal"))
            .get_by_role("button")
            .click()
        )
        await expect(page.locator("#content-hash")).to_be_visible()
        where = page.url.removeprefix(site)
        await seen.shot("ledger-order-narrow-zh")
    async with visit(browser, site, viewport=WIDE, color_scheme="dark") as seen:
        await seen.sign_in(other.email, PASSWORD)
        page = await approve(seen, where, "Approve and do it")
        await expect(page.locator("main")).to_contain_text("order:")
        await seen.shot("ledger-order-booked-dark")
        await seen.go(f"/console/ledger/accounts/{account}")
        await expect(page.locator("main")).to_contain_text("12.34")


async def refund_prepared(seen: Visit, deal: UUID) -> str:
    page = await seen.go(f"/console/settlements/{deal}")
    await page.fill("#amount-1", "5.00")
    await page.fill("#why-1", "the licence was withdrawn")
    await page.get_by_role("button", name="Prepare the refund").click()
    await expect(page.locator("#content-hash")).to_be_visible()
    return page.url.removeprefix(seen.site)


async def test_a_refund_goes_from_the_settlement_to_its_approval(
    context: Context, db: Database, site: str, browser: Browser
) -> None:
    trade, _, _, _ = await bought(db)
    one, other = await someone(context, "operator"), await someone(context, "approver")
    async with visit(browser, site, viewport=WIDE) as seen:
        await seen.sign_in(one.email, PASSWORD)
        where = await refund_prepared(seen, trade.deal_id)
    async with visit(browser, site, locale="zh-CN", viewport=NARROW) as seen:
        await seen.sign_in(other.email, PASSWORD)
        page = await approve(seen, where, "批准并退款")
        await expect(page.locator(".badge").first).to_have_text("退款途中")
        await seen.shot("refund-approved-narrow-zh")
        for here in ("/console/refunds", "/console/disputes", "/console/ledger/holds", "/console"):
            await seen.go(here)
            assert await page.evaluate(FITS), here
