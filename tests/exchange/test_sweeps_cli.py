"""`exchange sweeps` at a terminal: prepared by one, approved by another, until it landed."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from contracts import ids
from exchange import clock
from exchange.context import Context
from exchange.db import Database
from exchange.settings import Settings
from exchange.sweeps_cli import app
from tests.conftest import NOW
from tests.databases import own_database
from tests.exchange.portal_site import served
from tests.exchange.terminal_factory import approvers, run
from tests.settlement.bank_factory import Bank, closed, suspended
from tests.settlement.returns_factory import drain
from tests.settlement.sweeps_factory import a_bank, earned


@pytest.fixture(scope="module")
def own_url(server_url: str) -> Iterator[str]:
    """A database of this file's own: what is free is told of the provider's whole balance."""
    with own_database(server_url, "sweeps_cli") as url:
        yield url


@pytest.fixture
async def own(own_url: str, settings: Settings) -> AsyncIterator[Context]:
    db = Database(own_url)
    yield Context(settings, db)
    await db.close()


@dataclass(frozen=True)
class Terminal:
    """The commands as one person gives them."""

    site: str
    key: str

    async def say(self, *words: str) -> str:
        """What a command answers; a refusal too."""
        where = ("--exchange", self.site, "--api-key", self.key)
        _, said = await anyio.to_thread.run_sync(run, app, *words, *where)
        return said

    async def told(self, *words: str) -> dict[str, Any]:
        """What a command answers to a program."""
        return dict(json.loads(await self.say(*words)))

    async def stands(self, sweep: str) -> dict[str, Any]:
        """A sweep as the list shows it."""
        listed = (await self.told("list", "--json"))["sweeps"]
        return dict(next(one for one in listed if one["id"] == sweep))


@asynccontextmanager
async def terminals(context: Context) -> AsyncIterator[tuple[Terminal, Terminal]]:
    one, other = (await approvers(context)).values()
    async with served(context) as site:
        yield Terminal(site, one), Terminal(site, other)


def named(said: str) -> tuple[str, str]:
    """The id and the hash that another person is told to approve."""
    found = re.search(r"approve(?:-match)? (\S+) ([0-9a-f]{64})", said)
    assert found is not None, said
    return found[1], found[2]


async def sent(own: Context, first: Terminal, second: Terminal) -> tuple[str, int, Bank]:
    """A sweep that two people ordered at their terminals, and the provider made."""
    minor, gateway = await earned(own.db)
    bank = await a_bank(own.db)
    said = await first.say("prepare", str(bank.account.id), str(minor), "CNY")
    assert f"{minor // 100}.{minor % 100:02d} CNY" in said
    sweep = named(said)
    assert "is approved" in await second.say("approve", *sweep)
    await drain(own.db, gateway, clock.now())
    return sweep[0], minor, bank


async def test_two_people_sweep_what_is_free_and_no_more(own: Context) -> None:
    minor, _ = await earned(own.db)
    account = str((await a_bank(own.db)).account.id)
    async with terminals(own) as (first, second):
        funds = (await first.told("free", "--json"))["funds"]
        [found] = [one for one in funds if one["currency"] == "CNY"]
        assert found["free_minor"] >= minor
        assert "CNY" in await first.say("free")
        much = str(found["free_minor"] + 1)
        assert "sweep-too-large" in await first.say("prepare", account, much, "CNY")
        assert "wrong-currency" in await first.say("prepare", account, "1", "EUR")
        sweep = named(await first.say("prepare", account, str(minor), "CNY"))
        assert "same-person" in await first.say("approve", *sweep)
        other = (sweep[0], "0" * 64)
        assert "content-changed" in await second.say("approve", *other)
        assert "is refused" in await second.say("refuse", *sweep, "--reason", "not today")
        assert "already-decided" in await second.say("approve", *sweep)
        assert (await first.told("show", sweep[0]))["refused_reason"] == "not today"
        for state, is_there in (("refused", True), ("paid", False)):
            listed = (await first.told("list", "--json", "--state", state))["sweeps"]
            assert (sweep[0] in [one["id"] for one in listed]) == is_there
        assert "refused" in await first.say("list")


async def test_what_no_statement_names_is_matched_by_two_people(own: Context) -> None:
    async with terminals(own) as (first, second):
        sweep, minor, bank = await sent(own, first, second)
        assert (await first.stands(sweep))["state"] == "in_transit"
        bank.line(minor, text="TRANSFER")
        async with own.db.transaction() as session:
            assert (await closed(session, bank, since=0)).suspended == 1
            [item] = await suspended(session, bank.account)
        assert "unknown" in await first.say("match", str(ids.new(NOW)), sweep)
        match = named(await first.say("match", str(item.id), sweep))
        assert "is refused" in await second.say("refuse-match", *match, "--reason", "look again")
        match = named(await first.say("match", str(item.id), sweep))
        assert "release-same-person" in await first.say("approve-match", *match)
        assert "is approved" in await second.say("approve-match", *match)
        landed = await first.stands(sweep)
    assert landed["landed_at"] is not None
    assert landed["on_the_way_minor"] == 0
