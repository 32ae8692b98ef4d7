"""The page of a master's conformance: verdict, checks in words, curves, declarations."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from playwright.async_api import expect

from contracts.parties.tables import Party
from exchange import clock
from exchange.context import Context
from listings.masters import rules
from listings.masters.conformance import service
from tests.exchange.identity_factory import PASSWORD
from tests.exchange.portal_site import chromium, served, visit
from tests.exchange.test_portal_browser import NARROW, WIDE, someone
from tests.exchange.test_portal_pages import browser, signed_in, token_in
from tests.listings.catalogue_factory import published_listing
from tests.listings.conformance_factory import DRAMA, MEASURES, RECORD, changed
from tests.listings.masters_factory import ready_master
from tests.listings.masters_media import ffmpeg

FAULTS = {"black_ms": [[6000, 9000]], "sound.0.integrated_lu100": -1890, "upscaled_bp": 8000}


async def judged(context: Context, owner: Party) -> UUID:
    """A master with a black stretch, too loud, and thumbnails."""
    now = clock.now()
    async with context.db.transaction() as session:
        made = await ready_master(session, party_id=owner.id, work_id=None, now=now)
        made.probe = rules.conformed(RECORD)
        pictures = [
            {**each, "peak_cd100": 20_000 + 4_000 * (at % 7), "wide_bp": 300 + 200 * (at % 5)}
            for at, each in enumerate(MEASURES["pictures"])
        ]
        measures = changed(MEASURES, {**FAULTS, "pictures": pictures})
        measures["sound"][0]["short_term_lu100"] = [-2400 + 30 * at for at in range(20)]
        await service.record(session, made, measures=measures, now=now)
    return made.id


def illustrated(context: Context, master_id: UUID, folder: Path) -> None:
    """Keep a picture of every five seconds, as the decode pass does."""
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x180:r=1", "-frames:v", "4", f"{folder}/%d.jpg")
    instants = [0, 5000, 10_000, 15_000]
    context.objects.put(f"derived/{master_id}/thumbs.json", json.dumps(instants).encode())
    for number, at in enumerate(instants, 1):
        content = (folder / f"{number}.jpg").read_bytes()
        context.objects.put(f"derived/{master_id}/thumbs/{at}.jpg", content)


@pytest.fixture
async def owned(context: Context) -> AsyncIterator[tuple[httpx.AsyncClient, UUID]]:
    who, owner = await someone(context.db, "holder")
    async with browser(context) as client:
        await client.post("/sign-in", data={"email": who.email, "password": PASSWORD})
        yield client, await judged(context, owner)


async def test_the_page_tells_the_verdict_and_every_check(
    owned: tuple[httpx.AsyncClient, UUID],
) -> None:
    client, master_id = owned
    at = f"/masters/{master_id}/conformance"
    page = (await client.get(at)).text
    assert "UHD label" in page and "Every picture" in page
    assert len(re.findall(r'<tr id="[FVLAC]\d\d">', page)) == 45
    assert "0:06–0:09" in page and "-18.9 LKFS" in page and "GY/T 307-2017 table 3" in page
    assert page.count('<svg class="plot"') == 3 and "style=" not in page
    chinese = (await client.get(f"{at}?lang=zh-CN")).text
    for said in ("超高清标识", "平均响度", "不通过", "检查所列位置的黑场是否为内容所需", "逐帧"):
        assert said in chinese
    assert at in (await client.get(f"/masters/{master_id}?lang=en")).text


async def test_another_profile_is_judged_and_kept_from_the_page(
    owned: tuple[httpx.AsyncClient, UUID],
) -> None:
    client, master_id = owned
    at = f"/masters/{master_id}/conformance"
    page = (await client.get(f"{at}?profile={DRAMA}")).text
    assert "Keep this report" in page
    sent = await client.post(at, data={"profile": DRAMA, "csrf_token": token_in(page)})
    assert sent.status_code == 303 and sent.headers["location"].endswith(DRAMA)
    assert "Keep this report" not in (await client.get(sent.headers["location"])).text
    assert (await client.get(f"{at}?profile=NTSC")).status_code == 422


async def test_what_is_typed_is_declared_and_shown_again(
    owned: tuple[httpx.AsyncClient, UUID],
) -> None:
    client, master_id = owned
    at = f"/masters/{master_id}/conformance"
    page = (await client.get(at)).text
    typed = {"head_ms": "88.5", "clean_feed": "yes", "textless": "no", "active_ratio_x100": "1.78"}
    address = f"/masters/{master_id}/declared"
    sent = await client.post(address, data={**typed, "csrf_token": token_in(page)})
    assert sent.status_code == 303, sent.text
    after = (await client.get(at)).text
    assert 'value="88.5"' in after and 'value="1.78"' in after
    assert re.search(r'<tr id="C03">.*?fails', after, re.S)
    wrong = await client.post(address, data={"head_ms": "soon", "csrf_token": token_in(page)})
    assert wrong.status_code == 422 and "invalid-content" in wrong.text


async def test_others_see_no_report_of_what_is_not_on_offer(
    owned: tuple[httpx.AsyncClient, UUID], context: Context
) -> None:
    _, master_id = owned
    async with signed_in(context, "broadcaster") as stranger:
        assert (await stranger.get(f"/masters/{master_id}/conformance")).status_code == 404


@pytest.mark.browser
async def test_a_holder_reads_the_report_in_a_browser(context: Context, tmp_path: Path) -> None:
    who, owner = await someone(context.db, "holder")
    master_id = await judged(context, owner)
    illustrated(context, master_id, tmp_path)
    async with served(context) as address, chromium() as opened:
        for locale, said, size in (("en-GB", "UHD label", WIDE), ("zh-CN", "超高清标识", NARROW)):
            async with visit(opened, address, locale=locale, viewport=size) as seen:
                await seen.sign_in(who.email, PASSWORD)
                page = await seen.go(f"/masters/{master_id}/conformance")
                await expect(page.locator("#verdict")).to_contain_text(said)
                picture = page.locator("#L01 img").first
                await picture.scroll_into_view_if_needed()
                wide = "image => image.decode().then(() => image.naturalWidth)"
                assert await picture.evaluate(wide) == 320
                fits = "document.documentElement.scrollWidth <= window.innerWidth"
                assert await page.evaluate(fits)
                await seen.shot(f"conformance-{locale[:2]}")


async def test_a_broadcaster_comes_from_the_offer_to_the_report(context: Context) -> None:
    _, owner = await someone(context.db, "holder")
    async with context.db.transaction() as session:
        listing = await published_listing(session, seller=owner, now=clock.now())
    at = f"/masters/{listing.master_id}/conformance"
    async with signed_in(context, "broadcaster") as bidder:
        assert f'href="{at}"' in (await bidder.get(f"/listings/{listing.id}")).text
        page = (await bidder.get(at)).text
        assert "Conformance" in page and "Declare what only people can tell" not in page
        assert "not kept" in page  # nobody examined this one
        refused = await bidder.post(at, data={"profile": DRAMA, "csrf_token": token_in(page)})
        assert refused.status_code == 403
