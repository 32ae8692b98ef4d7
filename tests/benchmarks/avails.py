"""Is it free? A million grants, timed: `make bench B=avails`. The last line is one JSON object.

The register is generated (`register`), loaded into a PostgreSQL of its own (`loading`) and asked
in-process, one question after the other, each in a transaction of its own as a request has it.
Works are drawn by their number of grants: who has sold much is asked much. The same questions are
put as plain SQL over exploded cells (`cells`), and the answers compared. BENCH_GRANTS makes the
register smaller for a try.
"""

import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import psycopg

from contracts import ids
from contracts.rights import axes
from contracts.rights.algebra import Exclusivity, RightsBox
from contracts.rights.region import Region
from contracts.titles import availability
from contracts.titles import service as titles
from contracts.titles.register import Question
from contracts.titles.rules import RightsAlreadyGranted
from contracts.window import Window
from exchange import embedded
from exchange.db import Database
from tests.benchmarks import loading, register
from tests.benchmarks.cells import Cells
from tests.benchmarks.loading import NOW, Loader
from tests.benchmarks.register import Draw, Node, Pools
from tests.benchmarks.watch import Watch, percentile
from tests.conftest import migrate

GRANTS = int(os.environ.get("BENCH_GRANTS", "1000000"))
SIZES = [size for size in (10_000, 100_000, 1_000_000) if size <= GRANTS]
GRANTS_OF_A_WORK = 100 / 3  # 1,000,000 over 30,000
EXACT_LIMIT_MS, FREE_LIMIT_MS = 10.0, 50.0
EXACT_QUESTIONS, FREE_QUESTIONS, NEW_GRANTS = 3_000, 600, 120
SQL_WORKS, SQL_EXACT_QUESTIONS, SQL_FREE_QUESTIONS = 120, 3_000, 300
WARM_UP = 100
TEN_YEARS = [
    Window(datetime(year, 1, 1, tzinfo=UTC), datetime(year + 10, 1, 1, tzinfo=UTC))
    for year in (2027, 2028, 2029)
]


@dataclass
class Register:
    """What was loaded: the works with their number of grants, and of what kind the grants are."""

    nodes: list[Node] = field(default_factory=list)
    grants: Counter[UUID] = field(default_factory=Counter)
    trees: Counter[UUID] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    exclusivities: Counter[str] = field(default_factory=Counter)

    def drawn(self, random: Random, number: int) -> list[Node]:
        """Draw works, each as often as it has grants."""
        weights = list(accumulate(self.grants[node.id] for node in self.nodes))
        return random.choices(self.nodes, cum_weights=weights, k=number)

    def noted(self, draws: Iterable[Draw]) -> Iterator[Draw]:
        """Note grants on their way."""
        for draw in draws:
            self.grants[draw.node.id] += 1
            self.trees[draw.node.root] += 1
            self.states[draw.state] += 1
            if draw.state not in ("released", "ended"):
                self.exclusivities[draw.exclusivity] += 1
            yield draw


def main() -> None:
    """Load, ask, compare, print."""
    folder = Path(tempfile.mkdtemp(prefix="exchange-bench-"))
    try:
        url = embedded.start(folder)
        migrate(url)
        result = asyncio.run(measured(url))
    finally:
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write(json.dumps(result) + "\n")


async def measured(url: str) -> dict[str, Any]:
    """Return all that is printed."""
    random, begun = Random(register.SEED), time.monotonic()
    pools, loaded, database = Pools(random), Register(), Database(url, pool_size=1)
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        loader, grant_ms, grant_cpu_ms = Loader(connection, pools), {}, {}
        loader.parties()
        for before, size in zip([0, *SIZES], SIZES, strict=False):
            load(connection, loader, loaded, random, pools, number=size - before)
            grant_ms[size], grant_cpu_ms[size] = await granting(
                database, loader, loaded, random, pools
            )
        load_average = round(os.getloadavg()[0], 1)  # what else the machine had to do
        say(f"asking; the load average is {load_average}")
        exact = await asked_exactly(database, loaded, random, pools)
        free = await asked_what_is_free(database, loaded, random)
        sql = await compared(connection, database, loaded, random, pools)
    await database.close()
    return {
        "bench": "avails",
        "grants": GRANTS,
        "works": len(loaded.nodes),
        "most_grants_of_a_tree": max(loaded.trees.values()),
        "states": dict(loaded.states),
        "live": dict(loaded.exclusivities),
        **exact,
        **free,
        **sql,
        "grant_ms_at": grant_ms,
        "grant_cpu_ms_at": grant_cpu_ms,
        "load_average": load_average,
        "exact_limit_ms": EXACT_LIMIT_MS,
        "free_limit_ms": FREE_LIMIT_MS,
        "seconds": round(time.monotonic() - begun),
    }


