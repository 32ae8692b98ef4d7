"""A negotiation and a request walked by both sides in a real Chromium, in both languages."""

from datetime import timedelta
from uuid import UUID

import pytest
from playwright.async_api import Browser, expect

from exchange import clock, worker
from exchange.context import Context
from exchange.db import Database
from exchange.identity.tables import Person
from listings.requests import rules
from tests.exchange.identity_factory import PASSWORD, person
from tests.exchange.portal_site import Visit, turn, visit
from tests.listings.offers_factory import Room, a_room

pytestmark = pytest.mark.browser

expect.set_options(timeout=30_000)  # the machine may be busy with other tests
WIDE = {"width": 1280, "height": 860}
NARROW = {"width": 400, "height": 800}


async def staged(db: Database) -> tuple[Room, Person, Person]:
    """A room with a right that is open to offers, and a person on each side."""
    now = clock.now()
    async with db.transaction() as session:
        room = await a_room(session, now=now)
        holder = await person(session, party_id=room.licensor.id, role="holder", now=now)
        buyer = await person(session, party_id=room.licensee.id, role="broadcaster", now=now)
    return room, holder, buyer


async def offered(seen: Visit, room: Room) -> UUID:
    """The broadcaster chooses the right and offers a sum for a year of it."""
    page = seen.page
    await seen.go("/offerables")
    await page.locator(f'input[value="{room.offerable}"]').check()
    await page.get_by_role("button", name="就所选权利发出要约").click()
    await page.fill(f"#amount_{room.work.id}", "50000")
    await page.locator("summary", has_text="只要其中一部分").click()
    await page.fill(f"#last_day_{room.offerable}", "2027-12-31")
    await page.fill("#message", "首轮一年，盼复")
    await seen.shot("offer-new-zh")
    await page.get_by_role("button", name="发出要约").click()
    await expect(page.locator("main")).to_contain_text("等待对方答复")
    return UUID(page.url.rsplit("/", 1)[1])


async def countered(seen: Visit, room: Room, offer_id: UUID) -> None:
    """The licensor asks for more, paid in another way."""
    page = seen.page
    await seen.go("/offers")
    await expect(page.locator("tbody").first).to_contain_text("Your turn")
    await seen.go(f"/offers/{offer_id}")
    await page.select_option("#model", "guarantee-share")
    await page.fill(f"#guarantee_{room.work.id}", "60000.00")
    await page.fill(f"#share_{room.work.id}", "12.5")
    await page.get_by_role("button", name="Send this version").click()
    timeline = page.locator(".versions")
    await expect(timeline.locator("li").first).to_contain_text("12.50 % of net receipts")
    await expect(timeline.locator("del").first).to_contain_text("Fixed sum")
    await seen.shot("offer-countered")


async def test_both_sides_negotiate_and_the_contract_follows(
    context: Context, db: Database, site: str, browser: Browser
) -> None:
    room, holder, buyer = await staged(db)
    async with (
        visit(browser, site, locale="zh-CN", viewport=WIDE) as buys,
        visit(browser, site, viewport=WIDE) as sells,
    ):
        await buys.sign_in(buyer.email, PASSWORD)
        await sells.sign_in(holder.email, PASSWORD)
        offer_id = await offered(buys, room)
        await countered(sells, room, offer_id)
        await buys.go(f"/offers/{offer_id}")
        await buys.shot("offer-turn-zh")
        await buys.page.get_by_role("button", name="接受第 2 版").click()
        await expect(buys.page.locator("main")).to_contain_text("先签署的合同取得权利")
        await turn(context, about=offer_id)
        await buys.page.reload()
        await buys.page.get_by_role("link", name="查看合同").click()
        await expect(buys.page.locator("main")).to_contain_text("60,000.00")
        await buys.page.get_by_role("link", name="查看协商").click()
        await buys.shot("offer-accepted-zh")
    async with visit(browser, site, viewport=NARROW) as seen:
        await seen.sign_in((await staged(db))[2].email, PASSWORD)
        await seen.go(f"/offers/{offer_id}")
        await expect(seen.page.locator("main")).to_contain_text("There is no such offer")


async def test_a_request_is_answered_under_seal_and_opened(
    context: Context, db: Database, site: str, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, holder, buyer = await staged(db)
    async with (
        visit(browser, site, locale="zh-CN", viewport=WIDE) as asks,
        visit(browser, site, viewport=NARROW) as answers,
    ):
        await asks.sign_in(buyer.email, PASSWORD)
        await asks.go("/requests/new")
        await asks.page.fill("#title", "寻购 4K 自然纪录片")
        await asks.page.get_by_role("button", name="发出询价").click()
        await expect(asks.page.locator("main")).to_contain_text("密封中")
        path = "/requests/" + asks.page.url.rsplit("/", 1)[1]
        await answers.sign_in(holder.email, PASSWORD)
        page = await answers.go(path)
        await page.locator(f'input[value="{room.offerable}"]').check()
        await page.get_by_role("button", name="Go on").click()
        await page.fill(f"#amount_{room.work.id}", "90000")
        await page.fill("#expires_at", f"{clock.now() + timedelta(days=40):%Y-%m-%dT%H:%M}")
        await page.get_by_role("button", name="Seal the answer").click()
        await expect(page.locator("main")).to_contain_text("Commitment")
        await answers.shot("request-answered")
        await asks.page.reload()
        await asks.shot("request-sealed-zh")
        later = clock.now() + timedelta(days=15) + rules.OPENED_AFTER
        with monkeypatch.context() as patched:
            patched.setattr(clock, "now", lambda: later)
            while await worker.end_offers(context):
                pass
        await asks.page.reload()
        await expect(asks.page.locator("main")).to_contain_text("90,000.00")
        await asks.shot("request-opened-zh")
        await asks.page.get_by_role("button", name="进入协商").click()
        await asks.page.wait_for_url("**/offers/*")
        await expect(asks.page.locator("main")).to_contain_text("等待贵方答复")
