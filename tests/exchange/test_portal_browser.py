"""Walks in a real Chromium: a rights holder's from sign-in to a live auction, and the staff's.

Nothing on the way may come from another host, and screenshots are left in tests/output/.
"""

import asyncio
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import anyio
import imageio_ffmpeg
import pytest
from playwright.async_api import Browser, Page, Route, expect

from contracts import ids
from contracts.money import Money
from contracts.parties.tables import Party
from exchange import clock
from exchange.context import Context
from exchange.db import Database
from exchange.identity.tables import Person
from listings.auctions import placing
from listings.auctions import queries as auctions
from listings.catalogue import queries as catalogue
from settlement.payouts import queries as payouts
from settlement.payouts import service as paying
from tests.contracts.parties_factory import party
from tests.contracts.works_factory import new_eidr
from tests.exchange.identity_factory import PASSWORD, person
from tests.exchange.portal_site import Visit, turn, visit
from tests.listings.auctions_factory import arrival
from tests.listings.catalogue_factory import published_listing
from tests.settlement.settlement_factory import Trade, invoiced, paid, with_accounts

pytestmark = pytest.mark.browser

expect.set_options(timeout=30_000)  # the machine may be busy with other tests
LIVING = "life=s=64x36:r=5:seed=2026:ratio=0.3,scale=640:360:flags=neighbor,fps=25"
WIDE = {"width": 1280, "height": 860}
NARROW = {"width": 400, "height": 800}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small moving picture of our own, so that it resembles no other test's."""
    made = tmp_path_factory.mktemp("clip") / "珠江之花 master.mp4"
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-t", "6",
        "-i", LIVING, "-pix_fmt", "yuv420p", str(made),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    yield made


async def someone(db: Database, role: str, *, of: Party | None = None) -> tuple[Person, Party]:
    now = clock.now()
    kinds = {"holder": "rights_holder", "broadcaster": "broadcaster"}
    async with db.transaction() as session:
        home = of or await party(session, kind=kinds.get(role, "rights_holder"), now=now)
        return await person(session, party_id=home.id, role=role, now=now), home


async def bid(db: Database, auction_id: UUID, who: Person, amount_minor: int) -> None:
    now = clock.now()
    sent = arrival(who.party_id, amount_minor, at=now)
    async with db.transaction() as session:
        await placing.place_bid(session, auction_id, sent, now=now)


async def register_work(page: Page, seen: Visit) -> None:
    await seen.go("/works/new")
    await page.fill("#title_zh", "珠江之花")
    await page.fill("#title_en", "Flower of the Pearl River")
    await page.select_option("#kind", "documentary")
    await page.fill("#eidr", "10.5240/7791-8534-2C23-9030-8610-6")
    await page.click("main form button")
    await expect(page.locator("#refusal")).to_contain_text("bad-eidr")
    await seen.shot("work-refused")
    await page.fill("#eidr", new_eidr())
    await page.click("main form button")
    await expect(page.locator("h1")).to_have_text("Flower of the Pearl River")
    await seen.shot("work")


async def upload(page: Page, seen: Visit, file: Path) -> None:
    await page.get_by_role("link", name="Upload a master").click()
    await page.set_input_files("#file", file)
    await page.click("#start")
    await page.wait_for_url("**/masters/0*")
    await expect(page.locator("#examination .badge").first).to_have_text("Received")
    await seen.shot("master-received")


async def offer(page: Page, seen: Visit) -> None:
    await page.get_by_role("link", name="Offer rights").click()
    await page.fill("#floor", "1000000")
    await page.fill("#step", "10000.00")
    await page.fill("#runs_max_1", "3")
    await page.fill("#excluded_1", "HK, MO, TW")
    await seen.shot("listing-form")
    await page.get_by_role("button", name="Save the draft").click()
    await page.wait_for_url("**/listings/0*")
    await expect(page.locator(".badge").first).to_have_text("Draft")
    await page.get_by_role("button", name="Publish the listing").click()
    await expect(page.locator(".badge").first).to_have_text("Listed")


async def examine(context: Context, page: Page, seen: Visit) -> None:
    master_id = UUID(page.url.rsplit("/", 1)[-1])
    await turn(context, about=master_id)  # the worker's part: examine what was received
    await expect(page.locator("#examination .badge").first).to_have_text("Ready")
    await expect(page.locator("#examination")).to_contain_text("640 × 360")
    await expect(page.locator("#examination")).to_contain_text("3840x2160 / 7680x4320")
    await seen.shot("master-ready")


