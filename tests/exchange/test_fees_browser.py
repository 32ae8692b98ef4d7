"""Fee schedules on the staff's pages: a preview, two people, both languages, a telephone."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from exchange import clock
from exchange.context import Context
from exchange.identity.tables import Person
from settlement.fees import rules
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import PASSWORD, person
from tests.exchange.portal_site import Visit, chromium, served, visit
from tests.exchange.test_fees_api import RARE
from tests.exchange.test_portal_pages import browser, signed_in, token_in
from tests.settlement.fees_factory import gemas, own, usual

NARROW = {"width": 390, "height": 844}


async def two(context: Context) -> tuple[Person, Person]:
    """An operator who prepares, and an approver who decides."""
    now = clock.now()
    async with context.db.transaction() as session:
        home = await party(session, now=now)
        return (
            await person(session, party_id=home.id, role="operator", now=now),
            await person(session, party_id=home.id, role="approver", now=now),
        )


def day(ahead: int) -> str:
    return (rules.day_of(clock.now()) + timedelta(days=ahead)).isoformat()


async def fits(page: Page) -> None:
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= NARROW["width"], width


async def prepare_a_file(seen: Visit, who: Person, file: Path) -> str:
    page = seen.page
    await seen.sign_in(who.email, PASSWORD)
    await seen.go("/console/fees")
    await expect(page.locator("#standing")).to_contain_text(usual().name_en)
    laid = await page.locator("#standing").evaluate("table => getComputedStyle(table).display")
    assert laid == "table"  # cards are for telephones
    await page.set_input_files("#file", file)
    await page.fill("#valid_from", day(50))
    await page.get_by_role("button", name="Show what it charges").click()
    charges = page.locator("#preview .charges")
    # a price of 1,000,000.000 costs the seller 2.5 % instead of 5 %
    await expect(charges).to_contain_text("25,000.000")
    await expect(charges).to_contain_text("50,000.000")
    differences = page.locator("#preview .differences")
    await expect(differences).to_contain_text("5.00 %")
    await expect(differences).to_contain_text("2.50 %")
    await seen.shot("fee-preview-en")
    await page.get_by_role("button", name="Prepare; another person decides").click()
    await expect(page.locator("#decision .note")).to_contain_text("another person decides")
    return page.url.removeprefix(seen.site)


async def approve_in_chinese(seen: Visit, who: Person, address: str) -> None:
    page = seen.page
    await seen.sign_in(who.email, PASSWORD)
    await expect(page.locator(f'a[href="{address}"]')).to_contain_text("复核服务费标准")
    await seen.go(address)
    await expect(page.locator(".differences")).to_contain_text("2.50 %")
    await fits(page)
    await seen.shot("fee-decision-zh-narrow")
    await page.fill("#password", PASSWORD)
    await page.get_by_role("button", name="批准并公告").click()
    await expect(page.locator("#decision")).to_have_count(0)
    await seen.go("/console/fees")
    await expect(page.locator("#standing")).to_contain_text(day(50))
    await expect(page.locator("#standing")).to_contain_text("paged")  # names may be alike
    await fits(page)
    await seen.shot("fee-schedules-zh-narrow")


@pytest.mark.browser
async def test_two_people_announce_a_schedule_on_pages_in_both_languages(
    context: Context, tmp_path: Path
) -> None:
    maker, checker = await two(context)
    file = tmp_path / "fees.json"
    file.write_text(json.dumps(own("paged", 250, RARE)))
    async with served(context) as site, chromium() as program:
        async with visit(program, site) as seen:
            address = await prepare_a_file(seen, maker, file)
        async with visit(program, site, locale="zh-CN", viewport=NARROW) as seen:
            await approve_in_chinese(seen, checker, address)
        async with visit(program, site) as seen:
            await seen.go("/fees")
            await expect(seen.page.locator("main")).to_contain_text(f"in force from {day(50)}")


@pytest.mark.browser
async def test_one_that_ships_is_previewed_on_a_telephone_and_refused_with_a_reason(
    context: Context,
) -> None:
    maker, checker = await two(context)
    async with served(context) as site, chromium() as program:
        async with visit(program, site, locale="zh-CN", viewport=NARROW) as seen:
            page = seen.page
            await seen.sign_in(maker.email, PASSWORD)
            await seen.go("/console/fees")
            await page.select_option("#shipped", gemas().id)
            await page.fill("#valid_from", day(0))
            await page.get_by_role("button", name="预览收费").click()
            await expect(page.locator("#refusal")).to_contain_text("施行日期须晚于公告当日")
            await page.fill("#valid_from", day(60))
            await page.get_by_role("button", name="预览收费").click()
            # listed 1,000,000, bid up to 1,200,000: the buyer pays 5 % of the price
            await expect(page.locator("#preview .charges")).to_contain_text("60,000.00")
            await fits(page)
            await seen.shot("fee-preview-zh-narrow")
            await page.get_by_role("button", name="提交，由他人复核").click()
            await expect(page.locator("#decision .note")).to_be_visible()
            address = page.url.removeprefix(seen.site)
        async with visit(program, site) as seen:
            page = seen.page
            await seen.sign_in(checker.email, PASSWORD)
            await seen.go(address)
            await page.click("#decision summary")
            await page.fill("#reason", "not agreed with the members")
            await page.get_by_role("button", name="Refuse the schedule").click()
            await expect(page.locator("dd", has_text="not agreed")).to_be_visible()
            await seen.go("/fees")
            await expect(page.locator("main")).not_to_contain_text(f"in force from {day(60)}")


async def test_without_script_a_text_is_previewed_and_a_wrong_one_stays_as_it_was_typed(
    context: Context,
) -> None:
    async with signed_in(context, "operator") as client:
        page = await client.get("/console/fees")
        form = {"csrf_token": token_in(page.text), "valid_from": day(50), "shipped": ""}
        at, referer = "/console/fees/preview", {"Referer": "http://exchange.test/console/fees"}
        text = json.dumps(own("pasted", 125, RARE))
        shown = await client.post(at, data={**form, "schedule": text})
        assert shown.status_code == 200 and "1.25 %" in shown.text
        wrong = (
            ("{not json", "not-canonical"),
            ("{}", "invalid-content"),
            (json.dumps({**usual().wire(), "currency": "XXX"}), "bad-fee-schedule"),
            ("", "invalid-content"),
            ("x" * 300_001, "invalid-content"),
        )
        for typed, code in wrong:
            said = {**form, "schedule": typed}
            answer = await client.post(at, data=said, headers=referer)
            assert (answer.status_code, code in answer.text) == (422, True), code
            assert "textarea" in answer.text
        both = await client.post(at, data={**form, "schedule": text, "shipped": usual().id})
        assert both.status_code == 422
    async with signed_in(context, "auditor") as client:
        page = await client.get("/console/fees")
        assert page.status_code == 200 and 'action="/console/fees/preview"' not in page.text
        form["csrf_token"] = token_in(page.text)
        sent = {**form, "schedule": text, "announcement_id": "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"}
        assert (await client.post("/console/fees", data=sent)).status_code == 403
    async with browser(context) as client:
        assert (await client.get("/console/fees")).status_code == 303
