"""A bidder reads and signs its deposit agreement in a real Chromium, with a key made there."""

from dataclasses import dataclass
from uuid import UUID

import pytest
from playwright.async_api import Browser, expect

from contracts.agreements import queries
from contracts.deals import verification
from contracts.deals.sealing import AGREEMENT_ROLES
from exchange import agreement_verbs, clock
from exchange.authority import open_authority
from exchange.context import Context
from exchange.identity.tables import Person
from tests.contracts.parties_factory import party
from tests.exchange.agreements_factory import ASKED
from tests.exchange.identity_factory import PASSWORD, person
from tests.exchange.portal_site import visit
from tests.exchange.test_signing_browser import EXPORTS, Traffic, other_digest
from tests.listings.catalogue_factory import published_listing

pytestmark = pytest.mark.browser
expect.set_options(timeout=30_000)
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


@dataclass
class Hall:
    """A listed auction whose rules ask for a signature, and a bidder's person."""

    auction: UUID
    bidder: Person


@pytest.fixture
async def hall(context: Context) -> Hall:
    now = clock.now()
    async with context.db.transaction() as session:
        seller = await party(session, now=now)
        listing = await published_listing(
            session, seller=seller, now=now, admission=ASKED, forfeits=["non-payment", "collusion"]
        )
        home = await party(session, kind="broadcaster", now=now)
        bidder = await person(session, party_id=home.id, role="broadcaster", now=now)
        return Hall(listing.auction_id, bidder)


async def test_a_bidder_signs_its_deposit_agreement_with_a_key_that_stays_in_the_browser(
    context: Context, site: str, browser: Browser, hall: Hall
) -> None:
    async with visit(browser, site, locale="zh-CN", viewport=NARROW) as seen:
        page, traffic = seen.page, Traffic(seen.page)
        await seen.sign_in(hall.bidder.email, PASSWORD)
        await seen.go("/signing-keys")
        await page.get_by_role("button", name="生成并登记密钥").click()
        await expect(page.locator(".here")).to_be_visible()
        await seen.go(f"/auctions/{hall.auction}")
        await expect(page.locator("#admission")).to_contain_text("出价之前须签署保证金协议")
        await seen.shot("agreement-asked-zh-narrow")
        await page.get_by_role("button", name="阅读并签署保证金协议").click()
        await expect(page.locator("#amount")).to_contain_text("人民币贰万元整")
        await expect(page.locator("#rights")).to_contain_text("串通竞价")
        await seen.shot("agreement-signing-zh-narrow")
        await page.check("#read")
        await page.get_by_role("button", name="签署合同").click()
        await expect(page.locator("#told")).to_contain_text("已签署")
        assert await page.evaluate(EXPORTS) == ["InvalidAccessError"] * 3
        assert len(traffic.bodies("/signature")) == 1
        assert not traffic.holds_a_private_key()
        await seen.go(f"/auctions/{hall.auction}")
        await expect(page.locator("#admission")).to_contain_text("已用本机构密钥签署")
        await seen.shot("agreement-signed-zh-narrow")
    async with context.db.transaction() as session:
        made = await agreement_verbs.find_deposit_agreement(
            session, hall.auction, hall.bidder.party_id
        )
        assert made is not None and made.state == "signed"
        pdf = (await queries.document(session, made.id)).pdf
    root = open_authority(context.settings, now=clock.now()).root_pem
    verdicts = verification.check_signatures(pdf, root, roles=AGREEMENT_ROLES)
    assert [one.role for one in verdicts if one.good] == ["exchange", "bidder"]


async def test_the_browser_signs_no_other_bytes_than_the_agreement_it_showed(
    site: str, browser: Browser, hall: Hall
) -> None:
    async with visit(browser, site, viewport=WIDE) as seen:
        page, traffic = seen.page, Traffic(seen.page)
        await seen.sign_in(hall.bidder.email, PASSWORD)
        await seen.go("/signing-keys")
        await page.get_by_role("button", name="Make and register a key").click()
        await expect(page.locator(".here")).to_be_visible()
        await seen.go(f"/auctions/{hall.auction}")
        await page.get_by_role("button", name="Read and sign the deposit agreement").click()
        await expect(page.locator("#bidder")).not_to_be_empty()
        await seen.shot("agreement-signing-en")
        await page.route("**/signing-sessions/*", other_digest)
        await page.check("#read")
        await page.get_by_role("button", name="Sign the contract").click()
        await expect(page.locator("#told")).to_contain_text("(digest)")
        assert traffic.bodies("/signature") == []
