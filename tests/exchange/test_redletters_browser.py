"""Red letters over HTTP and in a real Chromium: two people, both languages, what is printed."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import expect

from contracts import ids
from contracts.facts.rules import SealedFact
from contracts.money import Money
from exchange import clock, reactions
from exchange.context import Context
from exchange.identity.tables import Person
from settlement.redletters import queries
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.contracts.poppler import poppler
from tests.exchange.identity_factory import PASSWORD, Doors, person, signed_client
from tests.exchange.portal_site import Visit, chromium, served, visit
from tests.settlement.approvals_factory import proved
from tests.settlement.redletters_factory import asked, issued
from tests.settlement.returns_factory import refunded, settle, staff
from tests.settlement.settlement_factory import Trade, invoiced
from tests.settlement.test_refunds import bought
from tests.settlement.test_stripe_service import payment

PRICE = Money(120_000_001, "CNY")
NARROW = {"width": 390, "height": 844}


async def owed(context: Context) -> Trade:
    async with context.db.transaction() as session:
        return await invoiced(session, price=PRICE, now=clock.now())


def body(trade: Trade, amount_minor: int, **more: str) -> dict[str, object]:
    return {
        "invoice_id": str(trade.invoice.id),
        "amount_minor": amount_minor,
        "currency": "CNY",
        "reason_code": "allowance",
        "reason": "画质折让 #panic()",
        **more,
    }


async def test_two_people_issue_a_red_letter(context: Context, doors: Doors) -> None:
    trade, at = await owed(context), f"/v1/red-letters/{ids.new(NOW)}"
    maker, checker = await doors.of("approver"), await doors.of("approver")
    buyer = await doors.of("broadcaster", trade.buyer)
    made = await maker.put(at, json=body(trade, 20_000_000))
    assert (made.status_code, made.json()["tax_minor"]) == (201, 1_132_075)
    assert (await maker.put(at, json=body(trade, 20_000_000))).status_code == 200
    assert (await buyer.get(at)).status_code == 404
    early = await maker.get(f"{at}/pdf")
    assert (early.status_code, early.json()["code"]) == (409, "red-letter-not-issued")
    seen = {"content_sha256": made.json()["content_sha256"]}
    own = await maker.post(f"{at}/approval", json=await proved(maker, **seen))
    assert (own.status_code, own.json()["code"]) == (403, "same-person")
    done = await checker.post(f"{at}/approval", json=await proved(checker, **seen))
    assert (done.status_code, done.json()["state"]) == (200, "issued")
    listed = (await buyer.get("/v1/red-letters")).json()["items"]
    assert [one["number"] for one in listed] == [done.json()["number"]]
    invoice = (await buyer.get(f"/v1/invoices/{trade.invoice.id}")).json()
    assert (invoice["reversed_minor"], invoice["due_minor"]) == (20_000_000, 100_000_001)


async def test_both_sides_and_staff_print_it_in_both_languages(
    context: Context, doors: Doors, tmp_path: Path
) -> None:
    trade = await owed(context)
    row = await issued(context.db, asked(trade.invoice.id, 20_000_000), await staff(context.db))
    pdfs = []
    for role, of in (("broadcaster", trade.buyer), ("holder", trade.owners[0]), ("auditor", None)):
        answer = await (await doors.of(role, of)).get(f"/v1/red-letters/{row.id}/pdf")
        assert answer.status_code == 200
        pdfs.append(answer.content)
    assert len(set(pdfs)) == 1
    stranger = await doors.of("broadcaster")
    assert (await stranger.get(f"/v1/red-letters/{row.id}/pdf")).status_code == 404
    (tmp_path / "red.pdf").write_bytes(pdfs[0])
    text = "".join(poppler("pdftotext", "-layout", tmp_path / "red.pdf", "-").split())
    for said in (
        "红字账单", "Red-letterinvoice", str(row.number), trade.invoice.number,
        "-200,000.00", "-188,679.25", "-11,320.75", "（负数）人民币贰拾万元整", "销售折让",
        "04", "部分冲销",
    ):  # fmt: skip
        assert said in text, said


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"amount_minor": 120_000_002}, 409, "red-letter-too-large"),
        ({"currency": "USD"}, 409, "red-letter-too-large"),
        ({"reason": "好😀"}, 422, "text-cannot-be-printed"),
        ({"reason_code": "05"}, 422, "invalid-content"),
        ({"refund_id": str(ids.new(NOW))}, 409, "red-letter-needs-refund"),
    ],
    ids=["too-large", "other-currency", "unprintable", "unknown-reason", "no-refund"],
)
async def test_a_red_letter_that_cannot_be_is_refused(
    context: Context, change: dict[str, object], status: int, code: str
) -> None:
    trade = await owed(context)
    async with signed_client(context, role="operator") as (client, _):
        answer = await client.put(
            f"/v1/red-letters/{ids.new(NOW)}", json={**body(trade, 5), **change}
        )
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_refund_leads_to_a_red_letter_that_waits_for_another_person(
    context: Context,
) -> None:
    trade, payment_id, _, gateway = await bought(context.db)
    people = await staff(context.db)
    refund = await refunded(context.db, await payment(context.db, payment_id), 10_001, people)
    await settle(context.db, gateway)
    (woken,) = [one for one in reactions.woken_by("refund.made") if one.name == "reverse-refunded"]
    told = {"refund": str(refund.id)}
    fact = SealedFact(1, ids.new(NOW), "refund.made", refund.id, (), told, NOW)
    for _ in range(2):
        async with context.db.transaction() as session:
            await woken.verb(context, session, fact, NOW)
    async with context.db.sessions() as session:
        (row,) = await queries.of_invoice(session, trade.invoice.id)
    assert (row.state, row.amount_minor, row.refund_id) == ("prepared", 10_001, refund.id)
    assert (row.prepared_by, row.reason_code) == (people.maker, "allowance")


@dataclass(frozen=True)
class Cast:
    """Who acts on the pages."""

    trade: Trade
    maker: Person
    checker: Person
    payer: Person


async def cast(context: Context) -> Cast:
    trade, now = await owed(context), clock.now()
    async with context.db.transaction() as session:
        house = await party(session, now=now)
        return Cast(
            trade,
            await person(session, party_id=house.id, role="operator", now=now),
            await person(session, party_id=house.id, role="approver", now=now),
            await person(session, party_id=trade.buyer.id, role="broadcaster", now=now),
        )


async def prepare(seen: Visit, who: Cast) -> str:
    page = seen.page
    await seen.sign_in(who.maker.email, PASSWORD)
    await seen.go(f"/console/red-letters?number={who.trade.invoice.number}")
    await page.fill("#amount", "200,000.00")
    await page.select_option("#reason_code", "allowance")
    await page.fill("#reason", "画质折让")
    await page.get_by_role("button", name="Prepare the red letter").click()
    await page.wait_for_url("**/console/red-letters/0*")
    await expect(page.locator("#decision .note")).to_contain_text("another person decides")
    return page.url.removeprefix(seen.site)


async def issue_in_chinese(seen: Visit, who: Cast, address: str) -> None:
    page = seen.page
    await seen.sign_in(who.checker.email, PASSWORD)
    await expect(page.locator(f'a[href="{address}"]')).to_contain_text("复核红字账单")
    await seen.go(address)
    await page.fill("#password", PASSWORD)
    await page.get_by_role("button", name="批准开具红字账单").click()
    await expect(page.locator(".badge").first).to_have_text("已开具")
    assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    await seen.shot("red-letter-zh-narrow")


@pytest.mark.browser
async def test_staff_take_an_invoice_back_on_pages_in_both_languages(context: Context) -> None:
    who = await cast(context)
    async with served(context) as site, chromium() as browser:
        async with visit(browser, site) as seen:
            address = await prepare(seen, who)
        async with visit(browser, site, locale="zh-CN", viewport=NARROW) as seen:
            await issue_in_chinese(seen, who, address)
        async with visit(browser, site) as seen:
            await seen.sign_in(who.payer.email, PASSWORD)
            page = await seen.go("/money")
            await expect(page.locator('a[href$="/pdf"]').last).to_contain_text("UHDXR-")
    async with context.db.sessions() as session:
        (row,) = await queries.of_invoice(session, who.trade.invoice.id)
    assert (row.amount_minor, row.decided_by) == (20_000_000, who.checker.id)
