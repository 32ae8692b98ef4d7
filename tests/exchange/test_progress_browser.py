"""The examination of a master in a real Chromium: it moves without a reload, piece by piece."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from exchange import clock, master_verbs
from exchange.context import Context
from listings.examinations import queries, service
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import PASSWORD, person, signed_client
from tests.exchange.portal_site import visit
from tests.exchange.test_pieces import begin, cutting, run
from tests.listings.examinations_media import open_groups

pytestmark = pytest.mark.browser
expect.set_options(timeout=30_000)
WIDE = {"width": 1280, "height": 860}


async def test_the_page_of_a_master_moves_with_its_pieces(
    context: Context, site: str, browser: Browser, tmp_path: Path
) -> None:
    async with context.db.transaction() as session:
        home = await party(session, kind="rights_holder", now=clock.now())
        who = await person(session, party_id=home.id, role="holder", now=clock.now())
    film = open_groups(tmp_path).read_bytes()
    async with signed_client(context, of=home) as (client, _):
        master_id = await begin(cutting(context), client, film)
    async with visit(browser, site, viewport=WIDE) as seen:
        await seen.sign_in(who.email, PASSWORD)
        page = await seen.go(f"/masters/{master_id}")
        await expect(page.locator("#examination")).to_have_attribute("aria-busy", "true")
        async with context.db.transaction() as session:
            count = len(await queries.pieces(session, master_id))
        await expect(page.locator("#pieces")).to_have_text(f"0 of {count} pieces decoded")
        await master_verbs.examine_piece(context, master_id, 0)
        async with context.db.transaction() as session:
            await service.take(session, master_id, 1, worker="one", now=clock.now())
            await service.show_piece(session, master_id, 1, done_bp=4_000)
        await expect(page.locator("#pieces")).to_contain_text(f"1 of {count} pieces decoded")
        await expect(page.locator("#pieces")).to_contain_text("less than a minute left")
        await seen.shot("master-in-pieces")
        await run(cutting(context), master_id)
        await expect(page.locator("#examination .badge").first).to_have_text("Ready")
        await expect(page.locator("#examination")).to_contain_text("ISCC:K")
        await seen.shot("master-in-pieces-ready")
