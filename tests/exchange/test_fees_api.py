"""The fees over HTTP, on the page in both languages, and by command."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from playwright.async_api import expect
from typer.testing import CliRunner

from contracts import ids
from contracts.refusal import Refusal
from exchange import clock
from exchange.cli import app
from exchange.context import Context
from settlement.fees import rules
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import PASSWORD, api_key, person, signed_client
from tests.exchange.portal_site import chromium, served, visit
from tests.exchange.test_portal_pages import browser
from tests.settlement.approvals_factory import proved
from tests.settlement.fees_factory import gemas, own, usual

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


async def test_a_schedule_is_announced_by_two_people(context: Context) -> None:
    day = rules.day_of(clock.now()) + timedelta(days=40)
    wire = {**usual().wire(), "id": "rare", "currency": RARE}
    body = {"schedule": wire, "valid_from": day.isoformat()}
    at = f"/v1/fees/announcements/{ids.new(NOW)}"
    async with (
        signed_client(context, role="approver", of=None) as (approver, _),
        signed_client(context, role="approver", of=None) as (maker, _),
        signed_client(context, role="operator", of=None) as (operator, _),
        signed_client(context, role="auditor", of=None) as (auditor, _),
        signed_client(context, role="holder") as (stranger, _),
        browser(context) as anybody,
    ):
        assert (await auditor.put(at, json=body)).status_code == 403
        made = await maker.put(at, json=body)
        assert (made.status_code, made.json()["valid_from"]) == (201, day.isoformat())
        assert made.json()["state"] == "prepared"
        assert (await operator.put(at, json=body)).status_code == 200
        assert (await stranger.get(at)).status_code == 403
        assert (await auditor.get(at)).json() == made.json()
        early = (await anybody.get(f"/v1/fees?currency={RARE}&on={day}")).json()
        assert early["schedule"]["id"] == "uhdx-2026"
        assert made.json()["id"] not in {one["id"] for one in early["announced"]}
        hidden = await anybody.get(f"/v1/fees/schedules/{made.json()['sha256']}")
        assert hidden.status_code == 404
        seen = {"content_sha256": made.json()["content_sha256"]}
        other = {"content_sha256": made.json()["sha256"]}
        for client, said, code in (
            (maker, await proved(maker, **seen), "same-person"),
            (operator, await proved(operator, **seen), "not-allowed"),
            (approver, await proved(approver, **other), "content-changed"),
            (approver, await proved(operator, **seen), "proof-needed"),
        ):
            answer = await client.post(f"{at}/approval", json=said)
            assert answer.json()["code"] == code
        done = await approver.post(f"{at}/approval", json=await proved(approver, **seen))
        assert (done.status_code, done.json()["state"]) == (200, "approved")
        late = await approver.post(f"{at}/refusal", json={**seen, "reason": "no"})
        assert (late.status_code, late.json()["code"]) == (409, "already-decided")
        today = (await anybody.get(f"/v1/fees?currency={RARE}")).json()
        assert today["schedule"]["id"] == "uhdx-2026"
        assert made.json()["id"] in {one["id"] for one in today["announced"]}
        then = (await anybody.get(f"/v1/fees?currency={RARE}&on={day}")).json()
        assert (then["schedule"]["id"], then["sha256"]) == ("rare", made.json()["sha256"])


async def test_a_schedule_that_cannot_be_announced_is_refused_at_once(context: Context) -> None:
    today = rules.day_of(clock.now())
    wire = {**usual().wire(), "id": "rare", "currency": RARE}
    body = {"schedule": wire, "valid_from": (today + timedelta(days=40)).isoformat()}
    wrong: dict[str, dict[str, Any]] = {
        "fees-not-ahead": {**body, "valid_from": today.isoformat()},
        "bad-fee-schedule": {
            **body, "schedule": {**wire, "rows": [{**wire["rows"][0], "above_minor": 5}]}
        },
        "invalid-content": {**body, "schedule": {**wire, "seller_minimum_minor": -1}},
        "not-canonical": {**body, "schedule": {**wire, "name_en": "e\u0301"}},
    }  # fmt: skip
    async with signed_client(context, role="operator", of=None) as (operator, _):
        for code, said in wrong.items():
            answer = await operator.put(f"/v1/fees/announcements/{ids.new(NOW)}", json=said)
            assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_two_people_announce_at_a_terminal(context: Context, tmp_path: Path) -> None:
    now, keys = clock.now(), {}
    day = rules.day_of(now) + timedelta(days=41)
    file = tmp_path / "fees.json"
    file.write_text(json.dumps(own("typed", 250, RARE)))
    async with context.db.transaction() as session:
        home = await party(session, now=now)
        for name in ("one", "other"):
            who = await person(session, party_id=home.id, role="approver", now=now)
            keys[name] = await api_key(session, person=who, now=now)
    async with served(context) as site:

        async def ask(who: str, *words: str) -> str:
            at = ("--exchange", site, "--api-key", keys[who])
            return await anyio.to_thread.run_sync(run, *words, *at)

        said = await ask("one", "announce", str(file), "--from", day.isoformat())
        id, sha256 = said.split("exchange fees approve ")[1].split()
        assert "same-person" in await ask("one", "approve", id, sha256)
        assert f"typed is in force from {day}" in await ask("other", "approve", id, sha256)
        said = await ask("one", "announce", str(file), "--from", day.isoformat())
        second, sha256 = said.split("exchange fees approve ")[1].split()
        refused = await ask("other", "refuse", second, sha256, "--reason", "twice")
        assert f"announcement {second} is refused" in refused
        listed = json.loads(await ask("one", "status", "--json"))["announcements"]
    states = {one["id"]: (one["state"], one["reason"]) for one in listed}
    assert (states[id], states[second]) == (("approved", None), ("refused", "twice"))


def run(*words: str) -> str:
    done = CliRunner().invoke(app, ["fees", *words], input=f"{PASSWORD}\n")
    if isinstance(done.exception, Refusal):
        return f"{done.exception.code} {done.exception.detail}"
    return done.output


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


def test_the_command_reckons_by_a_file_and_refuses_what_is_no_schedule(tmp_path: Path) -> None:
    file = tmp_path / "fees.json"
    file.write_text(json.dumps(own("mine", 250, "CNY")))
    assert "seller 2500.00" in run("quote", "100000", "--file", str(file))
    assert "wrong-currency" in run("quote", "100", "--currency", "USD", "--file", str(file))
    for text, code in (("{", "not-canonical"), ("[1]", "invalid-content"), ("{}", "invalid-")):
        file.write_text(text)
        assert code in run("quote", "100000", "--file", str(file))
