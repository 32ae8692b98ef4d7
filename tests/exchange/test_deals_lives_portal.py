"""The life of a deal on its page: what each side may do, and the forms that do it."""

import pytest
from httpx import AsyncClient

from contracts import ids
from contracts.deals import ending
from contracts.deals.tables import Deal
from exchange import clock
from exchange.context import Context
from exchange.identity.tables import Person
from tests.contracts.deals_factory import opened_deal
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import PASSWORD, person
from tests.exchange.portal_site import chromium, served, turn, visit
from tests.exchange.test_portal_deals import enter, traded
from tests.exchange.test_portal_pages import browser, signed_in, token_in

CHINESE = {"Accept-Language": "zh-CN"}


async def waiting(context: Context) -> tuple[Deal, Person, Person]:
    """A deal that waits for its signatures, with a person on each side."""
    now = clock.now()
    async with context.db.transaction() as session:
        licensor = await party(session, kind="rights_holder", now=now)
        licensee = await party(session, kind="broadcaster", now=now)
        deal = await opened_deal(session, licensor=licensor, licensee=licensee, now=now)
        sides = [
            await person(session, party_id=of.id, role=role, now=now)
            for of, role in ((licensor, "holder"), (licensee, "broadcaster"))
        ]
    return deal, *sides


async def sent(client: AsyncClient, page: str, address: str, **fields: str) -> str:
    done = await client.post(address, data={"csrf_token": token_in(page), **fields})
    assert done.status_code == 303, done.text
    return str((await client.get(done.headers["location"])).text)


def field(page: str, name: str, *, after: str = "") -> str:
    return page.split(after, 1)[1].split(f'name="{name}" value="', 1)[1].split('"')[0]


async def test_a_party_declines_on_the_page_and_the_other_reads_why(context: Context) -> None:
    deal, licensor, licensee = await waiting(context)
    at = f"/deals/{deal.id}"
    async with browser(context) as client:
        await enter(client, licensee)
        page = (await client.get(at)).text
        assert "Decline to sign" in page and "Propose an amendment" not in page
        page = await sent(client, page, f"{at}/refusal", reason="预算被削减")
        assert "declined to sign" in page and 'id="refusal-reason"' not in page
    await turn(context)
    async with browser(context) as client:
        await enter(client, licensor)
        page = (await client.get(at, headers=CHINESE)).text
        assert "已拒签" in page and "预算被削减" in page and "相关权利已释放" in page
        assert "/console/incidents" not in page
    async with signed_in(context, "operator") as client:
        page = (await client.get(at)).text
        assert f"/console/incidents?auction={deal.auction_id}" in page


async def test_a_seller_that_declines_makes_nobody_default(context: Context) -> None:
    deal, _, _ = await waiting(context)
    async with context.db.transaction() as session:
        await ending.decline(
            session, deal.id, party_id=deal.licensor_id, reason="x", now=clock.now()
        )
    async with signed_in(context, "operator") as client:
        assert "/console/incidents?auction=" not in (await client.get(f"/deals/{deal.id}")).text


async def test_a_notice_and_its_answer_on_the_page(context: Context) -> None:
    trade = await traded(context)
    at = f"/deals/{trade.deal.id}"
    async with browser(context) as client:
        await enter(client, trade.licensor)
        page = (await client.get(at)).text
        mine = field(page, "notice_id", after=f'{at}/notices"')
        page = await sent(
            client, page, f"{at}/notices", notice_id=mine, kind="breach", text="未付款"
        )
        assert "It is received when it is in the public log." in page and "It is cured" in page
        page = await sent(client, page, f"{at}/notices/{mine}/answer", answer="cured")
        assert "It is cured" not in page and "Cured" in page
        offer = str(ids.new(clock.now()))
        page = await sent(
            client, page, f"{at}/notices", notice_id=offer, kind="mutual", text="停播"
        )
        assert "Agree: end the contract" not in page
    async with browser(context) as client:
        await enter(client, trade.licensee)
        page = (await client.get(at)).text
        assert "Agree: end the contract" in page
        page = await sent(client, page, f"{at}/notices/{offer}/answer", answer="agreed")
        assert "Ended early" in page and "By agreement of both sides" in page
        assert "Propose an amendment" not in page


