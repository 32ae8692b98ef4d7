"""A disclosure, an incident and the screens in a real Chromium; screenshots in tests/output/."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from playwright.async_api import expect

from contracts import calendar, ids, rfc3339
from exchange import clock
from exchange.context import Context
from exchange.identity.tables import Person
from listings.auctions import service as bidding
from listings.catalogue.tables import Listing
from listings.incidents import service as incidents
from listings.incidents.service import Measure
from listings.screens import queries as screens
from listings.screens import service as screening
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import PASSWORD, person
from tests.exchange.portal_site import chromium, served, visit
from tests.listings import disclosures_factory, screens_study
from tests.listings.catalogue_factory import drafted_listing, published_listing

pytestmark = pytest.mark.browser
WIDE = {"width": 1280, "height": 900}


async def happened(context: Context) -> tuple[Listing, UUID, Person]:
    """A filed disclosure, an auction that was paused, a void proposed, and an operator."""
    now = clock.now()
    start = calendar.end_of(calendar.add_working_days(calendar.day_of(now), 5))
    async with context.db.transaction() as session:
        seller = await party(session, now=now)
        listing = await drafted_listing(
            session, seller=seller, now=now, floor_minor=80_000_000,
            opens_at=rfc3339.exact(start), closes_at=rfc3339.exact(start + timedelta(hours=1)),
            hard_stop_at=rfc3339.exact(start + timedelta(hours=2)),
        )  # fmt: skip
        await disclosures_factory.filed(session, listing, now=now)
        sold = await published_listing(session, seller=seller, now=now)
        auction = await bidding.locked(session, sold.auction_id)
        await incidents.pause(session, auction, reason="系统时钟校准", now=now)
        await incidents.resume(session, auction, now=now + timedelta(minutes=3))
        await incidents.report(
            session, ids.new(now), auction_id=auction.id, measure=Measure("void", "权属异议"),
            person_id=ids.new(now), now=now,
        )  # fmt: skip
        staff = await person(session, party_id=seller.id, role="operator", now=now)
    return listing, sold.auction_id, staff


async def screened(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the screens over the study's first market, its bidders given names."""
    now = clock.now()
    async with context.db.transaction() as session:
        names = {
            f"b{n:02d}": str((await party(session, kind="broadcaster", now=now)).id)
            for n in range(screens_study.BIDDERS)
        } | {
            f"s{n:02d}": str((await party(session, now=now)).id)
            for n in range(screens_study.SELLERS)
        }
        names["shill"] = str((await party(session, kind="broadcaster", now=now)).id)
    markets = screens_study.open_market(1, shill=True) + screens_study.sealed_market(1, ring=True)
    held = [
        replace(
            one, auction=str(ids.new(now)), seller=names[one.seller],
            winner=names.get(one.winner or ""),
            bids=tuple(replace(each, party=names[each.party]) for each in one.bids),
        )
        for one in markets
    ]  # fmt: skip

    async def given(_session: object) -> object:
        return held

    monkeypatch.setattr(screens, "held", given)
    async with context.db.transaction() as session:
        await screening.run(session, now=now)


async def test_staff_reads_a_filing_a_measure_and_the_screens(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing, auction_id, staff = await happened(context)
    await screened(context, monkeypatch)
    async with (
        served(context) as site,
        chromium() as browser,
        visit(browser, site, viewport=WIDE, locale="zh-CN") as seen,
    ):
        await seen.sign_in(staff.email, PASSWORD)
        page = await seen.go(f"/listings/{listing.id}/disclosure")
        await page.select_option("[name=outcome]", "accepted")
        await page.click("form[action$=review] button")
        await expect(page.locator(".timeline")).to_contain_text("已受理")
        await seen.shot("disclosure-zh")
        await seen.go("/console/incidents")
        await expect(page.get_by_role("table", name="处置记录")).to_contain_text("待另一人复核")
        await seen.shot("incidents-zh")
        own = page.locator(f'tr:has(a[href="/auctions/{auction_id}"])')
        await own.locator("button[value=refused]").click()
        await expect(own.locator(".badge")).to_have_text("已拒绝")
        await seen.go(f"/auctions/{auction_id}")
        await expect(page.locator("main")).to_contain_text("系统时钟校准")
        await seen.shot("auction-incidents-zh")
        await seen.go("/console/screens")
        await expect(page.locator("main")).to_contain_text("提契诺")
        await seen.shot("screens-zh")
