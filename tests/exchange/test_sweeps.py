"""Sweeps over HTTP and on pages: what is free, prepared by one, approved by another, landed."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from playwright.async_api import expect

from contracts import ids
from exchange import clock
from exchange.context import Context
from exchange.db import Database
from exchange.settings import Settings
from settlement.outbound.rules import CREATE_PAYOUT
from tests.conftest import NOW
from tests.databases import own_database
from tests.exchange.identity_factory import PASSWORD, signed_client
from tests.exchange.portal_site import chromium, served, visit
from tests.exchange.test_portal_pages import signed_in, someone
from tests.settlement.approvals_factory import proved
from tests.settlement.bank_factory import closed
from tests.settlement.returns_factory import drain
from tests.settlement.sweeps_factory import a_bank, earned

NARROW = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def own_url(server_url: str) -> Iterator[str]:
    """A database of this file's own: what is free is told of the provider's whole balance."""
    with own_database(server_url, "sweep_pages") as url:
        yield url


@pytest.fixture
async def own(own_url: str, settings: Settings) -> AsyncIterator[Context]:
    db = Database(own_url)
    yield Context(settings, db)
    await db.close()


async def free(client: httpx.AsyncClient) -> int:
    funds = (await client.get("/v1/provider/funds")).json()["items"]
    [found] = [one["free_minor"] for one in funds if one["currency"] == "CNY"]
    return int(found)


async def test_what_is_prepared_is_free_and_in_the_accounts_currency(own: Context) -> None:
    await earned(own.db)
    bank, where = await a_bank(own.db), f"/v1/sweeps/{ids.new(NOW)}"
    async with (
        signed_client(own, role="operator") as (maker, _),
        signed_client(own, role="auditor") as (auditor, _),
        signed_client(own, role="holder") as (stranger, _),
    ):
        assert (await stranger.get("/v1/provider/funds")).status_code == 403
        most = await free(auditor)
        wanted = {"account_id": str(bank.account.id), "amount_minor": most, "currency": "CNY"}
        much = await maker.put(where, json={**wanted, "amount_minor": most + 1})
        assert (much.status_code, much.json()["code"]) == (409, "sweep-too-large")
        assert much.json()["most"] == {"amount_minor": most, "currency": "CNY"}
        euros = await maker.put(where, json={**wanted, "currency": "EUR"})
        assert (euros.status_code, euros.json()["code"]) == (422, "wrong-currency")
        assert (await auditor.put(where, json=wanted)).status_code == 403


async def test_two_people_sweep_what_is_free_and_the_statement_ends_it(own: Context) -> None:
    minor, gateway = await earned(own.db)
    bank, where = await a_bank(own.db), f"/v1/sweeps/{ids.new(NOW)}"
    async with (
        signed_client(own, role="approver") as (maker, _),
        signed_client(own, role="approver") as (checker, _),
    ):
        wanted = {"account_id": str(bank.account.id), "amount_minor": minor, "currency": "CNY"}
        made = await maker.put(where, json=wanted)
        assert (made.status_code, made.json()["state"]) == (201, "prepared")
        assert (await maker.put(where, json=wanted)).status_code == 200
        said = {"content_sha256": made.json()["content_sha256"]}
        no = await maker.post(f"{where}/approval", json=await proved(maker, **said))
        assert (no.status_code, no.json()["code"]) == (403, "same-person")
        yes = await checker.post(f"{where}/approval", json=await proved(checker, **said))
        assert (yes.status_code, yes.json()["state"]) == (200, "approved")
        late = await checker.post(f"{where}/refusal", json={**said, "reason": "no"})
        assert (late.status_code, late.json()["code"]) == (409, "already-decided")
        await drain(own.db, gateway, clock.now())
        sent = (await maker.get(where)).json()
        assert (sent["state"], sent["on_the_way_minor"]) == ("in_transit", minor)
        assert len(gateway.of(CREATE_PAYOUT, "sweep", sent["id"])) == 1
        bank.line(minor, text=f"STRIPE/{sent['descriptor']}")
        async with own.db.transaction() as session:
            await closed(session, bank, since=0)
        listed = (await maker.get("/v1/sweeps", params={"limit": 200})).json()["items"]
    [mine] = [one for one in listed if one["id"] == sent["id"]]
    assert mine["landed_at"] is not None
    assert mine["on_the_way_minor"] == 0


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("Sweeps to the bank", "Owed to others", "Free")),
        ("zh-CN", ("归集至银行", "应付他人", "可归集")),
    ],
    ids=["en", "zh"],
)
async def test_staff_see_what_is_free_and_nobody_else_does(
    own: Context, language: str, words: tuple[str, ...]
) -> None:
    await earned(own.db)
    async with signed_in(own, "auditor") as client:
        client.headers["Accept-Language"] = language
        page = (await client.get("/console/sweeps")).text
        assert all(word in page for word in words)
        assert 'action="/console/sweeps"' not in page  # an auditor only looks
        assert "/console/sweeps" in (await client.get("/console/provider")).text
    async with signed_in(own, "broadcaster") as client:
        assert (await client.get("/console/sweeps")).status_code in (403, 404)


@pytest.mark.browser
async def test_a_sweep_goes_over_the_pages_on_a_narrow_screen(own: Context) -> None:
    await earned(own.db)
    bank = await a_bank(own.db)
    maker, checker = await someone(own, "operator"), await someone(own, "approver")
    async with served(own) as site, chromium() as browser:
        async with visit(browser, site, locale="zh-CN", viewport=NARROW) as seen:
            page = seen.page
            await seen.sign_in(maker.email, PASSWORD)
            await seen.go("/console/sweeps")
            await page.select_option("#account_id", str(bank.account.id))
            await page.fill("#amount", "123.45")
            await page.get_by_role("button", name="提交复核").click()
            await expect(page.locator(".badge").first).to_have_text("待复核")
            assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
            await seen.shot("sweep-prepared-zh-narrow")
            where = page.url[page.url.index("/console") :]
        async with visit(browser, site) as seen:
            page = seen.page
            await seen.sign_in(checker.email, PASSWORD)
            await seen.go("/console")
            await expect(page.locator(f'a[href="{where}"]')).to_be_visible()
            await seen.go(where)
            await page.fill("#password", PASSWORD)
            await page.get_by_role("button", name="Approve and pay out to the bank").click()
            await expect(page.locator(".badge").first).to_have_text("Ordered from the provider")
            await seen.go("/console/sweeps")
            row = page.locator("#sweeps tbody tr").filter(has=page.locator(f'a[href="{where}"]'))
            await expect(row).to_contain_text("123.45")
            await seen.shot("sweeps")
