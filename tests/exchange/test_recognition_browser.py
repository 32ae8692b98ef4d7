"""Walks in a real Chromium: an excerpt is declared by its user, objected to, and cleared by staff.

Screenshots are left in tests/output/.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from playwright.async_api import Browser, expect

from exchange import clock
from exchange.context import Context
from exchange.db import Database
from exchange.identity.tables import Person
from exchange.settings import Settings
from listings.catalogue import service as catalogue
from listings.catalogue.tables import Listing
from listings.masters.tables import Master
from tests.contracts.works_factory import work
from tests.databases import own_database
from tests.exchange.identity_factory import PASSWORD
from tests.exchange.portal_site import visit
from tests.exchange.test_portal_browser import NARROW, WIDE, someone
from tests.listings.catalogue_factory import drafted_listing
from tests.listings.masters_media import FLOWER, ffmpeg
from tests.listings.recognition_factory import master_of

pytestmark = pytest.mark.browser

expect.set_options(timeout=30_000)


@dataclass(frozen=True)
class Case:
    """A draft that shows ten seconds of somebody's listing."""

    owner: Person
    user: Person
    master: Master
    draft: Listing


@pytest.fixture(scope="module")
async def context(server_url: str, settings: Settings) -> AsyncIterator[Context]:
    """A context over a database of this file's own: what it lists is all that is like anything."""
    with own_database(server_url, "likenesses") as url:
        db = Database(url)
        yield Context(settings, db)
        await db.close()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Small pictures of a clip, one for every second."""
    folder = tmp_path_factory.mktemp("thumbs")
    ffmpeg("-i", str(FLOWER), "-vf", "fps=1,scale=320:-2", str(folder / "%02d.jpg"))
    return [path.read_bytes() for path in sorted(folder.iterdir())]


async def excerpt(context: Context, pictures: list[bytes]) -> Case:
    seed, now = uuid4().int % 2**31, clock.now()
    made = []
    for parts in (((seed, 0, 90),), ((seed + 1, 0, 60), (seed, 20, 30))):
        who, home = await someone(context.db, "holder")
        async with context.db.transaction() as session:
            subject = await work(session, party_id=home.id, now=now)
            master = await master_of(session, *parts, party_id=home.id, work_id=subject.id, now=now)
            draft = await drafted_listing(
                session, seller=home, now=now, work=subject, master=master
            )
        show(context, master.id, pictures)
        made.append((who, master, draft))
        if len(made) == 1:
            async with context.db.transaction() as session:
                await catalogue.publish(session, draft.id, party_id=home.id, now=now)
    (owner, _, _), (user, master, draft) = made
    return Case(owner, user, master, draft)


def show(context: Context, master_id: UUID, pictures: list[bytes]) -> None:
    """Keep thumbnails of a master as an examination leaves them."""
    at = [second * 5_000 for second in range(18)]
    for number, at_ms in enumerate(at):
        picture = pictures[number % len(pictures)]
        context.objects.put(f"derived/{master_id}/thumbs/{at_ms}.jpg", picture)
    context.objects.put(f"derived/{master_id}/thumbs.json", str(at).encode())


async def test_an_excerpt_is_declared_objected_to_and_cleared(
    context: Context, site: str, browser: Browser, pictures: list[bytes]
) -> None:
    case = await excerpt(context, pictures)
    await declare(browser, site, case)
    await object_to(browser, site, case)
    await clear(browser, site, case, context)
    async with visit(browser, site, viewport=WIDE) as seen:
        page = seen.page
        await seen.sign_in(case.user.email, PASSWORD)
        await seen.go(f"/listings/{case.draft.id}")
        await page.get_by_role("button", name="Publish the listing").click()
        await expect(page.locator(".badge").first).to_have_text("Listed")


async def declare(browser: Browser, site: str, case: Case) -> None:
    async with visit(browser, site, viewport=WIDE) as seen:
        page = seen.page
        await seen.sign_in(case.user.email, PASSWORD)
        await seen.go(f"/listings/{case.draft.id}")
        await page.get_by_role("button", name="Publish the listing").click()
        await expect(page.locator("#refusal")).to_contain_text("recognition-under-review")
        await seen.shot("recognition-held")
        await page.reload()
        await page.get_by_role("link", name="What to do next").click()
        await expect(page.locator("#verdict")).to_contain_text("To be looked at")
        await expect(page.locator("main")).to_contain_text("1:00 – 1:10")
        await expect(page.locator("main")).to_contain_text("0:20 – 0:30")
        await page.locator("main details summary").click()
        await page.select_option("#claim-1", "archive")
        await page.fill("#source-1", "资料 1984-0317")
        await page.get_by_role("button", name="Declare").click()
        await expect(page.locator("#declarations")).to_contain_text("Waiting for the exchange")
        await page.locator("main details summary").click()
        await seen.shot("recognition-declared")


async def object_to(browser: Browser, site: str, case: Case) -> None:
    async with visit(browser, site, locale="zh-CN", viewport=NARROW, color_scheme="dark") as seen:
        page = seen.page
        await seen.sign_in(case.owner.email, PASSWORD)
        await seen.go("/listings")
        await page.get_by_role("link", name="针对您的挂牌的声明").click()
        await expect(page.locator("main")).to_contain_text("资料 1984-0317")
        await page.fill("#objection-1", "这段画面为我方独家拍摄。")
        await page.get_by_role("button", name="提出异议").click()
        await expect(page.locator("main")).to_contain_text("您的异议")
        await seen.shot("recognition-objection-zh")


async def clear(browser: Browser, site: str, case: Case, context: Context) -> None:
    operator, _ = await someone(context.db, "operator")
    async with visit(browser, site, locale="zh-CN", viewport=WIDE) as seen:
        page = seen.page
        await seen.sign_in(operator.email, PASSWORD)
        await page.locator(f'a[href="/console/recognition/{case.master.id}"]').click()
        await expect(page.locator("#declarations")).to_contain_text("这段画面为我方独家拍摄。")
        shown = page.locator(".looks img")
        await expect(shown).to_have_count(6)
        for number in range(6):
            await shown.nth(number).scroll_into_view_if_needed()
            await expect(shown.nth(number)).to_have_js_property("naturalWidth", 320)
        await seen.shot("recognition-case-zh")
        await page.fill("#reason-1", "已核对资料馆原片编号。")
        await page.get_by_role("button", name="采纳声明").click()
        await expect(page.locator("#verdict")).to_contain_text("通过")
        await seen.shot("recognition-cleared-zh")


async def test_staff_refuse_an_excerpt_and_its_owner_reads_why(
    context: Context, site: str, browser: Browser, pictures: list[bytes]
) -> None:
    case = await excerpt(context, pictures)
    operator, house = await someone(context.db, "operator")
    auditor, _ = await someone(context.db, "auditor", of=house)
    async with visit(browser, site, viewport=WIDE) as seen:
        await seen.sign_in(case.user.email, PASSWORD)
        await seen.go(f"/listings/{case.draft.id}")
        await seen.page.get_by_role("button", name="Publish the listing").click()
        await expect(seen.page.locator("#refusal")).to_contain_text("recognition-under-review")
    async with visit(browser, site, viewport=WIDE) as seen:
        await seen.sign_in(auditor.email, PASSWORD)
        await seen.go(f"/console/recognition/{case.master.id}")
        await expect(seen.page.locator("#decision form")).to_have_count(0)
    async with visit(browser, site, viewport=NARROW) as seen:
        page = seen.page
        await seen.sign_in(operator.email, PASSWORD)
        await seen.go("/console/recognition")
        await expect(page.locator("h1")).to_have_text("Likenesses")
        await seen.shot("recognition-cases")
        await seen.go(f"/console/recognition/{case.master.id}")
        await page.fill("#reason", "Taken from another work.")
        await seen.shot("recognition-case-narrow")
        await page.get_by_role("button", name="Refuse the master").click()
        await expect(page.locator("#verdict")).to_contain_text("Somebody else's work")
    async with visit(browser, site, viewport=WIDE) as seen:
        await seen.sign_in(case.user.email, PASSWORD)
        await seen.go(f"/masters/{case.master.id}")
        await seen.page.get_by_role("link", name="What it resembles").click()
        await expect(seen.page.locator("main")).to_contain_text("Taken from another work.")
        await seen.shot("recognition-refused")
