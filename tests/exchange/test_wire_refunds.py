"""Refunds of bank transfers over HTTP and on pages: prepared, approved, given to the bank."""

import hashlib

import httpx
import pytest
from playwright.async_api import expect

from contracts import ids
from exchange.context import Context
from settlement.refunds import queries
from tests.conftest import NOW
from tests.exchange.identity_factory import PASSWORD, signed_client
from tests.exchange.portal_site import chromium, served, visit
from tests.exchange.test_portal_pages import someone
from tests.settlement.approvals_factory import proved
from tests.settlement.test_wire_refunds import Wired, shown, wired

NARROW = {"width": 390, "height": 844}
REASON = "许可撤回"


async def a_wire(context: Context) -> Wired:
    async with context.db.transaction() as session:
        return await wired(session)


def said(one: Wired, minor: int, **more: str) -> dict[str, object]:
    return {
        "payment_id": str(one.payment_id), "amount_minor": minor, "currency": "EUR",
        "reason": REASON, "goes_to": "payer-account", **more,
    }  # fmt: skip


async def approval(client: httpx.AsyncClient, where: str, sha256: str) -> httpx.Response:
    return await client.post(f"{where}/approval", json=await proved(client, content_sha256=sha256))


async def test_a_transfer_goes_back_by_a_file_that_is_approved_with_the_refund(
    context: Context,
) -> None:
    one = await a_wire(context)
    refund_id = ids.new(NOW)
    where = f"/v1/refunds/{refund_id}"
    file = f"/v1/bank/payment-files/{refund_id}"
    async with (
        signed_client(context, role="approver") as (maker, _),
        signed_client(context, role="approver") as (checker, _),
    ):
        card = await maker.put(where, json=said(one, 500, goes_to="card"))
        assert (card.status_code, card.json()["code"]) == (409, "payment-not-refundable")
        none = await maker.put(where, json=said(one, 500, goes_to="verified-account"))
        assert (none.status_code, none.json()["code"]) == (409, "refund-account-missing")
        made = (await maker.put(where, json=said(one, 500))).json()
        assert (made["to_account"], made["to_holder"]) == (f"iban:{one.came_from}", "Buyer GmbH")
        assert made["payment_file_id"] is None
        assert (await checker.get(file)).status_code == 404
        own = await approval(maker, where, made["content_sha256"])
        assert (own.status_code, own.json()["code"]) == (403, "same-person")
        done = (await approval(checker, where, made["content_sha256"])).json()
        assert (done["state"], done["payment_file_id"]) == ("approved", str(refund_id))
        shown_file = (await checker.get(file)).json()
        assert shown_file["refund_id"] == str(refund_id)
        given = await maker.post(f"{file}/document")
        assert hashlib.sha256(given.content).hexdigest() == shown_file["content_sha256"]
        async with context.db.transaction() as session:
            await shown(session, one, await queries.get_refund(session, refund_id))
        assert (await maker.get(where)).json()["state"] == "made"


@pytest.mark.browser
async def test_a_transfer_goes_back_over_the_pages(context: Context) -> None:
    one = await a_wire(context)
    maker, checker = await someone(context, "operator"), await someone(context, "approver")
    async with served(context) as site, chromium() as browser:
        async with visit(browser, site, locale="zh-CN", viewport=NARROW) as seen:
            page = seen.page
            await seen.sign_in(maker.email, PASSWORD)
            await seen.go(f"/console/settlements/{one.trade.deal_id}")
            await expect(page.locator("#where-1 option")).to_have_text(
                ["原付款账户", "付款方已核实的账户"]
            )
            await page.fill("#amount-1", "7.00")
            await page.fill("#why-1", REASON)
            await page.get_by_role("button", name="经办退款").click()
            await expect(page.locator("dd").filter(has_text=one.came_from)).to_be_visible()
            assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
            await seen.shot("wire-refund-zh-narrow")
            where = page.url[page.url.index("/console") :]
        async with visit(browser, site) as seen:
            page = seen.page
            await seen.sign_in(checker.email, PASSWORD)
            await seen.go(where)
            await page.fill("#password", PASSWORD)
            await page.get_by_role("button", name="Approve and send the money back").click()
            await page.get_by_role("link", name="To the payment file").click()
            await expect(page.locator("tbody")).to_contain_text(one.came_from)
            await expect(page.locator("tbody")).to_contain_text("7.00")
            await seen.shot("wire-refund-file")
