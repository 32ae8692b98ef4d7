"""The delivery of a deal on its page: what each side does next, in both languages."""

import pytest

from exchange import clock
from exchange.context import Context
from exchange.identity.tables import Person
from exchange.portal.deliveries import NEXT, todo
from tests.exchange.deliveries_desk import Hands, hands
from tests.exchange.identity_factory import PASSWORD, person
from tests.exchange.portal_site import chromium, served, visit
from tests.exchange.test_portal_deals import enter
from tests.exchange.test_portal_pages import browser, signed_in, token_in
from tests.listings.deliveries_factory import film, handed

PLAIN = film(5000)
CHINESE = {"Accept-Language": "zh-CN"}


async def sides(context: Context, desk: Hands) -> tuple[Person, Person]:
    async with context.db.transaction() as session:
        one = await person(session, party_id=desk.deal.licensor_id, role="holder", now=clock.now())
        two = await person(
            session, party_id=desk.deal.licensee_id, role="broadcaster", now=clock.now()
        )
    return one, two


async def test_each_side_reads_what_it_does_next_until_the_delivery_is_accepted(
    context: Context,
) -> None:
    async with hands(context, PLAIN) as desk, browser(context) as one, browser(context) as two:
        licensor, licensee = await sides(context, desk)
        await enter(one, licensor)
        await enter(two, licensee)
        at = f"/deals/{desk.deal.id}/delivery"
        assert "exchange delivery seal MASTER" in (await one.get(at)).text
        page = (await two.get(at)).text
        assert "offered nothing yet" in page and "register its public half" in page
        path = await desk.offer(handed(PLAIN))
        assert "has registered no delivery key" in (await one.get(at)).text
        assert f"exchange delivery fetch {desk.deal.id}" in (await two.get(at)).text
        await desk.register()
        await desk.pay()
        await desk.turn()
        await desk.turn()
        page = (await two.get(at, headers=CHINESE)).text
        assert "已释放：被许可方已取得密钥" in page and "请打开交付" in page
        done = await two.post(
            f"{at}/{path.rpartition('/')[2]}/acceptance", data={"csrf_token": token_in(page)}
        )
        assert done.status_code == 303, done.text
        for who in (one, two):
            assert "There is nothing to do." in (await who.get(at)).text
        deal = (await one.get(f"/deals/{desk.deal.id}")).text
        assert at in deal and "Key of the content released to the licensee" in deal
        assert (
            await one.get("/deals/01990000-0000-7000-8000-0000000000ab/delivery")
        ).status_code == 404
        async with signed_in(context, "operator") as staff:
            assert "There is nothing to do." in (await staff.get(at)).text


@pytest.mark.browser
async def test_the_page_in_a_browser(context: Context) -> None:
    async with hands(context, PLAIN) as desk:
        _, licensee = await sides(context, desk)
        await desk.released(handed(PLAIN))
        async with served(context) as site, chromium() as program:
            for locale, said in (("en-GB", "What to do next"), ("zh-CN", "下一步")):
                async with visit(program, site, locale=locale) as window:
                    await window.sign_in(licensee.email, PASSWORD)
                    page = await window.go(f"/deals/{desk.deal.id}/delivery")
                    assert said in await page.inner_text("#next")
                    wide = await page.evaluate(
                        "document.documentElement.scrollWidth <= window.innerWidth"
                    )
                    assert wide
                    await window.shot(f"delivery-{locale}")


def test_every_step_has_its_words() -> None:
    for role in ("licensor", "licensee", ""):
        for state in ("none", "offered", "released", "accepted", "disputed", "replaced"):
            for key in (None, object()):
                items = [] if state == "none" else [type("One", (), {"state": state})()]
                found = type("Found", (), {"items": items, "recipient": key})()
                assert set(todo(role, found)) <= NEXT.keys()