async def test_an_amendment_is_proposed_on_the_page_and_shows_what_it_changes(
    context: Context,
) -> None:
    trade = await traded(context)
    at = f"/deals/{trade.deal.id}"
    async with browser(context) as client:
        await enter(client, trade.licensee)
        page = (await client.get(at)).text
        amendment = field(page, "amendment_id", after=f'{at}/amendments"')
        page = await sent(
            client, page, f"{at}/amendments", amendment_id=amendment, cure_days="45", due_days="15"
        )
        assert "This contract amends and restates another:" in page
        assert "Days to cure a breach" in page and ">45<" in page and "Days to pay" not in page
        page = (await client.get(at)).text
        assert f'href="/deals/{amendment}"' in page and "Propose an amendment" not in page


async def test_an_early_end_other_rights_and_a_higher_price_are_forms_on_the_page(
    context: Context,
) -> None:
    trade = await traded(context)
    at = f"/deals/{trade.deal.id}"
    async with browser(context) as client:
        await enter(client, trade.licensor)
        assert "End it early" not in (await client.get(at)).text
    async with browser(context) as client:
        await enter(client, trade.licensee)
        page = (await client.get(at)).text
        rights = {
            name: field(page, name, after='id="amend-rights"')
            for name in ("amendment_id", "territories_0", "excluded_0", "first_day_0")
        }
        narrowed = {**rights, "last_day_0": "2027-12-31", "runs_max_0": "2"}
        page = await sent(client, page, f"{at}/amendments", what="rights", **narrowed)
        assert "This contract amends and restates another:" in page
        assert "2027-12-31" in page or "31 December 2027" in page
        page = (await client.get(at)).text
        assert "End it early" in page
        mine = page.split("End it early", 1)[1].split('name="notice_id" value="', 1)[1][:36]
        page = await sent(
            client, page, f"{at}/notices", notice_id=mine, kind="convenience", text="停播"
        )
        assert "Notice of an early end" in page and "Withdraw the notice" not in page


async def test_a_licensee_is_led_to_hand_its_contract_on_and_others_are_not(
    context: Context,
) -> None:
    trade = await traded(context)
    at = f"/deals/{trade.deal.id}"
    async with browser(context) as client:
        await enter(client, trade.licensor)
        assert f"{at}/assignment" not in (await client.get(at)).text
        assert (await client.get(f"{at}/assignment")).status_code == 404
    async with browser(context) as client:
        await enter(client, trade.licensee)
        assert f'href="{at}/assignment"' in (await client.get(at)).text
        page = (await client.get(f"{at}/assignment", headers=CHINESE)).text
        assert "转让本合同" in page


async def test_an_operator_undoes_a_deal_by_order_and_an_auditor_does_not(
    context: Context,
) -> None:
    trade = await traded(context)
    at = f"/deals/{trade.deal.id}"
    async with signed_in(context, "auditor") as client:
        assert "Undo the contract" not in (await client.get(at)).text
    async with signed_in(context, "operator") as client:
        page = (await client.get(at)).text
        page = await sent(client, page, f"{at}/rescission", reason="(2027) 0001")
        assert "Undone by order" in page


@pytest.mark.browser
async def test_the_life_of_a_deal_fits_wide_and_narrow_screens_in_both_languages(
    context: Context,
) -> None:
    trade = await traded(context)
    screens = ((1280, "en-GB", "wide"), (360, "zh-CN", "narrow"))
    async with served(context) as site, chromium() as opened:
        for width, locale, name in screens:
            size = {"width": width, "height": 860}
            async with visit(opened, site, locale=locale, viewport=size) as seen:
                await seen.sign_in(trade.licensor.email, PASSWORD)
                page = await seen.go(f"/deals/{trade.deal.id}")
                for one in await page.locator("#life summary").all():
                    await one.click()
                await seen.shot(f"deal-life-{name}")
                assert await page.evaluate("document.documentElement.scrollWidth") <= width
