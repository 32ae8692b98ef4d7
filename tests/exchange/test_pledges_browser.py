"""A bidder gives a card and then a letter of guarantee on the pages, beside the staff's."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from playwright.async_api import Browser, expect

from contracts import calendar, rfc3339
from exchange import clock, worker
from exchange.context import Context
from exchange.identity.tables import Person
from listings.admissions import applying
from settlement.cardholds import queries as cards
from settlement.deposits import service as deposits
from settlement.stripe import service
from settlement.stripe.gateway import StripeGateway, open_gateway
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import PASSWORD, person
from tests.exchange.portal_site import Visit, visit
from tests.listings.catalogue_factory import published_listing
from tests.settlement.pledges_factory import SCAN
from tests.settlement.standin import API_KEY, running_standin

pytestmark = pytest.mark.browser

expect.set_options(timeout=30_000)  # the machine may be busy with other tests
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 400, "height": 800}
DEPOSIT = 20_000_000
PAPERS = {"papers": [{"kind": "business-licence", "sha256": "0" * 64}], "licence": None}


@pytest.fixture
async def stripe(tmp_path: Path) -> AsyncIterator[StripeGateway]:
    with running_standin(tmp_path) as base:
        opened = open_gateway(api_key=API_KEY, api_base=base, timeout_s=5)
        yield opened
        await opened.close()


@pytest.fixture
async def hall(context: Context) -> tuple[UUID, dict[str, Person]]:
    """An auction that takes every mode of deposit, and a bidder who has applied there."""
    now = clock.now()
    until = rfc3339.exact(now + timedelta(minutes=8))
    async with context.db.transaction() as session:
        seller = await party(session, now=now)
        listing = await published_listing(
            session, seller=seller, now=now,
            admission={
                "kind": "applied", "deposit_minor": DEPOSIT, "until": until,
                "deposit_modes": ["wire", "charge", "card_hold", "guarantee"],
            },
            forfeits=["non-payment", "winner-refuses"],
        )  # fmt: skip
        people = {}
        for role, kind in (("broadcaster", "broadcaster"), ("operator", "rights_holder"),
                           ("approver", "rights_holder")):  # fmt: skip
            home = await party(session, kind=kind, now=now)
            people[role] = await person(session, party_id=home.id, role=role, now=now)
        whose = (listing.auction_id, people["broadcaster"].party_id)
        await applying.apply(session, *whose, application=PAPERS, now=now)
        await applying.accept_papers(
            session, *whose, person_id=people["operator"].id, cap_minor=None, now=now
        )
        return listing.auction_id, people


async def gives_a_card(seen: Visit, auction: UUID, card: str) -> None:
    page = await seen.go(f"/auctions/{auction}")
    await expect(page.locator("#admission")).to_contain_text("银行卡预授权; 保函")
    await page.select_option("#card_mode", "card_hold")
    await page.select_option("#payment_method", card)
    await seen.shot("deposit-card-form-zh")
    await page.get_by_role("button", name="使用这张卡").click()
    await expect(page.locator(".badge", has_text="正在申请")).to_be_visible()


async def works(context: Context, stripe: StripeGateway, whose: tuple[UUID, UUID]) -> str:
    """Let the worker work until the provider has said what became of the newest card."""
    state = ""
    for minute in range(30):
        now = clock.now() + timedelta(minutes=minute)
        await service.send_due(context.db, stripe, now=now)
        await service.apply_due(context.db, stripe, now=now)
        async with context.db.transaction() as session:
            state = (await cards.of_deposit(session, *whose))[-1].state
        if state not in ("requested", "ready", "releasing"):
            break
    await worker.watch_pledges(context)
    return state


async def hands_in_a_letter(seen: Visit, auction: UUID, scan: Path) -> None:
    page = await seen.go(f"/auctions/{auction}")
    await page.locator("summary", has_text="提交保函").click()
    last = calendar.day_of(clock.now()) + timedelta(days=60)
    for name, value in (
        ("issuer", "中国工商银行北京分行"), ("issuer_cnaps", "102100099996"), ("number", "LG-1"),
        ("guaranteed", "200000.00"), ("valid_until", last.isoformat()),
        ("demand_terms", "见索即付"),
    ):  # fmt: skip
        await page.fill(f"#{name}", value)
    await page.set_input_files("#file", scan)
    await seen.shot("guarantee-form-zh")
    await page.get_by_role("button", name="提交", exact=True).click()
    await expect(page.locator(".badge", has_text="待受理")).to_be_visible()


async def accepts_the_letter(seen: Visit, auction: UUID, bidder: Person) -> None:
    page = await seen.go("/console")
    await expect(page.locator("body")).to_contain_text("Decide on a letter of guarantee")
    await page.locator(f'a[href*="/{auction}/{bidder.party_id}"]').first.click()
    await expect(page.locator("body")).to_contain_text("Only an approver decides on this.")
    await seen.shot("guarantee-file")


async def test_a_bidder_gives_a_card_that_holds_and_after_it_a_letter_that_staff_accept(
    browser: Browser,
    site: str,
    hall: tuple[UUID, dict[str, Person]],
    stripe: StripeGateway,
    context: Context,
    tmp_path: Path,
) -> None:
    auction, people = hall
    bidder = people["broadcaster"]
    whose = (auction, bidder.party_id)
    scan = tmp_path / "保函.pdf"
    scan.write_bytes(SCAN)
    async with visit(browser, site, locale="zh-CN", viewport=WIDE) as seen:
        await seen.sign_in(bidder.email, PASSWORD)
        await gives_a_card(seen, auction, "pm_card_chargeDeclined")
        assert await works(context, stripe, whose) == "failed"
        await gives_a_card(seen, auction, "pm_card_visa")
        assert await works(context, stripe, whose) == "held"
        page = await seen.go(f"/auctions/{auction}")
        await expect(page.locator("#admission .badge").first).to_have_text("已准入")
        await expect(page.locator("#admission")).to_contain_text("银行卡被拒")
        await expect(page.locator("#admission")).to_contain_text("未从卡上扣款")
        await page.set_viewport_size(NARROW)
        await seen.shot("deposit-card-held-zh-narrow")
        async with visit(browser, site, viewport=WIDE) as staff:
            await staff.sign_in(people["operator"].email, PASSWORD)
            file = await staff.go(f"/console/bidders/{auction}/{bidder.party_id}")
            await file.fill("#moved", "200000.00")
            await file.fill("#why", "non-payment")
            await file.get_by_role("button", name="Prepare").click()
            await expect(file.locator("h2", has_text="Drawing")).to_be_visible()
            await expect(file.locator("body")).to_contain_text("the price is not paid in time")
            await staff.shot("deposit-drawing")


async def test_a_letter_is_handed_in_and_accepted_by_an_approver_and_given_back(
    browser: Browser,
    site: str,
    hall: tuple[UUID, dict[str, Person]],
    context: Context,
    tmp_path: Path,
) -> None:
    auction, people = hall
    bidder = people["broadcaster"]
    scan = tmp_path / "保函.pdf"
    scan.write_bytes(SCAN)
    async with visit(browser, site, locale="zh-CN", viewport=WIDE) as seen:
        await seen.sign_in(bidder.email, PASSWORD)
        await hands_in_a_letter(seen, auction, scan)
        async with visit(browser, site, viewport=WIDE) as staff:
            await staff.sign_in(people["operator"].email, PASSWORD)
            await accepts_the_letter(staff, auction, bidder)
        async with visit(browser, site, locale="zh-CN", viewport=NARROW) as staff:
            await staff.sign_in(people["approver"].email, PASSWORD)
            page = await staff.go(f"/console/bidders/{auction}/{bidder.party_id}")
            await page.fill("input[name=password]", PASSWORD)
            await page.get_by_role("button", name="受理保函").click()
            await expect(page.locator(".badge", has_text="已受理").first).to_be_visible()
            await staff.shot("guarantee-accepted-zh-narrow")
        page = await seen.go(f"/auctions/{auction}")
        await expect(page.locator("#admission .badge").first).to_have_text("已准入")
        await expect(page.locator("#admission")).to_contain_text("以担保计入")
    now = clock.now()
    async with context.db.transaction() as session:
        await deposits.set_one_free(
            session, auction, bidder.party_id, return_by=applying.return_by(now), now=now
        )
    async with visit(browser, site, viewport=WIDE) as staff:
        await staff.sign_in(people["operator"].email, PASSWORD)
        page = await staff.go(f"/console/bidders/{auction}/{bidder.party_id}")
        await page.get_by_role("button", name="The letter went back").click()
        await expect(page.locator(".badge", has_text="Given back").first).to_be_visible()
