"""A sealed bid in a real Chromium: what leaves the browser holds no amount."""

import json
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from playwright.async_api import Browser, Request, expect

from contracts import ids, rfc3339
from exchange import clock
from exchange.context import Context
from exchange.identity.tables import Person
from listings.admissions import service as admissions
from listings.auctions import ending
from listings.auctions import service as auctions
from listings.sealed import envelope, keys, service, sharing
from listings.sealed.sharing import HOLDERS
from tests.contracts.parties_factory import party
from tests.contracts.works_factory import work
from tests.exchange.identity_factory import PASSWORD, person
from tests.exchange.portal_site import visit
from tests.listings.sealed_factory import Ceremony, ceremony_of

pytestmark = pytest.mark.browser
expect.set_options(timeout=30_000)
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 400, "height": 800}
AMOUNT, MINOR = "8675309.42", 867_530_942


async def staged(context: Context) -> tuple[Ceremony, Person, Person, UUID]:
    """A sealed auction of a work, its seller and one admitted bidder."""
    now = clock.now()
    held = ceremony_of(ids.new(now))
    auction_id = held.opening.auction
    async with context.db.transaction() as session:
        home = await party(session, kind="rights_holder", now=now)
        seller = await person(session, party_id=home.id, role="holder", now=now)
        sold = await work(session, party_id=home.id, now=now)
        await keys.register(session, auction_id, held.wire, party_id=home.id, now=now)
        for holder in HOLDERS:
            await keys.acknowledge(
                session, auction_id, holder, signature=bytes.fromhex(held.acknowledged(holder)),
                party_id=home.id, person_id=seller.id, now=now,
            )  # fmt: skip
        sale = {
            "method": "sealed", "auction_id": str(auction_id), "currency": "CNY",
            "floor_minor": 100_000, "opens_at": rfc3339.exact(now - timedelta(minutes=1)),
            "closes_at": rfc3339.exact(now + timedelta(hours=1)),
            "secrecy": {"bidders": "hidden", "amounts": "sealed"}, "opening": held.wire,
        }  # fmt: skip
        row = await auctions.open_auction(
            session, auction_id, listing_id=ids.new(now), work_id=sold.id, seller_id=home.id,
            sale=sale, now=now,
        )  # fmt: skip
        buys = await party(session, kind="broadcaster", now=now)
        bidder = await person(session, party_id=buys.id, role="broadcaster", now=now)
        await admissions.loaded(session, row, [buys.id], now=now)
    return held, seller, bidder, auction_id


async def test_a_bid_is_sealed_in_the_browser_and_the_request_holds_no_amount(
    context: Context, site: str, browser: Browser, tmp_path: Path
) -> None:
    held, seller, bidder, auction_id = await staged(context)
    sent: list[str] = []

    def remember(request: Request) -> None:
        sent.append(f"{request.method} {request.url} {request.post_data or ''}")

    async with visit(browser, site, locale="zh-CN", viewport=WIDE) as seen:
        page = seen.page
        await seen.sign_in(bidder.email, PASSWORD)
        await seen.go(f"/auctions/{auction_id}/opening")
        page.on("request", remember)
        await page.fill("#amount", "一百万")
        await page.get_by_role("button", name="密封并提交").click()
        await expect(page.locator("#told")).to_contain_text("未发送任何内容")
        assert [one for one in sent if one.startswith("PUT")] == []
        await page.fill("#amount", AMOUNT)
        await seen.shot("sealed-bid-zh")
        async with page.expect_download() as saving:
            await page.get_by_role("button", name="密封并提交").click()
        file = tmp_path / "kept.json"
        await (await saving.value).save_as(file)
        await expect(page.locator("#told")).to_contain_text("报价已密封并存妥")
        assert await page.input_value("#amount") == ""
        [put] = [one for one in sent if one.startswith("PUT")]
        for form in (AMOUNT, str(MINOR), f"{MINOR:x}", "8675309", "8,675,309"):
            assert all(form not in one for one in sent)
        body = json.loads(put[put.index("{") :])
        assert set(body) == {"commitment", "sealed"}
        kept = json.loads(file.read_text())
        assert kept["content"] == {"amount_minor": MINOR, "currency": "CNY"}
        await opened_by_python(held, body, kept)
        await revealed(context, seen_site=site, browser=browser, who=bidder, file=file, held=held)
    await everybody_reads_the_opening(context, site, browser, seller, held)


