"""`kill -9` of a worker in the middle of a piece: the piece is done again, and nothing differs."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from exchange import migrating
from exchange.context import Context, database_url
from exchange.db import Database
from exchange.demo.processes import Processes
from listings.examinations import queries
from listings.examinations.tables import ExaminationPiece
from listings.masters import gateway
from tests.e2e import harness
from tests.e2e.test_upload_kill import key_of_a_holder
from tests.exchange import identity_factory, uploads_factory
from tests.listings import examinations_factory
from tests.listings.masters_media import FRIDAY, ffmpeg
from tests.listings.test_masters_examination import digest

WAITS = 3000


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="exchange-pieces-") as folder:
        yield Path(folder)


def film(folder: Path) -> Path:
    """Twelve seconds of 1080p: a piece takes long enough to be caught in its middle."""
    path = folder / "film.mp4"
    ffmpeg(
        "-stream_loop", "2", "-i", str(FRIDAY), "-t", "12", "-vf", "scale=1920:1080,fps=50",
        "-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-c:a", "aac", str(path),
    )  # fmt: skip
    return path


async def running(context: Context, master_id: UUID) -> ExaminationPiece:
    """Wait until a worker is in the middle of a piece."""
    for _ in range(WAITS):
        async with context.db.transaction() as session:
            for piece in await queries.pieces(session, master_id):
                if piece.state == "running":
                    return piece
        await asyncio.sleep(0.02)
    raise TimeoutError("no piece was taken")


def kill_its_worker(processes: Processes, piece: ExaminationPiece) -> None:
    pid = str(piece.worker).rpartition(":")[2]
    (name,) = [name for name, one in processes.running.items() if str(one.pid) == pid]
    harness.kill(processes, name)


async def ended(client: httpx.AsyncClient, where: str) -> dict[str, Any]:
    for _ in range(WAITS):
        master: dict[str, Any] = await uploads_factory.shown(client, where)
        if master["state"] in ("ready", "refused"):
            return master
        await asyncio.sleep(0.1)
    raise TimeoutError("the examination did not end")


@pytest.mark.slow
async def test_a_killed_workers_piece_is_done_again_with_the_same_result(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXCHANGE_PIECE_S", "3")
    own = harness.own_settings(home).model_copy(update={"stripe_api_base": "http://none.test"})
    migrating.migrate(database_url(own))
    context = Context(own, Database(database_url(own)))
    path = film(home)
    processes = Processes(own, workers=2)
    await processes.start()
    try:
        headers = identity_factory.headers(await key_of_a_holder(own))
        async with httpx.AsyncClient(
            base_url=own.public_url, headers=headers, timeout=60, trust_env=False
        ) as client:
            content = path.read_bytes()
            where = await uploads_factory.started(client, len(content))
            await uploads_factory.patch(client, where, 0, content)
            master_id = UUID((await uploads_factory.shown(client, where))["id"])
            caught = await running(context, master_id)
            kill_its_worker(processes, caught)
            master = await ended(client, where)
        async with context.db.transaction() as session:
            pieces = await queries.pieces(session, master_id)
    finally:
        await processes.stop()
        await context.db.close()
    assert processes.restarts == 1
    again = next(piece for piece in pieces if piece.number == caught.number)
    assert again.attempts == 2 and len(pieces) >= 4
    whole = await examinations_factory.examine(
        path, sha256=digest(path), sandbox=await gateway.sandbox("auto"),
        scratch=home / "scratch", report=examinations_factory.reporting.silent,
    )  # fmt: skip
    assert master["state"] == "ready"
    assert master["fingerprint"] == whole.fingerprint