async def see_the_proof(context: Context, page: Page, seen: Visit) -> None:
    await expect(page.locator("#proof")).to_contain_text("Waiting for its number")
    await turn(context)  # the worker's part: seal the publication
    await page.reload()
    assert (await page.locator("#leaf-index").inner_text()).isdigit()
    await seen.shot("listing")
    async with page.expect_download() as saved:
        await page.get_by_role("link", name="Download .tlog-proof").click()
    saved_at = anyio.Path(await (await saved.value).path())
    assert (await saved_at.read_text("utf-8")).startswith("c2sp.org/tlog-proof@v1\n")


async def test_a_rights_holder_walks_from_sign_in_to_a_live_auction(
    context: Context, db: Database, site: str, browser: Browser, clip: Path
) -> None:
    holder, _ = await someone(db, "holder")
    buyer, _ = await someone(db, "broadcaster")
    async with visit(browser, site, viewport=WIDE) as seen:
        page = seen.page
        await seen.sign_in(holder.email, PASSWORD)
        await register_work(page, seen)
        await upload(page, seen, clip)
        await examine(context, page, seen)
        await offer(page, seen)
        await see_the_proof(context, page, seen)
        await page.get_by_role("link", name="To the auction").click()
        await expect(page.locator("#bids")).to_have_text("0")
        auction_id = UUID(page.url.rsplit("/", 1)[-1])
        for amount in (100_000_000, 101_000_000):
            await bid(db, auction_id, buyer, amount)
        await turn(context)  # the worker's part: the feed follows what is sealed
        await expect(page.locator("#leading")).to_have_text("CN¥1,010,000.00", timeout=8_000)
        await expect(page.locator("#least")).to_have_text("CN¥1,020,000.00")
        await expect(page.locator("#bids")).to_have_text("2")
        await seen.shot("auction-live")


async def test_a_broadcaster_bids_on_the_page_and_a_low_bid_is_told_the_least(
    context: Context, db: Database, site: str, browser: Browser
) -> None:
    _, seller = await someone(db, "holder")
    buyer, _ = await someone(db, "broadcaster")
    now = clock.now()
    async with db.transaction() as session:
        listing = await published_listing(session, seller=seller, now=now - timedelta(seconds=1))
    await turn(context)
    async with visit(browser, site, locale="zh-CN", viewport=WIDE) as seen:
        page = seen.page
        await seen.sign_in(buyer.email, PASSWORD)
        await seen.go(f"/auctions/{listing.auction_id}")
        await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
        await page.fill("#amount", "999.99")
        await page.get_by_role("button", name="确认出价").click()
        await expect(page.locator("#refusal")).to_contain_text("bid-too-low")
        await expect(page.locator("#refusal")).to_contain_text("¥1,000.00")
        await seen.shot("bid-too-low-zh")
        await page.fill("#amount", "1000")
        await page.get_by_role("button", name="确认出价").click()
        await expect(page.locator("#leading")).to_have_text("¥1,000.00")
        await expect(page.locator("#live")).to_contain_text("我方")
        await seen.shot("auction-zh")
    async with db.transaction() as session:
        assert (await auctions.get_auction(session, listing.auction_id)).bids == 1
        assert (await catalogue.get_published(session, listing.id)).state == "published"


async def test_an_upload_goes_on_after_a_reload_where_it_stopped(
    db: Database, site: str, browser: Browser, tmp_path: Path
) -> None:
    holder, _ = await someone(db, "holder")
    big = tmp_path / "long.mov"
    big.write_bytes(bytes(range(256)) * 80 * 1024)  # 20 MiB: three parts of at most 8 MiB
    offsets: list[int] = []

    async def cut_after_the_first(route: Route) -> None:
        offset = int(route.request.headers.get("upload-offset", "-1"))
        if route.request.method == "PATCH":
            offsets.append(offset)
        await (route.abort() if offset > 0 else route.continue_())

    async with visit(browser, site, viewport=WIDE) as seen:
        page = seen.page
        await seen.sign_in(holder.email, PASSWORD)
        await register_work_quietly(page, seen)
        await page.route("**/v1/uploads/**", cut_after_the_first)
        await seen.go("/masters/upload")
        await page.set_input_files("#file", big)
        await page.click("#start")
        await expect(page.locator("#said")).to_have_text("The connection is gone; trying again.")
        await seen.shot("upload-cut")
        await page.unroute("**/v1/uploads/**", cut_after_the_first)
        await page.reload()
        started = asyncio.get_running_loop().create_future()
        page.on(
            "request",
            lambda asked: (
                started.done()
                or (asked.method == "PATCH" and started.set_result(asked.headers["upload-offset"]))
            ),
        )
        await page.set_input_files("#file", big)
        await page.click("#start")
        await page.wait_for_url("**/masters/0*")
        assert offsets[0] == 0 and int(await started) == 8 * 1024 * 1024


async def register_work_quietly(page: Page, seen: Visit) -> None:
    await seen.go("/works/new")
    await page.fill("#title_zh", "续传")
    await page.fill("#title_en", "Resumed")
    await page.click("main form button")
    await page.wait_for_url("**/works/0*")


