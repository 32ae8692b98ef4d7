"""Walks in a real Chromium through the pages of rights; screenshots are left in tests/output/."""

from uuid import UUID

import pytest
from playwright.async_api import Browser, expect

from exchange import clock
from exchange.db import Database
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import PASSWORD
from tests.exchange.portal_site import visit
from tests.exchange.rights_walk import burdened
from tests.exchange.test_portal_browser import NARROW, WIDE, someone

pytestmark = pytest.mark.browser

expect.set_options(timeout=30_000)
CHINA = "rows=CN&right=broadcasting&medium=satellite&from=2027-12&months=24"


@pytest.fixture(scope="module")
async def walk(db: Database) -> tuple[str, UUID]:
    """The e-mail of a rights holder, and its work."""
    holder, owner = await someone(db, "holder")
    async with db.transaction() as session:
        friend = await party(session, kind="broadcaster", now=clock.now())
        subject = await burdened(session, owner=owner, friend=friend, now=clock.now())
    return holder.email, subject.id


async def test_a_rights_holder_reads_the_map_and_asks_why(
    walk: tuple[str, UUID], site: str, browser: Browser
) -> None:
    email, work_id = walk
    async with visit(browser, site, viewport=WIDE) as seen:
        page = seen.page
        await seen.sign_in(email, PASSWORD)
        await seen.go(f"/works/{work_id}/rights")
        await expect(page.locator("table.heat caption")).to_have_text("Territory by month")
        await page.select_option("#rows", "CN")
        await page.select_option("#right", "broadcasting")
        await page.select_option("#medium", "satellite")
        await page.fill("#from", "2027-12")
        await page.get_by_role("button", name="Show the map").click()
        await expect(page.locator("table.heat tbody tr")).to_have_count(31)
        await seen.shot("rights-map")
        await page.get_by_role("link", name="Guangdong, 2028-03: taken").click()
        await expect(page.locator("#why")).to_contain_text("licensed exclusively or solely already")
        await expect(page.locator("#why")).to_contain_text("已作独占或排他许可")
        await seen.shot("rights-why")
        await page.get_by_role("link", name="Is exactly this free?").click()
        await page.fill("#territories", "+CN -CN-GD -CN-XZ")
        await page.fill("#first_day", "2028-01-01")
        await page.fill("#last_day", "2028-12-31")
        await page.get_by_role("button", name="Is exactly this free?").click()
        await expect(page.locator("#answer")).to_contain_text("partly free")
        await expect(page.locator("#answer")).to_contain_text("blacked out")
        await seen.shot("rights-answer")


async def test_the_map_in_chinese_and_in_a_narrow_window(
    walk: tuple[str, UUID], site: str, browser: Browser
) -> None:
    email, work_id = walk
    async with visit(browser, site, locale="zh-CN", viewport=NARROW, color_scheme="dark") as seen:
        page = seen.page
        await seen.sign_in(email, PASSWORD)
        await seen.go(f"/works/{work_id}/rights?{CHINA}&at=CN-XZ&month=2028-03")
        await expect(page.locator("#why")).to_contain_text("取决于尚无日期的事件")
        await expect(page.locator("#why")).to_contain_text("院线首映")
        wide = await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert wide, "the page scrolls sideways, not the table alone"
        await seen.shot("rights-map-zh-narrow")
        await seen.go(f"/works/{work_id}/rights/check")
        await page.locator("main form button").first.click()
        await expect(page.locator("#answer")).to_be_visible()
        await seen.shot("rights-answer-zh-narrow")


async def test_the_register_and_its_forms_in_both_languages(
    walk: tuple[str, UUID], site: str, browser: Browser
) -> None:
    email, work_id = walk
    for locale, name in (("en-GB", "en"), ("zh-CN", "zh")):
        size = WIDE if name == "en" else NARROW
        async with visit(browser, site, locale=locale, viewport=size) as seen:
            page = seen.page
            await seen.sign_in(email, PASSWORD)
            await seen.go(f"/works/{work_id}/register")
            await expect(page.locator("#grants tbody tr")).not_to_have_count(0)
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            await seen.shot(f"register-{name}")
            await (
                page.locator("#grants")
                .get_by_role("link", name="Runs")
                .or_(page.locator("#grants").get_by_role("link", name="播出次数"))
                .first.click()
            )
            await expect(page.locator("#used")).to_have_text("0 / 2")
            await seen.shot(f"runs-{name}")
            await seen.go(f"/works/{work_id}/register/new/encumbrance")
            await page.locator("main form details summary").click()
            await page.fill("#territories", "CN-SH")
            await page.locator("main form > .row button").click()
            await expect(page.locator("#refusal")).to_contain_text("beneficiary-needed")
            await seen.shot(f"register-new-{name}")
