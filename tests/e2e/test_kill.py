"""`kill -9` of API, workers and PostgreSQL during the trade: it completes, nothing is lost.

Three workers run, so that every piece of background work is also raced for.
"""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from exchange.context import open_context
from exchange.demo import play
from exchange.demo.api import Api
from exchange.demo.cast import Cast
from exchange.demo.processes import Processes
from exchange.settings import Settings
from settlement.ledger import queries as ledger
from tests.e2e import harness

BIDS = 90


async def until(true: Callable[[], bool]) -> None:
    for _ in range(12_000):
        if true():
            return
        await asyncio.sleep(0.02)
    raise TimeoutError("the trade did not come this far")


async def sabotage(processes: Processes, cast: Cast, home: Path, killed: list[str]) -> None:
    """Kill each kind of process at a point of the trade."""

    async def when_bids(count: int) -> None:
        await until(lambda: cast.state.values.get("bids_answered", 0) >= count)

    def strike(name: str) -> None:
        killed.append(name)
        if name == "postgres":
            harness.kill_postgres(home)
        else:
            with suppress(ProcessLookupError):
                harness.kill(processes, name)

    await when_bids(20)
    strike("serve")
    await when_bids(45)
    strike("postgres")
    await when_bids(70)
    strike("work-1")
    strike("work-2")
    await until(lambda: cast.state.get("deal") is not None)
    for name in ("work-3", "serve", "postgres", "work-1", "standin"):
        await asyncio.sleep(1.2)
        strike(name)


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="exchange-kill-") as folder:
        yield Path(folder)


@pytest.mark.slow
async def test_a_trade_survives_kill_9_of_every_process(home: Path) -> None:
    own = harness.own_settings(home)
    cast = harness.own_cast(own)
    processes = Processes(own, workers=3)
    killed: list[str] = []
    await play.prepare(own, cast)
    await processes.start()
    saboteur = asyncio.create_task(sabotage(processes, cast, home, killed))
    try:
        summary = await play.play(
            own, cast, master=None, console=harness.quiet(), bids=BIDS, bidding_s=45
        )
        assert not saboteur.done() or saboteur.exception() is None
        await saboteur
        await asyncio.sleep(0.5)
        await the_books_and_the_bids_are_whole(own, cast, summary["bids_answered"])
    finally:
        saboteur.cancel()
        await cast.close()
        await processes.stop()
    assert {"serve", "postgres", "work-1", "work-2", "work-3", "standin"} <= set(killed)
    assert processes.restarts >= 6


async def the_books_and_the_bids_are_whole(own: Settings, cast: Cast, answered: int) -> None:
    context = open_context(own)
    auction = cast.state.id("auction/original")
    async with context.db.transaction() as session:
        rows = await session.execute(
            text("SELECT id, sequence FROM bid WHERE auction_id = :id ORDER BY sequence"),
            {"id": auction},
        )
        stored = rows.all()
        # Every acknowledged bid stands, once, in a gapless sequence.
        assert {cast.state.id(f"bid/{number}") for number in range(answered)} <= {
            row.id for row in stored
        }
        assert [row.sequence for row in stored] == list(range(1, len(stored) + 1))
        # One payment, one transfer to each owner, though the workers died around them.
        made = await session.execute(
            text("SELECT count(*), count(DISTINCT subject) FROM fact WHERE kind = 'transfer.made'")
        )
        assert made.one()[0] == 2
        paid = await session.execute(
            text("SELECT count(*) FROM fact WHERE kind = 'payment.received'")
        )
        assert paid.scalar_one() == 1
        assert await ledger.check(session) == []
        # The log is whole: as many leaves as facts, numbered without a gap.
        seen = await session.execute(
            text("SELECT (SELECT count(*) FROM fact), count(*), min(seq), max(seq) FROM log_entry")
        )
        facts, leaves, first, last = seen.one()
        assert (facts, leaves, first, last) == (facts, facts, 0, facts - 1)
    await context.db.close()
    transfers = await the_standins_transfers(own)
    assert len(transfers) == 2


async def the_standins_transfers(own: Settings) -> list[object]:
    """Ask the provider's own books, which are not ours."""
    async with Api(own.stripe_api_base, key="sk_test_standin") as provider:
        answer = await provider.call("GET", "/v1/transfers")
    return list(answer["data"])
