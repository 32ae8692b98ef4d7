"""The served site and a Chromium that looks at it, for tests of the pages."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
import uvicorn
from playwright.async_api import Browser, Page, Request, async_playwright

from exchange import jobs, keys, reactions
from exchange.app import create_app
from exchange.context import Context
from tests.contracts.log_factory import seal_all

SHOTS = Path(__file__).parent.parent / "output"
PROGRAMS = ("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


def find_chromium() -> str:
    """The path of Chromium; without one the test is skipped, but in CI it fails."""
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None and os.environ.get("CI"):
        pytest.fail("CI runs the browser tests; install chromium")
    if found is None:
        pytest.skip("Chromium is not on this machine")
    return str(found)


@asynccontextmanager
async def served(context: Context) -> AsyncIterator[str]:
    """The application on a free port of this machine; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(create_app(context), log_level="error", lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        server.force_exit = True  # open feeds are not waited for
        await serving


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A Chromium without a screen."""
    program = find_chromium()
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=program, args=list(QUIET))
        yield browser
        await browser.close()


class Visit:
    """One person's browser window, which remembers every host it asked and every complaint."""

    def __init__(self, page: Page, site: str) -> None:
        self.page = page
        self.site = site
        self.foreign: list[str] = []
        self.complaints: list[str] = []
        page.on("request", self._asked)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: (
                self.complaints.append(said.text) if "Content Security" in said.text else None
            ),
        )

    def _asked(self, request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(
            self.site
        ).netloc and not request.url.startswith(("data:", "blob:")):
            self.foreign.append(request.url)

    async def go(self, path: str) -> Page:
        await self.page.goto(self.site + path)
        return self.page

    async def sign_in(self, email: str, password: str) -> None:
        await self.go("/sign-in")
        await self.page.fill("#email", email)
        await self.page.fill("#password", password)
        await self.page.click("main form button")
        await self.page.wait_for_selector('form[action="/sign-out"]')

    async def shot(self, name: str) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=SHOTS / f"portal-{name}.png", full_page=True)


@asynccontextmanager
async def visit(
    browser: Browser, site: str, *, locale: str = "en-GB", **more: Any
) -> AsyncIterator[Visit]:
    """A fresh window (own cookies) in a language; it must never have asked a foreign host."""
    opened = await browser.new_context(locale=locale, **more)
    opened.set_default_timeout(30_000)  # the machine may be busy
    seen = Visit(await opened.new_page(), site)
    yield seen
    await opened.close()
    assert seen.foreign == []
    assert seen.complaints == []


async def turn(context: Context, *, about: UUID | None = None) -> None:
    """Do once what the worker does: seal all that waits, run the reactions about one object.

    Facts that other tests left behind are sealed with the rest, but wake nobody.
    """
    for fact in await seal_all(context.db, keys.log_signer(context.settings)):
        if fact.subject == about:
            for reaction in reactions.woken_by(fact.kind):
                await jobs.react(context, fact.id, reaction.name)