async def opened_by_python(held: Ceremony, body: dict[str, str], kept: dict[str, object]) -> None:
    """The second implementation of the same seal opens what the browser sealed."""
    private = sharing.join({h: held.shares[h] for h in HOLDERS[:2]})
    content, nonce = envelope.unseal(
        private, body, auction=held.opening.auction, paddle=int(str(kept["paddle"]))
    )
    assert (content, nonce.hex()) == (kept["content"], kept["nonce"])


async def revealed(
    context: Context, *, seen_site: str, browser: Browser, who: Person, file: Path, held: Ceremony
) -> None:
    """After the close the bidder opens its bid itself, from the file that was kept."""
    auction_id = held.opening.auction
    async with context.db.transaction() as session:
        row = await auctions.locked(session, auction_id)
        await ending.close(session, row, now=row.closes_at)
    async with visit(browser, seen_site, viewport=NARROW) as seen:
        await seen.sign_in(who.email, PASSWORD)
        await seen.go(f"/auctions/{auction_id}/opening")
        await seen.page.set_input_files("#file", file)
        await seen.page.get_by_role("button", name="Open my bid").click()
        await expect(seen.page.locator("#told")).to_contain_text("shown with all the others")
        await seen.shot("sealed-reveal-narrow")
    async with visit(browser, seen_site, viewport=NARROW) as seen:
        await seen.go(f"/auctions/{auction_id}/opening")
        await expect(seen.page.locator("main")).to_contain_text("Nothing is open yet")
        assert "8,675,309" not in await seen.page.content()


async def everybody_reads_the_opening(
    context: Context, site: str, browser: Browser, seller: Person, held: Ceremony
) -> None:
    now = clock.now()
    async with context.db.transaction() as session:
        for holder in HOLDERS[:2]:
            await service.hand_in(
                session, held.opening.auction, holder, held.shares[holder],
                party_id=seller.party_id, person_id=seller.id, now=now,
            )  # fmt: skip
    async with visit(browser, site, locale="zh-CN", viewport=WIDE) as seen:
        await seen.go(f"/auctions/{held.opening.auction}/opening")
        await expect(seen.page.locator("main")).to_contain_text("8,675,309.42")
        await expect(seen.page.locator("main")).to_contain_text("已开启")
        await seen.shot("sealed-opened-zh")


async def test_a_seller_makes_and_registers_the_key_of_an_auction_to_come(
    context: Context, site: str, browser: Browser
) -> None:
    now = clock.now()
    async with context.db.transaction() as session:
        home = await party(session, kind="rights_holder", now=now)
        seller = await person(session, party_id=home.id, role="holder", now=now)
    async with visit(browser, site, viewport=WIDE) as seen:
        page = seen.page
        await seen.sign_in(seller.email, PASSWORD)
        await seen.go("/opening-keys/new")
        auction_id = UUID(page.url.split("/")[-2])
        await expect(page.locator("main")).to_contain_text(f"keygen {auction_id}")
        await seen.shot("opening-key-new")
        other = ceremony_of(ids.new(now))
        await page.fill("#opening", json.dumps(other.wire))
        await page.get_by_role("button", name="Register the key").click()
        await expect(page.locator("#refusal")).to_contain_text("bad-opening-key")
        held = ceremony_of(auction_id)
        await page.fill("#opening", json.dumps(held.wire))
        await page.get_by_role("button", name="Register the key").click()
        await expect(page.locator("main")).to_contain_text("acknowledge seller.share.json")
        assert json.loads(await page.input_value("#opening")) == held.wire
        await seen.shot("opening-key-registered")
