"""The live page of an auction in a real Chromium: it follows, and comes back after a break."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import uvicorn
from playwright.async_api import Browser, expect

from contracts.parties.tables import Party
from exchange import clock
from exchange.app import create_app
from exchange.context import Context
from exchange.db import Database
from exchange.server import Server
from exchange.streams import Protocol
from listings.auctions import queries
from listings.catalogue.tables import Listing
from tests.contracts.parties_factory import party
from tests.exchange.portal_site import turn, visit
from tests.listings import auctions_factory
from tests.listings.catalogue_factory import published_listing

pytestmark = pytest.mark.browser
HOUR_AHEAD = "const real = Date.now; Date.now = () => real() + 3600000;"


@asynccontextmanager
async def served(context: Context, port: int) -> AsyncIterator[None]:
    """The application as `exchange serve` runs it, on this port."""
    listening = socket.create_server(("127.0.0.1", port))
    app = create_app(context)
    config = uvicorn.Config(app, http=Protocol, log_level="error", lifespan="off")
    server = Server(config, app.state.feed)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    yield
    server.should_exit = True
    await asyncio.wait_for(task, 20)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


async def offered(db: Database) -> tuple[Listing, Party]:
    now = clock.now()
    async with db.transaction() as session:
        seller = await party(session, kind="rights_holder", now=now)
        bidder = await party(session, kind="broadcaster", now=now)
        listing = await published_listing(session, seller=seller, now=now - timedelta(seconds=1))
    return listing, bidder


async def bid(context: Context, listing: Listing, bidder: Party, amount_minor: int) -> None:
    async with context.db.transaction() as session:
        auction = await queries.get_auction(session, listing.auction_id)
        await auctions_factory.bid(session, auction, bidder.id, amount_minor, now=clock.now())
    await turn(context)  # the worker's part: the feed follows what is sealed


async def test_the_page_follows_and_comes_back_after_the_server_was_away(
    context: Context, db: Database, browser: Browser
) -> None:
    listing, bidder = await offered(db)
    await turn(context)
    port = free_port()
    site = f"http://127.0.0.1:{port}"
    async with visit(browser, site) as seen:
        page = seen.page
        async with served(context, port):
            await seen.go(f"/auctions/{listing.auction_id}")
            await expect(page.locator("#bids")).to_have_text("0")
            await bid(context, listing, bidder, 100_000)
            await expect(page.locator("#leading")).to_have_text("CN¥1,000.00")
            await expect(page.locator("#cut")).to_be_hidden()
        await expect(page.locator("#cut")).to_be_visible()
        await seen.shot("auction-cut")
        await bid(context, listing, bidder, 123_400)  # while nobody serves the page
        async with served(context, port):
            await expect(page.locator("#leading")).to_have_text("CN¥1,234.00")
            await expect(page.locator("#cut")).to_be_hidden()
            await bid(context, listing, bidder, 150_000)
            await expect(page.locator("#leading")).to_have_text("CN¥1,500.00")
            await seen.shot("auction-back")


async def test_the_countdown_runs_by_the_servers_clock(
    context: Context, db: Database, browser: Browser
) -> None:
    listing, _ = await offered(db)
    await turn(context)
    port = free_port()
    async with served(context, port), visit(browser, f"http://127.0.0.1:{port}") as seen:
        await seen.page.add_init_script(HOUR_AHEAD)
        await seen.go(f"/auctions/{listing.auction_id}")
        until = seen.page.locator("time[data-until]").first
        await expect(until).to_have_text(re.compile("^00:0[89]:"))  # ten minutes, not minus fifty
