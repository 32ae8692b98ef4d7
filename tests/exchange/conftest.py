"""What tests of pages share: the product at an address of its own, and a browser."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from exchange.context import Context
from tests.exchange.portal_site import chromium, served


@pytest.fixture(scope="module")
async def site(context: Context) -> AsyncIterator[str]:
    async with served(context) as address:
        yield address


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened
