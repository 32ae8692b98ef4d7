"""A payee's own page: how its account stands at the provider, and the way to have it verified."""

import re
from datetime import timedelta
from uuid import UUID

import httpx

from exchange import clock
from exchange.context import Context
from settlement.payouts import onboarding
from settlement.payouts import service as payouts
from settlement.payouts.rules import ACTIVE, INACTIVE, PENDING, Link, SeenAccount
from tests.exchange.identity_factory import signed_client
from tests.exchange.test_portal_deals import enter
from tests.exchange.test_portal_pages import browser, someone, token_in

HERE, ASK = "/money", "/money/payout-account/onboarding"
PAGE = "https://provider.example/onboarding/1"


async def stands(context: Context, party_id: UUID, capability: str) -> None:
    """Let the provider show how the account stands, as the worker sees it."""
    async with context.db.transaction() as session:
        seen = SeenAccount(f"acct_{party_id.hex}", capability)
        assert await onboarding.apply_seen(session, seen, now=clock.now())


async def opened(context: Context, party_id: UUID) -> None:
    async with context.db.transaction() as session:
        await payouts.open_account(session, party_id, country="HK", now=clock.now())
        await payouts.account_ready(session, party_id, provider_id=f"acct_{party_id.hex}")


async def linked(context: Context, party_id: UUID, *, lasts: timedelta) -> None:
    async with context.db.transaction() as session:
        await onboarding.linked(session, party_id, Link(PAGE, clock.now() + lasts))


async def ask(client: httpx.AsyncClient) -> httpx.Response:
    token = token_in((await client.get(HERE)).text)
    return await client.post(ASK, data={"csrf_token": token})


async def test_a_payee_is_led_to_the_provider_and_sees_how_it_stands(context: Context) -> None:
    who = await someone(context, "holder")
    await opened(context, who.party_id)
    async with browser(context) as client:
        await enter(client, who)
        assert ASK not in (await client.get(HERE)).text  # nothing is known yet
        await stands(context, who.party_id, INACTIVE)
        page = (await client.get(HERE)).text
        assert "has not verified it" in page and f'action="{ASK}"' in page
        assert (await ask(client)).status_code == 303
        assert "is being asked for a link" in (await client.get(HERE)).text
        await linked(context, who.party_id, lasts=timedelta(minutes=5))
        page = (await client.get(HERE)).text
        assert re.search(rf'<a class="button" href="{PAGE}" rel="noopener noreferrer">', page)
        await stands(context, who.party_id, PENDING)
        chinese = (await client.get(f"{HERE}?lang=zh-CN")).text
        assert "正在核验所提交的资料" in chinese and "前往支付渠道继续" in chinese
        await stands(context, who.party_id, ACTIVE)
        page = (await client.get(f"{HERE}?lang=en")).text
        assert "verified by the payment provider" in page
        assert PAGE not in page and ASK not in page
        assert (await ask(client)).status_code == 409


async def test_a_link_that_ran_out_is_not_shown(context: Context) -> None:
    who = await someone(context, "holder")
    await opened(context, who.party_id)
    await stands(context, who.party_id, INACTIVE)
    async with browser(context) as client:
        await enter(client, who)
        await ask(client)
        await linked(context, who.party_id, lasts=timedelta(0))
        page = (await client.get(HERE)).text
        assert PAGE not in page and f'action="{ASK}"' in page


async def test_a_link_is_told_to_its_own_organisation_alone(context: Context) -> None:
    async with (
        signed_client(context, role="holder") as (holder, who),
        signed_client(context, role="holder") as (stranger, _),
        signed_client(context, role="auditor") as (auditor, _),
        signed_client(context, role="holder", scopes=["read"]) as (reader, _),
    ):
        party_id = who.party_id
        path = f"/v1/parties/{party_id}/payout-account"
        assert (await holder.post(f"{path}/onboarding")).status_code == 404
        await opened(context, party_id)
        await stands(context, party_id, INACTIVE)
        asked = await holder.post(f"{path}/onboarding")
        assert (asked.status_code, asked.json()["onboarding"]) == (
            200, {"url": None, "until": None},
        )  # fmt: skip
        await linked(context, party_id, lasts=timedelta(minutes=5))
        own, staff = (await holder.get(path)).json(), (await auditor.get(path)).json()
        assert (own["capability"], own["onboarding"]["url"]) == ("inactive", PAGE)
        assert (staff["capability"], staff["onboarding"]) == ("inactive", None)
        assert (await stranger.get(path)).status_code == 404
        assert (await stranger.post(f"{path}/onboarding")).status_code == 404
        assert (await reader.post(f"{path}/onboarding")).status_code == 403
