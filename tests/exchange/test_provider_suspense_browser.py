"""Money in suspense at the provider on its page: taken up, and explained by two people."""

import re

import pytest
from playwright.async_api import Page, expect
from sqlalchemy import text

from exchange.context import Context
from exchange.db import Database
from settlement.clearing.rules import Held
from tests.exchange.identity_factory import PASSWORD
from tests.exchange.portal_site import Visit, chromium, served, visit
from tests.exchange.test_portal_pages import someone
from tests.settlement.test_provider_suspense import of, wrong_amount

NARROW = {"width": 390, "height": 844}
PAGE = "/console/provider/suspense"
REASON = "多收的零头记入渠道手续费"
# A label that is taller than its cell lies over the label below it.
HIDDEN_LABELS = """() => [...document.querySelectorAll(".cards [data-label]")].filter(
  (cell) => parseFloat(getComputedStyle(cell, "::before").height) > cell.clientHeight
).map((cell) => cell.dataset.label)"""


async def fits(page: Page) -> None:
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= NARROW["width"], width
    assert await page.evaluate(HIDDEN_LABELS) == []


async def take_up_and_explain(seen: Visit, item: Held) -> str:
    """Take an item up on a telephone and order its journal; return the order's address."""
    page = seen.page
    await seen.go("/console")
    await page.click(f'a[href="{PAGE}#item-{item.id}"]')
    row = page.locator(f"#item-{item.id}")
    await expect(row).to_contain_text("金额与应付不符的付款")
    await expect(row).to_contain_text("¥0.77")
    await expect(page.locator('nav a[aria-current="page"]')).to_have_text("银行")
    await fits(page)
    await row.get_by_role("button", name="由我办理").click()
    await expect(row).to_contain_text("示范人员")
    await expect(row.get_by_role("button", name="由我办理")).to_have_count(0)
    await seen.shot("provider-suspense-zh-narrow")
    await row.get_by_role("link", name="以手工分录核销").click()
    await expect(page.locator('[name="explains-1"]')).to_have_value(item.key)
    await page.fill('[name="debit-1"]', "0.77")
    await page.fill('[name="account-2"]', "expense:psp-fees:CNY")
    await page.fill('[name="credit-2"]', "0.70")
    await page.fill("#reason-journal", REASON)
    prepare = page.locator("form", has=page.locator("#reason-journal")).get_by_role("button")
    await prepare.click()
    await expect(page.locator("#refusal")).to_contain_text("手工凭证借贷不平")
    await page.fill('[name="credit-2"]', "0.77")
    await prepare.click()
    await expect(page.locator("#decision")).to_contain_text("由您经办，须由他人复核")
    await expect(page.locator("#decision button")).to_have_count(0)  # its maker decides nothing
    return page.url.removeprefix(seen.site)


async def approve(seen: Visit, address: str, item: Held) -> None:
    page = seen.page
    await seen.go(PAGE)
    row = page.locator(f"#item-{item.id}")
    await expect(row).to_contain_text("A payment of another amount than was due")
    await expect(row).to_contain_text(re.compile(r"CN¥0\.77"))
    await expect(row).to_contain_text("示范人员")  # in the hands of who took it up
    await fits(page)
    await seen.shot("provider-suspense-en-narrow")
    await seen.go("/console")
    await page.click(f'a[href="{address}"]')
    await expect(page.locator("table")).to_contain_text(item.key)
    await page.fill("#password", PASSWORD)
    await page.get_by_role("button", name="Approve and do it").click()
    await expect(page.locator("dd", has_text="order:")).to_be_visible()
    await seen.go(PAGE)
    await expect(page.locator("h1")).to_have_text("In suspense at the card provider")
    await expect(page.locator(f"#item-{item.id}")).to_have_count(0)


async def booked(db: Database, key: str) -> dict[str, int]:
    """The lines of a journal, by the codes of their accounts."""
    lines = (
        "SELECT a.code, p.amount_minor FROM ledger_posting p "
        "JOIN ledger_account a ON a.id = p.account_id "
        "JOIN ledger_journal j ON j.id = p.journal_id WHERE j.idem_key = :key"
    )
    async with db.sessions() as session:
        rows = await session.execute(text(lines), {"key": key})
        return {str(code): int(minor) for code, minor in rows}


@pytest.mark.browser
async def test_money_in_suspense_is_taken_up_and_explained_by_two_people(
    context: Context, db: Database
) -> None:
    _, provider_id, _ = await wrong_amount(db)
    async with db.sessions() as session:
        [item] = await of(session, provider_id)
    maker, checker = await someone(context, "approver"), await someone(context, "approver")
    async with served(context) as site, chromium() as program:
        async with visit(program, site, locale="zh-CN", viewport=NARROW) as seen:
            await seen.sign_in(maker.email, PASSWORD)
            address = await take_up_and_explain(seen, item)
        async with db.sessions() as session:
            assert [one.amount_minor for one in await of(session, provider_id)] == [77]
        async with visit(program, site, viewport=NARROW) as seen:
            await seen.sign_in(checker.email, PASSWORD)
            await approve(seen, address, item)
    assert await booked(db, f"order:{address[-36:]}") == {
        item.account: 77, "expense:psp-fees:CNY": -77,
    }  # fmt: skip
    async with db.sessions() as session:
        assert await of(session, provider_id) == []
