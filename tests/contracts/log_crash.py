"""Seals and publishes in processes that stop dead at a named step, for the tests of crashes.

Reads a line for each process: the step, and how often it is passed before the end. Answers with
the number of the signal that ended the process, or 0 when it did all its work.
"""

import sys
from pathlib import Path

from contracts.log import batches, gateway, publishing
from contracts.log import site as sites
from contracts.log.service import Sealer
from contracts.log.site import LogSite
from exchange.db import Database
from tests.conftest import NOW
from tests.contracts.crashing import Steps, serve, stop
from tests.contracts.log_factory import a_signer

LIMIT, AHEAD = 80, 800  # two batches are read at once, and the rest is read anew


class Counted(Steps):
    """Counts the steps that are passed and stops at the one that was named."""

    def __init__(self, name: str, times: int) -> None:
        self.name, self.left = name, times

    def passed(self, name: str) -> None:
        if name == self.name:
            self.left -= 1
            if self.left < 0:
                stop()


def prepare(steps: Steps) -> None:
    steps.around(gateway, "_write_mark", "mark")
    steps.around(batches, "resume", "resume")
    steps.around(batches, "append", "rows")
    steps.around(Database, "_commit", "commit")
    steps.around(sites, "_flush", "flush")
    steps.around(sites, "_place", "file")
    steps.around(LogSite, "publish", "checkpoint")
    steps.around(LogSite, "prune", "prune")


async def work(url: str, keys: Path, folder: Path) -> None:
    """Seal and publish in turns until nothing waits."""
    db, site = Database(url), LogSite(folder)
    sealer, sealed = Sealer(a_signer(keys), limit=LIMIT, ahead=AHEAD), True
    while sealed:
        async with db.transaction() as session:
            sealed = bool(await sealer.seal(session, now=NOW))
        async with db.transaction() as session:
            await publishing.publish(session, site)
    await db.close()


def main() -> None:
    url, keys, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])

    async def until(line: str) -> None:
        name, _, times = line.strip().rpartition(" ")
        prepare(Counted(name, int(times)))
        await work(url, keys, folder)

    serve(until)


if __name__ == "__main__":
    main()
