"""What tests of doors share: the product at an address of its own, a browser, clients."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from playwright.async_api import Browser

from exchange.context import Context
from tests.exchange.identity_factory import Doors
from tests.exchange.portal_site import chromium, served


@pytest.fixture(scope="module")
async def site(context: Context) -> AsyncIterator[str]:
    async with served(context) as address:
        yield address


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


@pytest.fixture
async def doors(context: Context) -> AsyncIterator[Doors]:
    async with AsyncExitStack() as stack:
        yield Doors(context, stack)