async def prepared(db: Database, *, by: Person) -> tuple[Trade, UUID]:
    """A paid deal whose payout this person prepared."""
    now = clock.now()
    async with db.transaction() as session:
        trade = await invoiced(session, price=Money(120_000_000, "CNY"), now=now)
        await with_accounts(session, trade, now=now)
        await paid(session, trade, now=now)
        made, _ = await paying.prepare(
            session, ids.new(now), deal_id=trade.deal_id, person_id=by.id, now=now
        )
        return trade, made.id


async def test_an_approver_releases_what_somebody_else_prepared(
    db: Database, site: str, browser: Browser
) -> None:
    operator, house = await someone(db, "operator")
    approver, _ = await someone(db, "approver", of=house)
    _, payout_id = await prepared(db, by=operator)
    async with visit(browser, site, viewport=WIDE) as seen:
        page = seen.page
        await seen.sign_in(approver.email, PASSWORD)
        await expect(page.locator("h1")).to_have_text("Needs action")
        await seen.shot("queue")
        await page.locator(f'a[href="/console/payouts/{payout_id}"]').click()
        await expect(page.locator("#content-hash")).to_have_text(await content_of(db, payout_id))
        await seen.shot("payout-prepared")
        await page.fill("#password", PASSWORD)
        await page.get_by_role("button", name="Approve and release the money").click()
        await expect(page.locator(".badge").first).to_have_text("Approved")
        await seen.shot("payout-approved")
        await seen.go("/console/ledger")
        await expect(page.locator("caption .badge").first).to_have_text("The books balance")
        await seen.shot("ledger")
    async with db.transaction() as session:
        assert (await payouts.get_payout(session, payout_id)).decided_by == approver.id


async def content_of(db: Database, payout_id: UUID) -> str:
    async with db.transaction() as session:
        return (await payouts.get_payout(session, payout_id)).content_sha256


async def test_whoever_prepared_a_payout_sees_why_they_cannot_approve_it(
    db: Database, site: str, browser: Browser
) -> None:
    preparer, _ = await someone(db, "approver")
    _, payout_id = await prepared(db, by=preparer)
    async with visit(browser, site, locale="zh-CN", viewport=WIDE) as seen:
        page = seen.page
        await seen.sign_in(preparer.email, PASSWORD)
        await seen.go(f"/console/payouts/{payout_id}")
        await expect(page.locator("#decision")).to_contain_text("经办与复核必须分离")
        await expect(page.locator("#decision form")).to_have_count(0)
        await seen.shot("payout-own-zh")
        token = await page.locator('meta[name="csrf-token"]').get_attribute("content")
        forced = await page.request.post(
            f"{site}/console/payouts/{payout_id}/approval",
            form={
                "csrf_token": str(token),
                "content_sha256": await content_of(db, payout_id),
                "password": PASSWORD,
            },
            headers={"Accept": "text/html"},
        )
        assert forced.status == 403 and "same-person" in await forced.text()


async def test_a_payout_is_refused_with_a_reason(db: Database, site: str, browser: Browser) -> None:
    operator, house = await someone(db, "operator")
    approver, _ = await someone(db, "approver", of=house)
    _, payout_id = await prepared(db, by=operator)
    async with visit(browser, site, viewport=NARROW, color_scheme="dark") as seen:
        page = seen.page
        await seen.sign_in(approver.email, PASSWORD)
        await seen.go(f"/console/payouts/{payout_id}")
        await page.locator("#decision summary").click()
        await page.fill("#reason", "The payee's account is being checked.")
        await page.get_by_role("button", name="Refuse the payout").click()
        await expect(page.locator(".badge").first).to_have_text("Refused")
        await expect(page.locator("main")).to_contain_text("account is being checked")
        await seen.shot("payout-refused-dark")


async def test_sign_in_and_catalogue_work_by_keyboard_alone(
    context: Context, db: Database, site: str, browser: Browser
) -> None:
    holder, seller = await someone(db, "holder")
    async with db.transaction() as session:
        await published_listing(session, seller=seller, now=clock.now())
    await turn(context)
    async with visit(browser, site, locale="zh-CN", viewport=NARROW, color_scheme="dark") as seen:
        page = seen.page
        await seen.go("/")
        await page.keyboard.press("Tab")
        await expect(page.locator(".skip")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("#content")).to_be_focused()
        await seen.shot("catalogue-narrow-dark-zh")
        await seen.go("/sign-in")
        await expect(page.locator("#email")).to_be_focused()
        await page.keyboard.type(holder.email)
        await page.keyboard.press("Tab")
        await page.keyboard.type(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.locator("h1")).to_have_text("作品")
