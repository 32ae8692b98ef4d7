"""A contract of several works: its evidence offline, over HTTP, and on the pages of both sides."""

import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect

from contracts.deals import lasting
from contracts.deals.tables import Deal
from contracts.titles import service as titles
from exchange import clock, keys
from exchange.authority import open_authority
from exchange.context import Context
from exchange.evidence.verify import verify
from tests.contracts.deals_factory import sign, with_key
from tests.contracts.log_factory import seal_all
from tests.exchange.identity_factory import PASSWORD, person, signed_client
from tests.exchange.portal_site import chromium, visit
from tests.listings.catalogue_factory import published_listing
from tests.listings.offers_factory import WEEK, Room, a_room, open_right
from tests.listings.packages_factory import agreed, for_one, opened

expect.set_options(timeout=30_000)
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


@dataclass
class Sold:
    """Two works, the second one listed, sold in one contract that both have signed."""

    deal: Deal
    of: list[Room]
    email: str


@pytest.fixture(scope="module")
async def sold(context: Context) -> Sold:
    now = clock.now()
    authority = open_authority(context.settings, now=now)
    async with context.db.transaction() as session:
        first = await a_room(session, now=now)
        listing = await published_listing(session, seller=first.licensor, now=now)
        second = Room(**first.__dict__)
        second.work = await session.get_one(type(first.work), listing.work_id)
        second.offerable = await open_right(
            session, second, master_id=listing.master_id, listing_id=listing.id,
        )  # fmt: skip
        # The listing ends unsold, and its rights are free for who made an offer.
        source = str(listing.id)
        await titles.release(session, second.work.id, source=source, now=now)
        of = for_one(first, second)
        offer = await agreed(session, of, amounts=[5_000_000, 3_000_000], now=now)
    async with context.db.transaction() as session:
        deal = await opened(context, session, authority, offer, now=now)
        for side in (first.licensor, first.licensee):
            who = await with_key(session, authority, side, now=now)
            deal = await sign(session, authority, deal, who, now=now)
        await lasting.archive(session, deal.id, authority=authority, now=now)
        buyer = await person(session, party_id=first.licensee.id, role="broadcaster", now=now)
    await seal_all(context.db, keys.log_signer(context.settings))
    return Sold(deal, of, buyer.email)


async def test_the_evidence_of_a_package_holds_every_work_and_verifies_offline(
    context: Context, sold: Sold, tmp_path: Path
) -> None:
    async with signed_client(context, role="broadcaster", of=sold.of[0].licensee) as (buyer, _):
        raw = (await buyer.get(f"/v1/deals/{sold.deal.id}/evidence")).content
        told = (await buyer.get(f"/v1/deals/{sold.deal.id}")).json()
        life = (await buyer.get(f"/v1/deals/{sold.deal.id}/life")).json()
        policy = await buyer.get(f"/v1/deals/{sold.deal.id}/odrl")
        patch = [{"op": "replace", "path": "/parameters/cure_days", "value": 45}]
        amended = await buyer.put(
            f"/v1/deals/{sold.deal.id}/amendments/{uuid4()}", json={"changes": patch}
        )
    assert [(one["work_id"], one["amount"]) for one in told["works"]] == [
        (str(sold.of[0].work.id), "50000.00"), (str(sold.of[1].work.id), "30000.00"),
    ]  # fmt: skip
    assert {"amend", "assign"}.isdisjoint(life["may"])
    assert (policy.status_code, policy.json()["code"]) == (409, "deal-of-several-works")
    assert (amended.status_code, amended.json()["code"]) == (409, "package-stays-whole")
    file = tmp_path / "package.zip"
    file.write_bytes(raw)
    report = verify(file)
    assert report.ok, [one for one in report.checks if not one.ok]
    names = set(zipfile.ZipFile(BytesIO(raw)).namelist())
    assert {"works/1/listing.json", "works/1/probe.json", "works/1/fingerprint.json"} <= names
    assert "works/0/listing.json" not in names


async def test_both_sides_ask_for_one_contract_over_http(context: Context) -> None:
    now = clock.now()
    async with context.db.transaction() as session:
        first = await a_room(session, now=now)
        second = await a_room(session, now=now, licensor=first.licensor)
    works: list[dict[str, Any]] = [
        {"rights": [{"offerable_id": str(one.offerable)}], "price": {"amount_minor": 1_000_000}}
        for one in (first, second)
    ]
    body = {
        "currency": "CNY", "model": "flat", "works": works, "contract": "package",
        "expires_at": (now + WEEK).isoformat(),
    }  # fmt: skip
    async with signed_client(context, role="broadcaster", of=first.licensee) as (buyer, _):
        made = await buyer.put(f"/v1/offers/{uuid4()}/versions/{uuid4()}", json=body)
        assert (made.status_code, made.json()["content"]["contract"]) == (201, "package")
        alone = await buyer.put(
            f"/v1/offers/{uuid4()}/versions/{uuid4()}", json={**body, "works": works[:1]}
        )
        assert (alone.status_code, alone.json()["code"]) == (422, "bad-offer")
        each = await buyer.put(
            f"/v1/offers/{uuid4()}/versions/{uuid4()}", json={**body, "contract": "each"}
        )
        assert "contract" not in each.json()["content"]


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened_browser:
        yield opened_browser


@pytest.mark.browser
@pytest.mark.parametrize(
    ("locale", "viewport", "title", "contracts"),
    [
        ("zh-CN", NARROW, "等2部作品", "全部作品合为一份合同"),
        ("en", WIDE, "and 1 more", "one for all works"),
    ],
    ids=["zh-narrow", "en-wide"],
)
async def test_the_pages_show_every_work_of_a_package(
    site: str, browser: Browser, sold: Sold, locale: str, viewport: Any, title: str, contracts: str
) -> None:
    async with visit(browser, site, locale=locale, viewport=viewport) as seen:
        await seen.sign_in(sold.email, PASSWORD)
        page = await seen.go(f"/deals/{sold.deal.id}")
        await expect(page.locator("main")).to_contain_text(title)
        for amount in ("CNY 50000.00", "CNY 30000.00"):
            await expect(page.locator("dl.facts").first).to_be_visible()
            await expect(page.locator("main")).to_contain_text(amount)
        await expect(page.locator(f'a[href="/works/{sold.of[1].work.id}"]')).to_be_visible()
        await expect(page.locator('a[href$="/odrl"]')).to_have_count(0)
        await seen.shot(f"package-deal-{locale}")
        page = await seen.go(f"/offers/{sold.deal.offer_id}")
        await expect(page.locator("main")).to_contain_text(contracts)


@pytest.mark.browser
async def test_a_broadcaster_offers_for_two_works_in_one_contract(
    context: Context, site: str, browser: Browser
) -> None:
    now = clock.now()
    async with context.db.transaction() as session:
        first = await a_room(session, now=now)
        second = await a_room(session, now=now, licensor=first.licensor)
        buyer = await person(session, party_id=first.licensee.id, role="broadcaster", now=now)
    async with visit(browser, site, viewport=WIDE) as seen:
        await seen.sign_in(buyer.email, PASSWORD)
        chosen = f"offerable={first.offerable}&offerable={second.offerable}"
        page = await seen.go(f"/offers/new?{chosen}")
        for one in (first, second):
            await page.fill(f"#amount_{one.work.id}", "10000")
        await page.select_option("#contract", "package")
        await seen.shot("package-offer-en")
        await page.get_by_role("button", name="Send the offer").click()
        await expect(page.locator("main")).to_contain_text("one for all works")
