"""A walk in a real Chromium: packages are composed, bid for and explained; screenshots are kept."""

import pytest
from playwright.async_api import Browser, Page, expect

from exchange import clock
from exchange.context import Context
from exchange.identity.tables import Person
from tests.contracts.parties_factory import party
from tests.contracts.works_factory import work
from tests.exchange.identity_factory import PASSWORD
from tests.exchange.portal_site import Visit, visit
from tests.exchange.test_bundles_portal import Sale, solved
from tests.exchange.test_portal_browser import NARROW, WIDE, someone
from tests.listings.bundles_factory import open_packages

pytestmark = pytest.mark.browser

expect.set_options(timeout=30_000)


async def opened(context: Context) -> tuple[Sale, list[Person]]:
    now = clock.now()
    async with context.db.transaction() as session:
        seller = await party(session, kind="rights_holder", now=now)
        theirs = await work(session, party_id=seller.id, now=now)
        auction = await open_packages(session, seller_id=seller.id, work_id=theirs.id, now=now)
    return Sale(auction.id), [(await someone(context.db, "broadcaster"))[0] for _ in range(3)]


async def put(page: Page, row: str, amount: str) -> None:
    """Tick a territory with all its windows and say what it is worth."""
    for place in row.split(" + "):
        await page.locator("tbody th label", has_text=place).locator("input").check()
    await page.fill("#amount", amount)
    await page.click('button[value="add"]')
    await expect(page.locator("tbody").first).to_contain_text(row.split(" + ")[0])


async def bids(theirs: Visit, sale: Sale, who: Person, *rows: tuple[str, str]) -> None:
    await theirs.sign_in(who.email, PASSWORD)
    page = await theirs.go(sale.page)
    for row, amount in rows:
        await put(page, row, amount)
    await theirs.shot(f"packages-list-{len(rows)}")
    await page.click('button[value="place"]')
    await expect(page.locator("tbody").first).to_contain_text(rows[0][0].split(" + ")[0])


async def test_packages_are_composed_bid_for_and_explained(
    context: Context, site: str, browser: Browser
) -> None:
    sale, people = await opened(context)
    async with visit(browser, site, viewport=WIDE) as first:
        await bids(first, sale, people[0], ("Mainland China", "100"))
    async with visit(browser, site, viewport=WIDE) as second:
        rows = ("Hong Kong", "100"), ("Hong Kong + Japan", "103")
        await bids(second, sale, people[1], *rows)
    async with visit(browser, site, viewport=WIDE) as third:
        await bids(third, sale, people[2], ("Mainland China + Hong Kong", "100"))
    await solved(context, sale)
    address = f"/auctions/{sale.auction}/solution"
    async with visit(browser, site, viewport=WIDE) as anybody:
        page = await anybody.go(address)
        await expect(page.locator("#solution")).to_contain_text("CN¥51.00")
        await anybody.shot("packages-solution")
    async with visit(browser, site, locale="zh-CN", viewport=NARROW) as anybody:
        page = await anybody.go(address)
        await expect(page.locator("#solution")).to_contain_text("成交价说明")
        await anybody.shot("packages-solution-zh")
