"""The same rights are not sold twice, however many try at once, by rule, lock or constraint alone.

Offers, holds and recorded licences on a series, its season, an episode and an edit of it, as fast
as twenty-four connections take them. Each safeguard is proved without the others, and that the
races are real is proved by taking all of them away.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from contracts.titles import admission, queries
from contracts.works import queries as works
from exchange.db import Database
from tests.contracts import campaign, double_sale
from tests.contracts.double_sale import CONNECTIONS, Outcome

pytestmark = pytest.mark.slow

RUNS = campaign.size(3, 50)

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


@pytest.fixture(scope="module")
async def crowd(database_url: str) -> AsyncIterator[Database]:
    """The database as it is, with a connection for each who tries at once."""
    database = Database(database_url, pool_size=CONNECTIONS)
    yield database
    await database.close()


@pytest.fixture
async def hasty_crowd(database_url: str) -> AsyncIterator[Database]:
    """The database as it is, but quick to see who waits in a circle.

    Without the lock each attempt waits for the others until PostgreSQL looks for circles, a second
    later; those that came meanwhile then wait in new ones.
    """
    engine = create_engine(database_url, isolation_level="AUTOCOMMIT")
    name = engine.url.database
    with engine.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} SET deadlock_timeout = '20ms'"))
    database = Database(database_url, pool_size=CONNECTIONS)
    yield database
    await database.close()
    with engine.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} RESET deadlock_timeout"))
    engine.dispose()


@pytest.fixture(scope="module")
def bare_url(server_url: str) -> Iterator[str]:
    with double_sale.database_without_the_constraint(server_url) as url:
        yield url


@pytest.fixture
async def bare_crowd(bare_url: str) -> AsyncIterator[Database]:
    """A database that does not keep grants apart itself."""
    database = Database(bare_url, pool_size=CONNECTIONS)
    yield database
    await database.close()


async def raced(db: Database, seed: str, **changes: Any) -> Outcome:
    tree, dice = await double_sale.planted(db), random.Random(seed)
    return await double_sale.race(db, tree, double_sale.attempts(tree, dice, **changes))


async def show_one_winner_each(db: Database, mode: str, capsys: Capture) -> None:
    """Race many times; print how many won in each run."""
    outcomes = [await raced(db, f"{mode} {campaign.ROUND} {number}") for number in range(RUNS)]
    won = Counter(len(outcome.winners) for outcome in outcomes)
    on = min(outcome.connections for outcome in outcomes)
    campaign.tell(
        capsys,
        f"{mode}: {RUNS} runs of {double_sale.ATTEMPTS} attempts on {on} connections or more, "
        f"successes in a run: {dict(won)}",
    )
    assert won == {1: RUNS}
    assert all(outcome.live == outcome.winners for outcome in outcomes)
    assert on >= 20


def switch_off_the_rule(monkeypatch: Patch) -> None:
    monkeypatch.setattr(admission, "_check_free", lambda *_: None)


def switch_off_the_lock(monkeypatch: Patch) -> None:
    monkeypatch.setattr(admission, "locked", works.get_work)


def hold_back_until_all_have_looked(monkeypatch: Patch) -> None:
    """Let the first ones decide only after each of them has read the register."""
    looked, all_looked, read = Counter[str](), asyncio.Barrier(CONNECTIONS), queries.taken

    async def taken(*given: Any) -> Any:
        found = await read(*given)
        looked["times"] += 1
        if looked["times"] <= CONNECTIONS:
            await all_looked.wait()
        return found

    monkeypatch.setattr(queries, "taken", taken)


async def test_exactly_one_of_many_who_try_at_once_succeeds(
    crowd: Database, capsys: Capture
) -> None:
    await show_one_winner_each(crowd, "as it is", capsys)


async def test_the_constraint_alone_lets_exactly_one_succeed(
    hasty_crowd: Database, capsys: Capture, monkeypatch: Patch
) -> None:
    switch_off_the_rule(monkeypatch)
    switch_off_the_lock(monkeypatch)
    await show_one_winner_each(hasty_crowd, "the constraint alone", capsys)


async def test_the_lock_and_the_rule_alone_let_exactly_one_succeed(
    bare_crowd: Database, capsys: Capture
) -> None:
    await show_one_winner_each(bare_crowd, "lock and rule, no constraint", capsys)


async def test_without_constraint_and_lock_the_rule_sells_twice(
    bare_crowd: Database, capsys: Capture, monkeypatch: Patch
) -> None:
    switch_off_the_lock(monkeypatch)
    hold_back_until_all_have_looked(monkeypatch)
    outcome = await raced(bare_crowd, "no safeguard but the rule")
    campaign.tell(capsys, f"neither constraint nor lock: {len(outcome.winners)} successes")
    assert len(outcome.winners) == len(outcome.live) == CONNECTIONS


async def test_without_constraint_and_rule_the_lock_sells_all(
    bare_crowd: Database, capsys: Capture, monkeypatch: Patch
) -> None:
    switch_off_the_rule(monkeypatch)
    outcome = await raced(bare_crowd, "no safeguard but the lock")
    campaign.tell(capsys, f"neither constraint nor rule: {len(outcome.winners)} successes")
    assert len(outcome.winners) == double_sale.ATTEMPTS


@pytest.mark.parametrize("seed", range(campaign.size(2, 10)))
async def test_exclusive_licences_stand_alone_and_others_only_among_themselves(
    crowd: Database, seed: int
) -> None:
    kinds = ["exclusive", *["non-exclusive"] * 20]
    tree, dice = await double_sale.planted(crowd), random.Random(seed)
    tried = double_sale.attempts(tree, dice, exclusivity=kinds)
    outcome = await double_sale.race(crowd, tree, tried)
    async with crowd.transaction() as session:
        live = [taken.box.exclusivity.value for taken in await queries.taken(session, tree.root)]
    assert len(live) == len(outcome.winners) >= 1
    assert len(live) == 1 or set(live) == {"non-exclusive"}


async def test_each_episode_is_sold_once_and_none_keeps_its_sisters_from_sale(
    crowd: Database,
) -> None:
    tree, dice = await double_sale.planted(crowd), random.Random("sisters")
    outcome = await double_sale.race(crowd, tree, double_sale.on_episodes(tree, dice))
    assert len(outcome.winners) == len(outcome.live) == len(tree.episodes)
