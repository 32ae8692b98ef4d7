"""A guarantee with a share by steps: negotiated, signed, reported, stated, paid, corrected."""

from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, expect

from contracts import canonical, ids
from exchange import clock
from exchange.context import Context
from settlement.payouts import service as payouts
from settlement.plans import queries as plans
from tests.conftest import NOW
from tests.exchange.identity_factory import PASSWORD, person, signed_client
from tests.exchange.instalments_desk import Sold, sold_in_parts
from tests.exchange.portal_site import visit
from tests.listings.offers_factory import a_room
from tests.settlement.test_instalments import paid_out, pay

# Half a million guaranteed; a fee of a fifth, costs of 300,000.00, then 30 % and 50 %.
PRICE: dict[str, Any] = {
    "guarantee_minor": 50_000_000, "fee_bp": 2_000, "costs_minor": 30_000_000,
    "steps": [{"upto_minor": 500_000_000, "share_bp": 3_000}, {"share_bp": 5_000}],
}  # fmt: skip
YEAR = {"first_day": "2025-01-01", "last_day": "2025-12-31"}
expect.set_options(timeout=30_000)  # the machine may be busy with other tests


async def test_the_contract_says_the_steps_and_statements_follow_them_to_the_last_payout(
    context: Context,
) -> None:
    sold = await sold_in_parts(context, model="guarantee-tiers", price=PRICE)
    said = canonical.loads(sold.deal.terms)
    assert (said["consideration"]["kind"], sold.deal.amount_minor) == (
        "guarantee-tiers", 50_000_000,
    )  # fmt: skip
    assert "fee-guarantee-and-steps" in {clause["ref"] for clause in said["clauses"]}
    # 10,000,000.00 less a fifth and the costs leave 7,700,000.00: 1,500,000.00 of the first five
    # million, and half of the 2,700,000.00 beyond. The guarantee is set off.
    async with signed_client(context, role="broadcaster", of=sold.room.licensee) as (client, _):
        first = await reported(client, sold, 1_000_000_000)
        assert (first["earned_minor"], first["recouped_minor"], first["due_minor"]) == (
            285_000_000, 50_000_000, 235_000_000,
        )  # fmt: skip
        more = await reported(client, sold, 1_010_000_000)
        assert more["due_minor"] == 4_000_000  # half of four fifths of 100,000.00
        less = await reported(client, sold, 1_000_000_000)
        assert (less["due_minor"], less["carried_minor"]) == (0, 4_000_000)
    async with signed_client(context, role="holder", of=sold.room.licensor) as (client, _):
        told = (await client.get(f"/v1/deals/{sold.deal.id}/royalties")).json()
        assert told["model"] == "guarantee-tiers"
        printed = await client.get(f"/v1/deals/{sold.deal.id}/royalty-statements/1/pdf")
        assert printed.content.startswith(b"%PDF")
    async with context.db.transaction() as session:
        owner = sold.room.licensor
        await payouts.open_account(session, owner.id, country="HK", now=NOW)
        await payouts.account_ready(session, owner.id, provider_id=f"acct_{owner.id.hex}")
        for claim in await plans.claims(session, sold.deal.id):
            await pay(session, claim.deal_id)
            await paid_out(session, claim.deal_id)
        states = {claim.state for claim in await plans.claims(session, sold.deal.id)}
    assert states == {"paid_out"}


async def reported(client: httpx.AsyncClient, sold: Sold, gross: int) -> dict[str, Any]:
    line = {"source": "IPTV", "runs": 1, "gross_minor": gross, "deductions_minor": 0}
    path = f"/v1/deals/{sold.deal.id}/usage-reports/{ids.new(clock.now())}"
    answer = await client.put(path, json={**YEAR, "lines": [line]})
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


@pytest.mark.browser
async def test_a_broadcaster_offers_it_on_the_page_in_chinese_and_the_owner_reads_it_in_english(
    context: Context, site: str, browser: Browser
) -> None:
    now = clock.now()
    async with context.db.transaction() as session:
        room = await a_room(session, now=now, models=["flat", "guarantee-tiers"])
        buyer = await person(session, party_id=room.licensee.id, role="broadcaster", now=now)
        holder = await person(session, party_id=room.licensor.id, role="holder", now=now)
    wide, narrow = {"width": 1280, "height": 860}, {"width": 400, "height": 800}
    async with visit(browser, site, locale="zh-CN", viewport=wide) as seen:
        await seen.sign_in(buyer.email, PASSWORD)
        page = await seen.go(f"/offers/new?offerable={room.offerable}")
        await page.select_option("#model", "guarantee-tiers")
        await expect(page.locator(f"#amount_{room.work.id}")).to_be_hidden()
        for field, typed in (("guarantee", "500000"), ("fee", "20"), ("costs", "300000"),
                             ("steps", "5000000/30，50")):  # fmt: skip
            await page.fill(f"#{field}_{room.work.id}", typed)
        await seen.shot("offer-by-steps-zh")
        await page.get_by_role("button", name="发出要约").click()
        await expect(page.locator("main")).to_contain_text("其余分档：0.00-5000000.00: 30.00%")
        address = page.url.removeprefix(site)
    async with visit(browser, site, viewport=narrow) as seen:
        await seen.sign_in(holder.email, PASSWORD)
        page = await seen.go(address)
        await expect(page.locator("main")).to_contain_text("fee 20.00 %, costs up to CN¥300,000.00")
        # What was said stands in the fields of the answer.
        await expect(page.locator(f"#steps_{room.work.id}")).to_have_value(
            "5000000.00/30.00, 50.00"
        )
        await seen.shot("offer-by-steps-narrow")
