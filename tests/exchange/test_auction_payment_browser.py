"""A seller lets the winner pay in instalments, in a real Chromium, in both languages."""

import secrets

import pytest
from playwright.async_api import Browser, Page, expect

from contracts.works.tables import Work
from exchange import clock
from exchange.db import Database
from listings.masters.tables import Master
from tests.contracts.parties_factory import party
from tests.contracts.works_factory import work
from tests.exchange.identity_factory import PASSWORD, person
from tests.exchange.portal_site import visit
from tests.listings.masters_factory import ready_master

pytestmark = pytest.mark.browser

expect.set_options(timeout=30_000)  # the machine may be busy with other tests
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 400, "height": 800}


@pytest.fixture
async def ours(db: Database) -> tuple[str, Work, Master]:
    now = clock.now()
    async with db.transaction() as session:
        home = await party(session, kind="rights_holder", now=now)
        who = await person(session, party_id=home.id, role="holder", now=now)
        film = await work(session, party_id=home.id, now=now)
        master = await ready_master(
            session, party_id=home.id, work_id=film.id, now=now, seed=secrets.randbelow(2**31)
        )
        return who.email, film, master


async def fits(page: Page) -> bool:
    """Tell whether nothing reaches past the right edge of the window."""
    wide: bool = await page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    return wide


async def drafted(page: Page) -> None:
    """Choose instalments and save the draft; the fields show up with the choice."""
    for name in ("parts", "rate", "security", "share"):
        await expect(page.locator(f"#{name}")).to_be_hidden()
    await page.select_option("#payment", "guarantee-share")
    await expect(page.locator("#share")).to_be_visible()
    await page.select_option("#payment", "instalments")
    await expect(page.locator("#share")).to_be_hidden()
    await page.fill("#parts", "30/5, 70/180")
    await page.fill("#rate", "3.10")
    await page.fill("#security", "银行保函 GC-2026-001")
    await page.fill("#floor", "1000000")
    await page.fill("#step", "10000")
    await page.locator('input[name="media_1"]').first.check()
    await page.locator('input[name="territories_1"][value="CN"]').check()
    await page.locator('input[name="languages_1"][value="zh"]').check()


async def test_the_way_of_paying_is_chosen_saved_and_shown_before_anybody_bids(
    site: str, browser: Browser, ours: tuple[str, Work, Master]
) -> None:
    email, film, master = ours
    async with visit(browser, site, locale="zh-CN", viewport=WIDE) as seen:
        await seen.sign_in(email, PASSWORD)
        page = await seen.go(f"/listings/new?work={film.id}&master={master.id}")
        await drafted(page)
        await seen.shot("listing-payment-zh")
        await page.locator("main form.form button").last.click()
        await page.wait_for_url("**/listings/0*")
        main = page.locator("main")
        await expect(main).to_contain_text("成交价款支付方式")
        await expect(main).to_contain_text("5日内付30.00%、180日内付70.00%")
        await seen.shot("listing-paid-in-parts-zh")
        await page.get_by_role("button", name="发布").click()
        await page.get_by_role("link", name="前往拍卖").click()
        await expect(page.locator("main")).to_contain_text("70.00%")
        address = page.url
    async with visit(browser, site, viewport=NARROW) as seen:
        page = await seen.go(address.removeprefix(site))
        await expect(page.locator("main")).to_contain_text("30.00 % within 5 days")
        await page.get_by_text("Every rule in words").click()
        await expect(page.locator('dd[lang="zh-CN"]')).to_contain_text("70.00%")
        assert await fits(page)
        await seen.shot("auction-paid-in-parts-narrow")


async def test_on_a_narrow_screen_the_form_fits_and_quotes_ask_for_no_way_of_paying(
    site: str, browser: Browser, ours: tuple[str, Work, Master]
) -> None:
    email, film, master = ours
    async with visit(browser, site, viewport=NARROW) as seen:
        await seen.sign_in(email, PASSWORD)
        page = await seen.go(f"/listings/new?way=dutch&work={film.id}&master={master.id}")
        await expect(page.get_by_label("How the winner pays")).to_be_visible()
        await page.select_option("#payment", "instalments")
        assert await fits(page)
        await seen.shot("listing-payment-narrow")
        await seen.go(f"/listings/new?way=intent&work={film.id}&master={master.id}")
        await expect(page.locator("#payment")).to_have_count(0)
