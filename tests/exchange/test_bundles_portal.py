"""Composing packages on the pages, and reading who got which part and why."""

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from exchange import clock
from exchange.context import Context
from listings.auctions import ending
from listings.auctions import service as auctioning
from listings.bundles import service
from listings.bundles.gateway import ChildSolver
from tests.contracts.parties_factory import party
from tests.contracts.works_factory import work
from tests.exchange.test_portal_pages import browser, signed_in, token_in
from tests.listings.bundles_factory import CHINA, HONG_KONG, JAPAN, open_packages

ENGLISH = {"Accept-Language": "en"}


@dataclass(frozen=True)
class Sale:
    auction: UUID

    @property
    def page(self) -> str:
        return f"/auctions/{self.auction}/packages"


@pytest.fixture
async def sale(context: Context) -> Sale:
    now = clock.now()
    async with context.db.transaction() as session:
        seller = await party(session, kind="rights_holder", now=now)
        theirs = await work(session, party_id=seller.id, now=now)
        shared = {"copies": 2, "reserve_minor": 50}
        auction = await open_packages(
            session, seller_id=seller.id, work_id=theirs.id, now=now, non_exclusive=shared
        )
    return Sale(auction.id)


@asynccontextmanager
async def bidder(context: Context) -> AsyncIterator[httpx.AsyncClient]:
    async with signed_in(context, "broadcaster") as client:
        client.headers.update(ENGLISH)
        yield client


def fields(page: str, name: str) -> list[str]:
    return [html.unescape(one) for one in re.findall(rf'name="{name}" value="([^"]*)"', page)]


async def do(client: httpx.AsyncClient, sale: Sale, page: str, **more: Any) -> httpx.Response:
    kept = {
        "csrf_token": token_in(page),
        "bid_id": fields(page, "bid_id"),
        "package": fields(page, "package"),
    }
    return await client.post(sale.page, data=kept | more)


async def bid(client: httpx.AsyncClient, sale: Sale, *packages: tuple[list[str], str]) -> None:
    page = (await client.get(sale.page)).text
    for cells, amount in packages:
        answer = await do(client, sale, page, cell=cells, amount=amount, do="add")
        assert answer.status_code == 200, answer.text
        page = answer.text
    assert (await do(client, sale, page, do="place")).status_code == 303


async def solved(context: Context, sale: Sale) -> None:
    async def unheard(_stage: str, _at: int) -> None:
        """Hear nothing."""

    async with context.db.transaction() as session:
        later = clock.now() + timedelta(minutes=11)
        auction = await auctioning.locked(session, sale.auction)
        await ending.close(session, auction, now=later)
        asked = await service.ask(session, sale.auction)
        assert asked is not None
        found = await ChildSolver().solve(asked, told=unheard)
        await service.settle(session, sale.auction, found, now=later)


async def test_a_list_is_composed_package_by_package_and_placed_as_one_bid(
    context: Context, sale: Sale
) -> None:
    async with bidder(context) as client:
        page = (await client.get(sale.page)).text
        assert "Mainland China" in page and "non-exclusive" in page
        row = "c001 c002"  # the tick at a territory: all its windows
        assert row in fields(page, "cell")
        page = (await do(client, sale, page, cell=[row], amount="200", do="add")).text
        page = (await do(client, sale, page, cell=JAPAN, amount="50.50", do="add")).text
        assert fields(page, "package") == ["20000 c001 c002", "5050 c005 c006"]
        page = (await do(client, sale, page, do="remove-0")).text
        assert fields(page, "package") == ["5050 c005 c006"]
        assert (await do(client, sale, page, do="place")).status_code == 303
        page = (await client.get(sale.page)).text
        assert fields(page, "package") == ["5050 c005 c006"]


async def test_what_breaks_a_rule_is_told_and_not_put_on_the_list(
    context: Context, sale: Sale
) -> None:
    async with bidder(context) as client:
        page = (await client.get(sale.page)).text
        low = await do(client, sale, page, cell=CHINA, amount="1", do="add")
        assert (low.status_code, "below its reserve" in low.text) == (409, True)
        both = await do(client, sale, page, cell=["c001", "c001n"], amount="99", do="add")
        assert both.status_code == 409
        none = await do(client, sale, page, amount="99", do="add")
        assert none.status_code == 422
        odd = await do(client, sale, page, package=["x", "12 c099"], do="remove-9")
        assert odd.status_code == 200


async def test_the_page_is_for_broadcasters(context: Context, sale: Sale) -> None:
    async with browser(context) as nobody:
        assert (await nobody.get(sale.page)).status_code == 303
    async with signed_in(context, "holder") as holder:
        assert (await holder.get(sale.page)).status_code == 403


async def test_the_result_says_who_got_what_for_how_much_and_why(
    context: Context, sale: Sale
) -> None:
    async with bidder(context) as one, bidder(context) as two, bidder(context) as all_:
        await bid(one, sale, (CHINA, "100"))
        await bid(two, sale, (HONG_KONG, "100"), ([*HONG_KONG, *JAPAN], "103"))
        await bid(all_, sale, ([*CHINA, *HONG_KONG], "100"))
        waiting = (await one.get(f"/auctions/{sale.auction}/solution")).text
        assert "Not solved yet" in waiting
        await solved(context, sale)
    async with browser(context) as client:
        page = (await client.get(f"/auctions/{sale.auction}/solution", headers=ENGLISH)).text
        assert page.count("CN¥51.00") == 2
        assert "because otherwise this could have been sold" in page
        assert "4 cells to paddle" in page
        assert "Hong Kong, China, Japan" in page
        chinese = await client.get(f"/auctions/{sale.auction}/solution?lang=zh-CN")
        assert "成交价说明" in chinese.text and "中国大陆" in chinese.text
        answer = (await client.get(f"/v1/auctions/{sale.auction}/solution")).json()
        assert answer["state"] == "solved"
        assert [one["paid"] for one in answer["certificate"]["winners"]] == ["5100", "5100"]


async def test_nobody_learns_amounts_or_bidders_before_the_close(
    context: Context, sale: Sale
) -> None:
    async with bidder(context) as one, browser(context) as client:
        before = (await client.get(f"/v1/auctions/{sale.auction}/solution")).content
        await bid(one, sale, (CHINA, "100"))
        after = (await client.get(f"/v1/auctions/{sale.auction}/solution")).content
        assert before == after


async def test_an_auction_of_another_kind_has_no_cells(context: Context) -> None:
    async with browser(context) as client:
        answer = await client.get(f"/v1/auctions/{UUID(int=9)}/cells")
        assert answer.status_code == 404
