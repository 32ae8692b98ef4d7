"""The provider's balance beside the ledger: its page, its endpoints, its command."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import stripe
from typer.testing import CliRunner

from contracts import ids
from exchange import clock
from exchange.cli import app
from exchange.context import Context
from exchange.db import Database
from exchange.settings import Settings
from settlement.clearing import queries
from settlement.clearing import service as clearing
from settlement.clearing.rules import Entry
from tests.databases import own_database
from tests.exchange.stripe_standin_factory import paid
from tests.exchange.test_portal_pages import browser, signed_in
from tests.settlement import standin


@pytest.fixture(scope="module")
def own_url(server_url: str) -> Iterator[str]:
    """A database of this file's own: the provider's balance is compared with the whole of it."""
    with own_database(server_url, "provider") as url:
        yield url


@pytest.fixture
async def own(own_url: str, settings: Settings) -> AsyncIterator[Context]:
    db = Database(own_url)
    yield Context(settings, db)
    await db.close()


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("Card provider", "What differs", "At the provider")),
        ("zh-CN", ("支付渠道", "差异明细", "渠道余额")),
    ],
    ids=["en", "zh"],
)
async def test_staff_see_how_ledger_and_provider_stand_and_what_differs(
    own: Context, language: str, words: tuple[str, ...]
) -> None:
    now = clock.now()
    mark = ids.new(now).hex
    async with own.db.transaction() as session:
        moved = Entry(f"txn_{mark}", "charge", f"pi_{mark}", "SGD", 12_345, 345, now, now)
        await clearing.take_over(session, [moved], now=now)
        await clearing.take_over(session, [moved], now=now)  # and once more
        held = await queries.listed_by_currency(session)
        shown = {code: minor for code, (minor, _) in held.items()}
        await clearing.cut_off(session, shown, now=now)
    async with signed_in(own, "auditor") as client:
        client.headers["Accept-Language"] = language
        page = (await client.get("/console/provider")).text
        link = (await client.get("/console/bank")).text
        told = (await client.get("/v1/provider/differences", params={"limit": 200})).json()
        last = (await client.get("/v1/provider/cutoffs")).json()["items"]
    assert all(word in page for word in words)
    assert f"pi_{mark}" in page
    assert "/console/provider" in link
    (mine,) = [one for one in told["items"] if one["reference"] == f"pi_{mark}"]
    assert (mine["ledger_minor"], mine["provider_minor"]) == (0, 12_000)
    assert (mine["difference_minor"], mine["age_days"], mine["overdue"]) == (-12_000, 0, False)
    (sgd,) = [one for one in last if one["currency"] == "SGD"]
    assert sgd["ledger_minor"] - sgd["provider_minor"] == sgd["difference_minor"] < 0


async def test_nobody_but_staff_sees_it(own: Context) -> None:
    async with signed_in(own, "broadcaster") as client:
        assert (await client.get("/console/provider")).status_code in (403, 404)
        assert (await client.get("/v1/provider/cutoffs")).status_code == 403
    async with browser(own) as client:
        assert (await client.get("/v1/provider/differences")).status_code == 401


def test_the_command_compares_names_what_differs_and_says_so(
    server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with own_database(server_url, "compared") as url, standin.running_standin(tmp_path) as base:
        monkeypatch.setenv("EXCHANGE_DATABASE_URL", url.replace("postgresql+psycopg", "postgresql"))
        monkeypatch.setenv("EXCHANGE_STRIPE_API_BASE", base)
        monkeypatch.setenv("EXCHANGE_HOME", str(tmp_path))
        runner = CliRunner()
        done = runner.invoke(app, ["stripe", "reconcile"])
        assert (done.exit_code, "pi_" in done.stdout) == (0, False), done.output
        charged: stripe.PaymentIntent = asyncio.run(paid(standin.client(base)))
        told = [runner.invoke(app, ["stripe", "reconcile", "--json"]) for _ in range(2)]
        said = runner.invoke(app, ["stripe", "reconcile"])
    assert [one.exit_code for one in told] == [3, 3]
    first, again = (json.loads(one.stdout) for one in told)
    assert [one["reference"] for one in first["differences"]] == [charged.id]
    assert first["differences"] == again["differences"]
    assert charged.id in said.stdout
