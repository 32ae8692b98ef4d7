"""A screener in a real Chromium: made by the owner, watched and sought in by its viewer."""

import subprocess
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from playwright.async_api import Browser, expect

from exchange import clock
from exchange.context import Context
from exchange.db import Database
from exchange.identity.tables import Person
from listings.masters import gateway
from listings.screeners import gateway as burning
from listings.screeners import queries as screeners
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import PASSWORD, person
from tests.exchange.portal_site import Visit, turn, visit
from tests.listings.masters_factory import ready_master

pytestmark = pytest.mark.browser
expect.set_options(timeout=30_000)
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 400, "height": 800}
PLAYS = """v => new Promise((seen, broke) => {
  const width = () => seen(v.videoWidth);
  v.readyState >= 2 ? width() : v.addEventListener("loadeddata", width, {once: true});
  v.addEventListener("error", () => broke(v.error.message), {once: true});
})"""
SEEKS = """v => new Promise(found => {
  v.pause();
  v.addEventListener("seeked", () => found(v.currentTime / v.duration), {once: true});
  v.currentTime = v.duration * 0.8;
})"""
NOTHING = UUID(int=0)
FRIDAY = Path(__file__).parent.parent / "media" / "friday.mp4"


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("proxy") / "proxy.mp4"
    made = ["-i", str(FRIDAY), "-vf", "scale=640:360", "-c:v", "libx264", "-preset", "ultrafast"]
    subprocess.run([gateway.ffmpeg(), "-v", "error", *made, "-c:a", "aac", path], check=True)
    return path.read_bytes()


async def staged(context: Context, db: Database, proxy: bytes) -> tuple[Person, UUID]:
    """An owner and a ready master of theirs with a proxy."""
    now = clock.now()
    async with db.transaction() as session:
        home = await party(session, kind="rights_holder", now=now)
        owner = await person(session, party_id=home.id, role="holder", now=now)
        master = await ready_master(session, party_id=home.id, work_id=None, now=now)
    path = context.settings.objects / burning.proxy_key(master.id)
    path.parent.mkdir(parents=True)
    path.write_bytes(proxy)
    return owner, master.id


async def made_by_hand(seen: Visit, owner: Person, master_id: UUID) -> str:
    """The link that the form made."""
    page = seen.page
    await seen.sign_in(owner.email, PASSWORD)
    await seen.go(f"/masters/{master_id}")
    await page.get_by_role("link", name="审看样片").click()
    await page.fill("#viewer", "广州台 节目中心")
    await page.fill("#expires_on", (clock.now() + timedelta(days=5)).date().isoformat())
    await page.fill("#most_views", "3")
    await page.get_by_role("button", name="生成链接").click()
    await seen.shot("screeners-zh")
    return await page.locator("#link a").inner_text()


async def watched(seen: Visit, path: str) -> None:
    """The film plays and can be sought in."""
    page = await seen.go(path)
    await expect(page.locator("main")).to_contain_text("广州台 节目中心")
    await page.get_by_role("button", name="Watch").click()
    video = page.locator("video")
    assert await video.evaluate(PLAYS) == 640
    assert await video.evaluate(SEEKS) == pytest.approx(0.8, abs=0.02)
    await seen.shot("screener")


async def test_a_screener_goes_from_its_owner_to_its_viewer_and_back(
    context: Context, db: Database, site: str, browser: Browser, proxy: bytes
) -> None:
    owner, master_id = await staged(context, db, proxy)
    async with visit(browser, site, locale="zh-CN", viewport=WIDE) as seen:
        page = seen.page
        link = await made_by_hand(seen, owner, master_id)
        path = link.removeprefix(context.settings.public_url)
        async with db.transaction() as session:
            (made,) = await screeners.of_master(session, master_id, after=NOTHING, limit=2)
        await turn(context, about=made.id)  # the worker's part: burn the name in
        async with visit(browser, site, viewport=NARROW) as other:
            await watched(other, path)
        await seen.go(f"/masters/{master_id}/screeners")
        await expect(page.locator("tbody").first).to_contain_text("1 / 3")
        await seen.shot("screeners-watched-zh")
        await page.get_by_role("button", name="收回").click()
        await expect(page.locator("tbody").first).to_contain_text("已收回")
    async with visit(browser, site, viewport=NARROW) as other:
        await other.go(path)
        await expect(other.page.locator("main")).to_contain_text("screener-ended")
