"""A bidder applies, pays a deposit and is admitted, in a real Chromium beside the staff's."""

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from contracts import rfc3339
from contracts.money import Money
from exchange import clock
from exchange.context import Context
from exchange.identity.tables import Person
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import PASSWORD, person
from tests.exchange.portal_site import Visit, visit
from tests.listings.catalogue_factory import published_listing

pytestmark = pytest.mark.browser

expect.set_options(timeout=30_000)  # the machine may be busy with other tests
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 400, "height": 800}
DEPOSIT = Money(20_000_000, "CNY")


@pytest.fixture
async def hall(context: Context) -> tuple[str, dict[str, Person]]:
    """An auction that wants papers and a deposit, and who meets there."""
    now = clock.now()
    until = rfc3339.exact(now + timedelta(minutes=8))
    async with context.db.transaction() as session:
        seller = await party(session, now=now)
        listing = await published_listing(
            session, seller=seller, now=now,
            admission={
                "kind": "applied", "deposit_minor": DEPOSIT.amount_minor, "until": until,
                "cap_minor": 900_000_000,
            },
            forfeits=["non-payment", "winner-refuses"],
            secrecy={"bidders": "hidden", "amounts": "open"},
        )  # fmt: skip
        people = {}
        for role, kind in (("broadcaster", "broadcaster"), ("operator", "rights_holder"),
                           ("approver", "rights_holder")):  # fmt: skip
            home = await party(session, kind=kind, now=now)
            people[role] = await person(session, party_id=home.id, role=role, now=now)
        return str(listing.auction_id), people


async def applies(seen: Visit, auction: str, paper: Path) -> None:
    page = await seen.go(f"/auctions/{auction}")
    await seen.shot("admission-form-zh")
    await page.set_input_files("#file_business-licence", paper)
    await expect(page.locator('[data-hash-of="paper_business-licence"]')).not_to_be_empty()
    await page.fill("#licence_number", "0110001")
    await page.fill("#licence_expires_on", "2029-12-31")
    await page.locator("#admission form button").click()
    await expect(page.locator("#admission .badge").first).to_have_text("已报名")
    await expect(page.locator("#admission")).to_contain_text("须在此之前到账")
    await seen.shot("admission-applied-zh")


async def accepts(seen: Visit, auction: str, bidder: Person) -> None:
    page = await seen.go("/console")
    await page.locator(f'a[href$="/{auction}/{bidder.party_id}"]').first.click()
    await expect(page.locator("h2").first).to_have_text("Application")
    await page.get_by_role("button", name="Accept the papers").click()
    await expect(page.locator("dt", has_text="Papers accepted")).to_be_visible()
    await page.fill("#amount", Money(DEPOSIT.amount_minor + 100, "CNY").decimal())
    await page.locator('input[name="reference"]').fill(f"ICBC-{auction}")
    await page.fill("#credited_at", "2026-01-02T09:00")
    await page.get_by_role("button", name="Record", exact=True).click()
    await expect(page.locator(".badge", has_text="Frozen").first).to_be_visible()
    await expect(page.locator(".badge", has_text="Admitted").first).to_be_visible()
    await page.fill("#moved", "1.00")
    await page.fill("#why", "Paid too much (多付)")
    await page.get_by_role("button", name="Prepare").click()
    await expect(page.locator("body")).to_contain_text("You prepared this; another person decides.")
    await seen.shot("bidder-file")
    await seen.go("/console/bidders")
    await expect(page.locator("body")).to_contain_text("Prepared")
    await seen.shot("bidders")
    await seen.go(f"/console/parties/{bidder.party_id}/limits")
    await page.fill("#limit", "5000000")
    await page.get_by_role("button", name="Set the credit line").click()
    await expect(page.locator("dl.facts").first).to_contain_text("5,000,000.00")
    await page.select_option("#kind", "bank-account")
    await page.fill("#value", "6222 0210 0109 7612 345")
    await page.fill("#evidence", "开户许可证")
    await page.get_by_role("button", name="Declare the connection").click()
    await expect(page.locator("strong", has_text="Bank account")).to_be_visible()
    await seen.shot("limits")


async def decides(seen: Visit, auction: str, bidder: Person) -> None:
    page = await seen.go(f"/console/bidders/{auction}/{bidder.party_id}")
    await seen.shot("deposit-decision-zh")
    await page.fill("input[name=password]", PASSWORD)
    await page.get_by_role("button", name="批准").click()
    await expect(page.locator(".badge", has_text="已批准，待银行付出")).to_be_visible()


async def test_a_bidder_is_admitted_by_papers_and_a_deposit_and_reads_what_to_do_next(
    browser: Browser, site: str, hall: tuple[str, dict[str, Person]], tmp_path: Path
) -> None:
    auction, people = hall
    bidder = people["broadcaster"]
    paper = tmp_path / "营业执照.pdf"
    paper.write_bytes(b"%PDF-1.7 a business licence")
    async with visit(browser, site, locale="zh-CN", viewport=WIDE) as seen:
        await seen.sign_in(bidder.email, PASSWORD)
        await applies(seen, auction, paper)
        async with visit(browser, site, viewport=WIDE) as staff:
            await staff.sign_in(people["operator"].email, PASSWORD)
            await accepts(staff, auction, bidder)
        async with visit(browser, site, locale="zh-CN", viewport=WIDE) as staff:
            await staff.sign_in(people["approver"].email, PASSWORD)
            await decides(staff, auction, bidder)
        page = await seen.go(f"/auctions/{auction}")
        await expect(page.locator("#admission .badge").first).to_have_text("已准入")
        await expect(page.locator("#admission")).to_contain_text("授信额度剩余")
        await page.set_viewport_size(NARROW)
        await seen.shot("admission-admitted-zh-narrow")
