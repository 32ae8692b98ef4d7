"""Money in suspense at the provider over HTTP and on its page."""

import re
from uuid import UUID

import httpx

from contracts import ids
from exchange.context import Context
from exchange.db import Database
from settlement.clearing import queries
from tests.conftest import NOW
from tests.exchange.identity_factory import signed_client
from tests.exchange.test_portal_deals import enter
from tests.exchange.test_portal_pages import browser, signed_in, someone, token_in
from tests.settlement.test_provider_suspense import of, wrong_amount

WHERE = "/v1/provider/suspense"
PAGE = "/console/provider/suspense"


async def test_staff_take_up_what_the_provider_told_and_nothing_explains(
    context: Context, db: Database
) -> None:
    payment_id, provider_id, _ = await wrong_amount(db)
    async with (
        signed_client(context, role="operator") as (operator, who),
        signed_client(context, role="auditor") as (auditor, _),
        signed_client(context, role="broadcaster") as (stranger, _),
    ):
        assert (await stranger.get(WHERE)).status_code == 403
        listed = (await auditor.get(WHERE)).json()["items"]
        [item] = [one for one in listed if one["reference"] == provider_id]
        assert (item["amount_minor"], item["payment_id"]) == (77, str(payment_id))
        assert (item["owner_id"], item["due_on"]) == (None, "2026-11-27")
        owner = f"{WHERE}/{item['id']}/owner"
        assert (await auditor.put(owner)).status_code == 403
        taken = await operator.put(owner)
        assert (taken.status_code, taken.json()["owner_id"]) == (200, str(who.id))
        gone = await operator.put(f"{WHERE}/{ids.new(NOW)}/owner")
        assert (gone.status_code, gone.json()["code"]) == (404, "unknown")


async def test_the_page_shows_owner_age_deadline_and_what_can_be_done(
    context: Context, db: Database
) -> None:
    _, provider_id, _ = await wrong_amount(db)
    async with db.sessions() as session:
        [item] = await of(session, provider_id)
        [(_, deal_id)] = (await queries.payments_of(session, [provider_id])).values()
    async with browser(context) as client:
        await enter(client, await someone(context, "operator"))
        queue = (await client.get("/console")).text
        waits = queue[queue.index(f"{PAGE}#item-{item.id}") :].split("</tr>")[0]
        assert provider_id in waits  # in nobody's hands yet
        assert PAGE in (await client.get("/console/provider")).text
        shown = row(await page_of(client), item.id)
        assert "0.77" in shown and "Take it up" in shown and provider_id in shown
        assert f"/console/settlements/{deal_id}#refund" in shown
        token = token_in(await page_of(client))
        done = await client.post(f"{PAGE}/{item.id}/owner", data={"csrf_token": token})
        assert (done.status_code, done.headers["location"]) == (303, PAGE)
        assert "Take it up" not in row(await page_of(client), item.id)
        link = re.search(r'href="(/console/ledger/orders\?[^"]+)"', shown)
        assert link is not None
        form = (await client.get(link[1].replace("&amp;", "&"))).text
        assert 'name="account-1" value="suspense:psp:CNY"' in form
        assert f'name="explains-1" value="{item.key}"' in form
        zh = (await client.get(f"{PAGE}?lang=zh-CN")).text
        assert (
            "支付渠道待核销款项" in zh and "金额与应付不符的付款" in zh and "以手工分录核销" in zh
        )
    async with signed_in(context, "auditor") as client:
        shown = row(await page_of(client), item.id)
        assert "<form" not in shown and "ledger/orders" not in shown  # an auditor only looks
    async with signed_in(context, "broadcaster") as client:
        assert (await client.get(PAGE)).status_code in (403, 404)


async def page_of(client: httpx.AsyncClient) -> str:
    """The page, in English."""
    return str((await client.get(f"{PAGE}?lang=en")).text)


def row(page: str, item_id: UUID) -> str:
    return page[page.index(f'id="item-{item_id}"') :].split("</tr>")[0]
