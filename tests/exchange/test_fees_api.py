"""The fees over HTTP, on the page in both languages, and by command."""

import json
from datetime import timedelta

import pytest
from playwright.async_api import expect
from typer.testing import CliRunner

from contracts import ids
from exchange import clock
from exchange.cli import app
from exchange.context import Context
from settlement.fees import rules
from tests.conftest import NOW
from tests.exchange.identity_factory import signed_client
from tests.exchange.portal_site import chromium, served, visit
from tests.exchange.test_portal_pages import browser
from tests.settlement.fees_factory import gemas, usual

NARROW = {"width": 390, "height": 844}
# Announced for what others sell in no test, so that nothing else is charged by it.
RARE = "KWD"


async def test_anybody_reads_what_is_in_force_and_reckons_a_price(context: Context) -> None:
    async with browser(context) as client:
        told = (await client.get("/v1/fees")).json()
        assert (told["schedule"]["id"], told["valid_from"]) == ("uhdx-2026", "2026-01-01")
        assert told["sha256"] == usual().sha256
        quote = (await client.get("/v1/fees/quote?price_minor=100000000")).json()
        assert quote["seller"]["amount_minor"] == 5_000_000
        assert quote["buyer_pays_minor"] == 100_000_000
        asked = {
            "price_minor": 360_000_000, "listed_minor": 300_000_000, "sale": "bid",
            "schedule": gemas().sha256,
        }  # fmt: skip
        tiered = (await client.get("/v1/fees/quote", params=asked)).json()
        paid = [tiered[side]["amount_minor"] for side in ("seller", "buyer")]
        assert paid == [7_000_000, 16_400_000]
        assert tiered["buyer"]["tax_minor"] == 928_302  # 6 % within it
        assert tiered["seller_receives_minor"] == 353_000_000
        named = await client.get(f"/v1/fees/schedules/{gemas().sha256}")
        assert named.json() == gemas().wire()
        for address, status in (
            (f"/v1/fees/schedules/{'0' * 64}", 404),
            ("/v1/fees?currency=XXX", 422),
            ("/v1/fees?on=2020-01-01", 422),
            (f"/v1/fees/quote?price_minor=1&currency=USD&schedule={gemas().sha256}", 422),
            ("/v1/fees/quote?price_minor=0", 422),
        ):
            assert (await client.get(address)).status_code == status, address


async def test_an_approver_announces_a_schedule_for_a_day_to_come(context: Context) -> None:
    day = rules.day_of(clock.now()) + timedelta(days=40)
    wire = {**usual().wire(), "id": "rare", "currency": RARE}
    body = {"schedule": wire, "valid_from": day.isoformat()}
    at = f"/v1/fees/announcements/{ids.new(NOW)}"
    async with (
        signed_client(context, role="approver", of=None) as (approver, _),
        signed_client(context, role="operator", of=None) as (operator, _),
    ):
        assert (await operator.put(at, json=body)).status_code == 403
        made = await approver.put(at, json=body)
        assert (made.status_code, made.json()["valid_from"]) == (201, day.isoformat())
        assert (await approver.put(at, json=body)).status_code == 200
        late = {**body, "valid_from": rules.day_of(clock.now()).isoformat()}
        again = await approver.put(f"/v1/fees/announcements/{ids.new(NOW)}", json=late)
        assert (again.status_code, again.json()["code"]) == (422, "fees-not-ahead")
        odd = {**body, "schedule": {**wire, "seller_minimum_minor": -1}}
        assert (await approver.put(at, json=odd)).status_code == 422
        gap = {**wire, "rows": [{**wire["rows"][0], "above_minor": 5}]}
        bad = await approver.put(
            f"/v1/fees/announcements/{ids.new(NOW)}", json={**body, "schedule": gap}
        )
        assert (bad.status_code, bad.json()["code"]) == (422, "bad-fee-schedule")
    async with browser(context) as client:
        today = (await client.get(f"/v1/fees?currency={RARE}")).json()
        assert today["schedule"]["id"] == "uhdx-2026"
        assert made.json() in today["announced"]
        then = (await client.get(f"/v1/fees?currency={RARE}&on={day}")).json()
        assert (then["schedule"]["id"], then["sha256"]) == ("rare", made.json()["sha256"])


@pytest.mark.parametrize(
    ("locale", "title", "fee"),
    [
        pytest.param("en-GB", "Service fees", "164,000.00", id="english"),
        pytest.param("zh-CN", "服务费标准", "164,000.00", id="chinese"),
    ],
)
async def test_the_page_reckons_a_price_on_a_telephone(
    context: Context, locale: str, title: str, fee: str
) -> None:
    async with (
        served(context) as site,
        chromium() as program,
        visit(program, site, locale=locale, viewport=NARROW) as seen,
    ):
        page = await seen.go("/")
        await page.click('footer a[href="/fees"]')
        await expect(page.locator("h1")).to_have_text(title)
        await page.click(f'a[href="/fees?schedule={gemas().sha256}"]')
        await page.fill("#price", "3600000.00")
        await page.fill("#listed", "3000000")
        await page.click("main form button")
        await expect(page.locator("#buyer-fee")).to_contain_text(fee)
        await expect(page.locator("#seller-fee")).to_contain_text("70,000.00")
        await expect(page.locator("#paid")).to_contain_text("3,764,000.00")
        assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
        await seen.shot(f"fees-{locale}")
        await page.fill("#price", "nothing")
        await page.click("main form button")
        await expect(page.locator(".note.bad")).to_contain_text("invalid-content")


def test_the_command_shows_a_schedule_and_reckons_a_price() -> None:
    run = CliRunner()
    said = run.invoke(
        app, ["fees", "quote", "3600000", "--listed", "3000000", "--schedule", "gemas-2024"]
    )
    assert said.exit_code == 0, said.output
    assert "seller 70000.00" in said.output
    assert "buyer 164000.00" in said.output
    assert "the buyer pays 3764000.00 CNY" in said.output
    shown = run.invoke(app, ["fees", "show", "--schedule", "gemas-2024", "--json"])
    assert json.loads(shown.output) == gemas().wire()
