"""A walk in a real Chromium through a file of avails; screenshots are left in tests/output/."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from exchange.db import Database
from tests.exchange.identity_factory import PASSWORD
from tests.exchange.portal_site import visit
from tests.exchange.test_portal_browser import NARROW, WIDE, someone

pytestmark = pytest.mark.browser

expect.set_options(timeout=30_000)
SAMPLES = Path(__file__).parent.parent / "vectors" / "mddf"


async def test_a_rights_holder_checks_a_workbook_and_applies_it(
    db: Database, site: str, browser: Browser
) -> None:
    holder, _ = await someone(db, "holder")
    async with visit(browser, site, viewport=WIDE) as seen:
        page = seen.page
        await seen.sign_in(holder.email, PASSWORD)
        await page.get_by_role("link", name="Avails", exact=True).click()
        await page.set_input_files("#file", SAMPLES / "TV_v1.8.xlsx")
        await page.get_by_role("button", name="Check").first.click()
        await expect(page.locator("main")).to_contain_text("Checked, nothing written")
        await expect(page.locator("main")).to_contain_text("row 6")
        await seen.shot("avails-checked")
        await page.set_input_files("#file", SAMPLES / "TV_v1.8.xlsx")
        await page.get_by_role("button", name="Apply").first.click()
        await expect(page.locator("main")).to_contain_text("Applied")
        await seen.shot("avails-applied")


async def test_a_file_with_errors_in_chinese_and_in_a_narrow_window(
    db: Database, site: str, browser: Browser
) -> None:
    holder, _ = await someone(db, "holder")
    async with visit(browser, site, locale="zh-CN", viewport=NARROW) as seen:
        page = seen.page
        await seen.sign_in(holder.email, PASSWORD)
        await seen.go("/avails")
        await page.set_input_files("#file", SAMPLES / "Avails_Volume_error_v2.5.xml")
        await page.locator("main form button").last.click()
        await expect(page.locator("main")).to_contain_text("3")
        await seen.shot("avails-errors-zh")
