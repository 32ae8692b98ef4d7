"""How often money goes out twice: the executor, and poorer ones, under the same seeded schedules.

`python -m tests.settlement.outbound_campaign 10000` plays them against the stand-in of Stripe: the
executor's verbs on PostgreSQL, the real gateway over HTTP, another process with a clock of its own
and books in which the verdict is read. The poorer ones, which only show that the harness bites, get
a tenth of the schedules. `--provider memory` plays two workers against a provider in memory, all
variants alike.

A schedule is some hundred steps of two workers of the product's own `send_one`, with crashes
anywhere, lost, late, doubled and refused answers, stored errors, keys that are forgotten after a
day, pauses of thirty hours and a provider that is away for longer; at last the weather clears.
"""

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import get_context
from pathlib import Path
from unittest import mock

from exchange import embedded
from settlement.outbound import rules
from tests.settlement import outbound_standin
from tests.settlement import test_outbound_schedules as schedules
from tests.settlement.standin import running_standin

BLOCK = 100  # schedules of one stand-in: its lists stay short


@contextmanager
def as_built() -> Iterator[None]:
    """The executor as it is."""
    yield


@contextmanager
def no_look_up() -> Iterator[None]:
    """One key, repeated without looking; a new one when it is old."""
    with mock.patch.object(rules, "LOOKED_UP", frozenset()):
        yield


@contextmanager
def naive() -> Iterator[None]:
    """A key of its own for every call, nothing looked up: what a first version does."""
    rng = random.Random(1)
    with (
        mock.patch.object(rules, "LOOKED_UP", frozenset()),
        mock.patch.object(rules, "key", lambda _id, _attempt: f"key-{rng.random()}"),
    ):
        yield


NAIVE, STABLE, EXECUTOR = (
    "naive: a new key for each call",
    "stable key, never looked up",
    "the executor",
)
VARIANTS: Mapping[str, Callable[[], AbstractContextManager[None]]] = {
    NAIVE: naive,
    STABLE: no_look_up,
    EXECUTOR: as_built,
}


def played(variant: str, seeds: range) -> Counter[str]:
    """Play the schedules of these seeds in memory; count by how many objects were made."""
    found: Counter[str] = Counter()
    with VARIANTS[variant]():  # a name, not its type, chooses
        for seed in seeds:
            world, killed = schedules.play(seed)
            made = len(world.stripe.made)
            found["lost" if made == 0 else "once" if made == 1 else "twice or more"] += 1
            found["finished"] += world.intent.state == rules.DONE
            found["workers killed"] += killed
    return found


def played_over_http(variant: str, seeds: range, server_url: str) -> Counter[str]:
    """Play the schedules of these seeds against a stand-in of their own."""
    database_url = outbound_standin.make_table(server_url, f"outbound_{os.getpid()}")
    with (
        tempfile.TemporaryDirectory(prefix="exchange-outbound-") as folder,
        running_standin(Path(folder), extra=("--state", ":memory:")) as base,
        VARIANTS[variant](),
    ):
        return asyncio.run(outbound_standin.block(database_url, base, seeds))


def main() -> None:
    """Print the table of a campaign; exit status 1 if the executor paid twice or not at all."""
    asked = argparse.ArgumentParser(prog="python -m tests.settlement.outbound_campaign")
    asked.add_argument("count", type=int, nargs="?", default=10_000)
    asked.add_argument("first", type=int, nargs="?", default=0, help="the first seed")
    asked.add_argument("--provider", choices=("standin", "memory"), default="standin")
    asked.add_argument("--workers", type=int, default=(os.cpu_count() or 1) + 1)
    given = asked.parse_args()
    seeds = range(given.first, given.first + given.count)
    sys.stdout.write(f"provider {given.provider}, seeds {seeds[0]} to {seeds[-1]}\n")
    if given.provider == "memory":
        found = {variant: played(variant, seeds) for variant in VARIANTS}
    else:
        found = _campaign(seeds, workers=given.workers)
    for variant, counts in found.items():
        _print(variant, counts)
    executor = found[EXECUTOR]
    for bad in sorted(name for name in executor if name.startswith(outbound_standin.SEED)):
        sys.stdout.write(f"{bad}\n")
    sys.exit(0 if executor["once"] == executor["finished"] == len(seeds) else 1)


def _campaign(seeds: range, *, workers: int) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory(prefix="exchange-pg-") as folder:
        url = embedded.start(Path(folder))
        try:
            with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
                for variant in VARIANTS:
                    part = seeds if variant == EXECUTOR else seeds[: max(1, len(seeds) // 10)]
                    blocks = [part[at : at + BLOCK] for at in range(0, len(part), BLOCK)]
                    begun, found[variant] = time.monotonic(), Counter[str]()
                    some = [pool.submit(played_over_http, variant, one, url) for one in blocks]
                    for done in some:
                        found[variant] += done.result()
                    took = time.monotonic() - begun
                    sys.stdout.write(f"{variant}: {len(part)} schedules in {took:.0f} s\n")
                    sys.stdout.flush()
        finally:
            embedded.stop(Path(folder))
    return found


def _print(variant: str, found: Counter[str]) -> None:
    count = found["once"] + found["twice or more"] + found["lost"]
    sys.stdout.write(
        f"{variant:32} schedules {count:6} once {found['once']:6} "
        f"twice or more {found['twice or more']:6} lost {found['lost']:4} "
        f"finished {found['finished']:6} workers killed {found['workers killed']}\n"
    )


if __name__ == "__main__":
    main()
