"""Handing a contract on in a real Chromium: drafted, compared there, signed with its own key."""

import base64

import pytest
from playwright.async_api import Browser, Route, expect

from contracts import canonical
from contracts.deals import handing, queries
from contracts.parties import queries as parties
from contracts.parties.tables import Party
from exchange.context import Context
from tests.exchange.identity_factory import PASSWORD
from tests.exchange.portal_site import Visit, visit
from tests.exchange.signing_factory import Waiting, paid_deal
from tests.exchange.test_signing_browser import Traffic

pytestmark = pytest.mark.browser
expect.set_options(timeout=30_000)


async def drafted(seen: Visit, waiting: Waiting, to: Party) -> None:
    page = seen.page
    await seen.go(f"/deals/{waiting.deal.id}")
    await page.locator(f'a[href="/deals/{waiting.deal.id}/assignment"]').click()
    await page.select_option("#assignee", str(to.id))
    await page.locator("#choose button").click()


async def test_a_licensee_hands_its_contract_on_with_the_key_of_its_browser(
    context: Context, site: str, browser: Browser
) -> None:
    waiting, to = await paid_deal(context)
    size = {"width": 1280, "height": 900}
    async with visit(browser, site, locale="zh-CN", viewport=size) as seen:
        page, traffic = seen.page, Traffic(seen.page)
        await seen.sign_in(waiting.people["licensee"].email, PASSWORD)
        await seen.go("/signing-keys")
        await page.locator("#make button").click()
        await expect(page.locator(".here")).to_be_visible()
        await page.route("**/assignments/*", another_licensee)
        await drafted(seen, waiting, to)
        await expect(page.locator("#told")).to_contain_text("未签署")
        assert traffic.bodies("/signature") == []
        await page.unroute("**/assignments/*")
        await drafted(seen, waiting, to)
        await expect(page.locator("#licensee")).to_contain_text(to.name_zh)
        await page.check("#read")
        await seen.shot("deal-assignment-zh")
        await page.locator("#sign button").click()
        await page.wait_for_url(lambda url: str(waiting.deal.id) not in url and "/deals/" in url)
        await seen.shot("deal-handed-on-zh")
        made = page.url.rpartition("/")[2]
        assert not traffic.holds_a_private_key()
    async with context.db.transaction() as session:
        deal = next(
            one for one in await queries.deals_of(session, to.id) if str(one.id) == made
        )  # fmt: skip
        (key,) = await parties.keys_of(session, waiting.licensee.id)
    assert (deal.licensee_id, deal.assignor_id) == (to.id, waiting.licensee.id)
    assert handing.check_signed(deal.terms, public_key_pem=key.public_key_pem.encode())


async def another_licensee(route: Route) -> None:
    """An exchange that lies: the draft names somebody else, and its hash fits."""
    answer = await route.fetch()
    told = await answer.json()
    terms = canonical.loads(base64.b64decode(told["terms_b64"]))
    for side in terms["parties"]:
        if side["role"] == "licensee":
            side["party"] = "01990000-0000-7000-8000-000000000001"
    raw = canonical.dumps(terms)
    changed = {
        **told, "terms_b64": base64.b64encode(raw).decode(),
        "terms_sha256": canonical.sha256_hex(raw),
    }  # fmt: skip
    await route.fulfill(response=answer, json=changed)
