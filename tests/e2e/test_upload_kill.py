"""`kill -9` of the server three times in the middle of one large upload.

128 MiB in every run of the tests, 1 GiB in `make soak`. The sums are compared with those that the
test computes by itself; the server's peak of memory (VmHWM) is read before each kill.
"""

import asyncio
import contextlib
import hashlib
import random
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from exchange import clock, migrating
from exchange.context import Context, database_url
from exchange.db import Database
from exchange.demo.processes import Processes
from exchange.settings import Settings
from tests.contracts import campaign
from tests.contracts.parties_factory import party
from tests.e2e import harness
from tests.exchange import identity_factory, uploads_factory
from tests.exchange.identity_factory import api_key, person

MIB = 1024**2
MOST_MEMORY = 300 * 1000**2


def chunk(number: int) -> bytes:
    """The chunk of that number of the file that is sent."""
    return random.Random(number).randbytes(MIB)


def root_of(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1, from the hashes of the leaves."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + root_of(leaves[:half]) + root_of(leaves[half:])).digest()


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="exchange-upload-") as folder:
        yield Path(folder)


class Sender:
    """Sends the file, kills the server on the way, and reads its peak of memory."""

    def __init__(self, processes: Processes, count: int) -> None:
        self.processes, self.count = processes, count
        self.kills = [count * part // 4 for part in (1, 2, 3)]
        self.peaks: list[int] = []
        self.offsets: list[int] = []

    def look(self) -> None:
        server = psutil.Process(self.processes.running["serve"].pid)
        status = Path(f"/proc/{server.pid}/status").read_text()
        kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
        self.peaks.append(int(kib) * 1024)

    async def pieces(self, offset: int) -> AsyncIterator[bytes]:
        """The bytes from `offset` on; where a kill is due, the server dies between two pieces."""
        for number in range(offset // MIB, self.count):
            if self.kills and number >= self.kills[0]:
                self.kills.pop(0)
                self.look()
                harness.kill(self.processes, "serve")
            skip = offset % MIB if number == offset // MIB else 0
            yield chunk(number)[skip:]

    async def send(self, client: httpx.AsyncClient, where: str) -> None:
        """Upload to the end, asking for the offset after each death."""
        offset = 0
        while offset < self.count * MIB:
            with contextlib.suppress(httpx.TransportError):
                headers = {**uploads_factory.PART, "Upload-Offset": str(offset)}
                await client.patch(where, headers=headers, content=self.pieces(offset))
            offset = await self.asked(client, where)
            self.offsets.append(offset)

    async def asked(self, client: httpx.AsyncClient, where: str) -> int:
        for _ in range(600):
            with contextlib.suppress(httpx.TransportError):
                return await uploads_factory.offset(client, where)
            await asyncio.sleep(0.1)
        raise TimeoutError("the server did not come back")


async def key_of_a_holder(own: Settings) -> str:
    context = Context(own, Database(database_url(own)))
    async with context.db.transaction() as session:
        home = await party(session, kind="rights_holder", verified=True, now=clock.now())
        who = await person(session, party_id=home.id, role="holder", now=clock.now())
        key = await api_key(session, person=who, now=clock.now())
    await context.db.close()
    return key


@pytest.mark.slow
async def test_an_upload_survives_three_kills_of_the_server(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    count = campaign.size(128, 1024)
    own = harness.own_settings(home).model_copy(update={"stripe_api_base": "http://none.test"})
    migrating.migrate(database_url(own))
    processes = Processes(own, workers=0)
    sender = Sender(processes, count)
    await processes.start()
    try:
        headers = identity_factory.headers(await key_of_a_holder(own))
        async with httpx.AsyncClient(
            base_url=own.public_url, headers=headers, timeout=60, trust_env=False
        ) as client:
            where = await uploads_factory.started(client, count * MIB)
            begun = time.monotonic()
            await sender.send(client, where)
            took = time.monotonic() - begun
            sender.look()
            master = await uploads_factory.shown(client, where)
    finally:
        await processes.stop()
    whole, leaves = hashlib.sha256(), []
    for number in range(count):
        whole.update(chunk(number))
        leaves.append(hashlib.sha256(b"\x00" + chunk(number)).digest())
    peaks = ", ".join(f"{peak // 1000**2} MB" for peak in sender.peaks)
    campaign.tell(
        capsys,
        f"upload: {count} MiB, {processes.restarts} kills, gone on at "
        f"{[at // MIB for at in sender.offsets]} MiB, {took:.1f} s, peak memory {peaks}",
    )
    assert processes.restarts == 3
    assert all(0 < at < count * MIB for at in sender.offsets[:-1]) and len(sender.offsets) == 4
    assert master["state"] == "received"
    assert master["sha256"] == whole.hexdigest()
    assert master["chunk_root"] == root_of(leaves).hex()
    assert max(sender.peaks) < MOST_MEMORY