def load(
    connection: psycopg.Connection,
    loader: Loader,
    loaded: Register,
    random: Random,
    pools: Pools,
    *,
    number: int,
) -> None:
    """Load trees of their own with `number` grants, in no order, as years of trade leave them."""
    begun = time.monotonic()
    works = round(number / GRANTS_OF_A_WORK)
    trees = list(register.nodes(random, works, owners=loading.OWNERS))
    numbers = register.counts(random, len(trees), number)
    drawn = [
        draw
        for tree, count in zip(trees, numbers, strict=True)
        for draw in register.draws(random, pools, tree, count)
    ]
    random.shuffle(drawn)
    with connection.transaction():
        loader.works(trees)
        loader.grants(loaded.noted(drawn))
    connection.execute("VACUUM ANALYZE")
    loaded.nodes += [node for tree in trees for node in tree]
    say(f"{number} grants in {time.monotonic() - begun:.0f} s")


async def granting(
    database: Database, loader: Loader, loaded: Register, random: Random, pools: Pools
) -> tuple[float, float | None]:
    """Return the median times of one grant, from the first statement to the answer of COMMIT."""
    watch = await Watch.of(database)
    tries = iter(loaded.drawn(random, NEW_GRANTS * 50))
    while len(watch.wall) < NEW_GRANTS:
        node = next(tries)
        parts, exclusivity = register.question(random, pools)
        wire = {**pools.wire(*parts), "exclusivity": exclusivity, "runs_max": None}
        with suppress(RightsAlreadyGranted), watch.one():
            async with database.transaction() as session:
                await titles.reserve(
                    session,
                    node.id,
                    grantor_id=loader.owners[node.owner],
                    boxes=[wire],
                    source=str(ids.new(NOW)),
                    now=NOW,
                )
    say("one grant: {} ms, {} ms of work".format(*watch.medians()))
    return watch.medians()


async def asked_exactly(
    database: Database, loaded: Register, random: Random, pools: Pools
) -> dict[str, Any]:
    """Ask "is exactly this free" of works with many grants and few."""
    questions = [
        exactly(node, box_of(random, pools)) for node in loaded.drawn(random, EXACT_QUESTIONS)
    ]
    watch, verdicts = await checked(database, questions)
    return {
        "exact_questions": len(watch.wall),
        "exact_verdicts": dict(Counter(verdicts)),
        **watch.told("exact"),
    }


async def asked_what_is_free(
    database: Database, loaded: Register, random: Random
) -> dict[str, Any]:
    """Ask "what is free for this work, world, ten years"."""
    asked = [
        (node, random.choice(TEN_YEARS), random.choice(list(Exclusivity)))
        for node in loaded.drawn(random, FREE_QUESTIONS)
    ]
    watch, _ = await freed(database, asked)
    return {"free_questions": len(watch.wall), **watch.told("free")}


Free = tuple[Node, Window, Exclusivity]


async def checked(database: Database, questions: Sequence[Question]) -> tuple[Watch, list[str]]:
    """Ask whether boxes are free; the first questions are not timed, but answered."""
    watch, answers = await Watch.of(database), []
    for question in questions:
        with watch.one():
            async with database.transaction() as session:
                answer = await availability.check(session, question, now=NOW)
        answers.append(answer.outcome.value)
    return watch.warmed(WARM_UP), answers


async def freed(database: Database, questions: Sequence[Free]) -> tuple[Watch, list[Region]]:
    """Ask what is free of works, world, in windows."""
    watch, answers = await Watch.of(database), []
    for node, window, exclusivity in questions:
        with watch.one():
            async with database.transaction() as session:
                answer = await availability.free(
                    session, node.id, grantor=None, window=window, exclusivity=exclusivity, now=NOW
                )
        answers.append(answer.free)
    return watch, answers


async def compared(
    connection: psycopg.Connection,
    database: Database,
    loaded: Register,
    random: Random,
    pools: Pools,
) -> dict[str, Any]:
    """Ask the engine and SQL the same questions of the same works, and count what differs."""
    films = [node for node in loaded.drawn(random, SQL_WORKS * 2) if node.kind == "film"]
    asked = list({node.id: node for node in films}.values())[:SQL_WORKS]
    side = Cells(connection, pools, random)
    made = side.explode([node.root for node in asked], now=NOW)
    say(f"{made} cells")
    weights = list(accumulate(loaded.grants[node.id] for node in asked))
    drawn = random.choices(asked, cum_weights=weights, k=SQL_EXACT_QUESTIONS + SQL_FREE_QUESTIONS)
    exact = await exact_compared(side, database, drawn[:SQL_EXACT_QUESTIONS], random, pools)
    free = await free_compared(side, database, drawn[SQL_EXACT_QUESTIONS:], random)
    return {"sql_works": len(asked), "sql_cells": made, **exact, **free}


async def exact_compared(
    side: Cells, database: Database, asked: Sequence[Node], random: Random, pools: Pools
) -> dict[str, Any]:
    """Compare yes and no."""
    boxes = [box_of(random, pools) for _ in asked]
    pairs = list(zip(asked, boxes, strict=True))
    watch, verdicts = await checked(database, [exactly(node, box) for node, box in pairs])
    sql, answers = Watch(side.backend), []
    for node, box in pairs:
        with sql.one():
            answers.append(side.is_free(node.root, box))
    differ = sum(
        (verdict == "free") != answer for verdict, answer in zip(verdicts, answers, strict=True)
    )
    return {
        **sql.warmed(WARM_UP).told("sql_exact"),
        "sql_exact_ratio": ratio(sql, watch),
        "exact_compared": len(answers),
        "exact_disagreements": differ,
    }


async def free_compared(
    side: Cells, database: Database, asked: Sequence[Node], random: Random
) -> dict[str, Any]:
    """Compare regions, by their fingerprints."""
    questions = [
        (node, random.choice(TEN_YEARS), random.choice(list(Exclusivity))) for node in asked
    ]
    watch, regions = await freed(database, questions)
    sql, differ = Watch(side.backend), 0
    for (node, window, exclusivity), free in zip(questions, regions, strict=True):
        with sql.one():
            rows = side.what_is_free(node.root, window, exclusivity)
        differ += side.free_print(rows, window) != side.region_print(free)
    return {
        **sql.told("sql_free"),
        "sql_free_ratio": ratio(sql, watch),
        "free_compared": len(regions),
        "free_disagreements": differ,
    }


def box_of(random: Random, pools: Pools) -> RightsBox:
    """Draw what somebody asks for."""
    parts, exclusivity = register.question(random, pools)
    return pools.box(*parts, exclusivity=exclusivity)


def exactly(node: Node, box: RightsBox) -> Question:
    """Return the question whether a box of a work is free, asked of its owners."""
    return Question(
        root_id=node.root,
        units=node.units,
        uses=axes.uses(box.right, box.media),
        territories=box.territories,
        languages=box.languages,
        window=box.window,
        exclusivity=box.exclusivity,
    )


def ratio(sql: Watch, engine: Watch) -> float:
    """Return how many times as long SQL took for the same questions, at the 99th percentile."""
    return round(percentile(sql.wall, 99) / percentile(engine.wall, 99), 2)


def say(text: str) -> None:
    """Tell how far it is."""
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    main()
