import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from contracts import canonical, ids
from contracts.facts.rules import SealedFact
from exchange import clock, master_verbs, reactions
from exchange.context import Context
from listings.masters import queries, service
from listings.masters.store import MasterFiles
from tests.exchange.identity_factory import signed_client
from tests.exchange.uploads_factory import upload
from tests.listings.masters_media import FLOWER

SHORT = FLOWER.read_bytes()


@pytest.fixture
async def holder(context: Context) -> AsyncIterator[httpx.AsyncClient]:
    async with signed_client(context) as (client, _):
        yield client


def received(master_id: UUID, content: bytes) -> SealedFact:
    sha256 = hashlib.sha256(content).hexdigest()
    record = {"master": str(master_id), "bytes": len(content), "sha256": sha256}
    now = clock.now()
    return SealedFact(1, ids.new(now), "master.received", master_id, [], record, now)


async def examine(context: Context, master_id: UUID, content: bytes) -> None:
    async with context.db.transaction() as session:
        fact = received(master_id, content)
        await master_verbs.examine_master(context, session, fact, clock.now())


async def records(context: Context, master_id: UUID) -> dict[str, Any]:
    async with context.db.transaction() as session:
        found = await session.execute(
            text("SELECT kind, record FROM fact WHERE subject = :id"), {"id": master_id}
        )
        return {kind: canonical.loads(bytes(record)) for kind, record in found}


def test_a_received_master_wakes_its_examination() -> None:
    names = [reaction.name for reaction in reactions.woken_by("master.received")]
    assert names == ["examine-master"]


async def test_an_examined_master_is_ready_and_its_fact_binds_what_was_found(
    holder: httpx.AsyncClient, context: Context
) -> None:
    master_id = await upload(holder, SHORT)
    await examine(context, master_id, SHORT)
    shown = (await holder.get(f"/v1/masters/{master_id}")).json()
    assert (shown["state"], shown["stage"], shown["done_bp"]) == ("ready", "done", 10000)
    assert shown["probe"]["video"]["width"] == 960
    assert (await records(context, master_id))["master.examined"] == {
        "master": str(master_id),
        "sha256": hashlib.sha256(SHORT).hexdigest(),
        "probe_sha256": canonical.sha256_hex(canonical.dumps(shown["probe"])),
        "fingerprint_sha256": canonical.sha256_hex(canonical.dumps(shown["fingerprint"])),
    }
    async with context.db.transaction() as session:
        video = await queries.codes(session, master_id, "video")
        audio = await queries.codes(session, master_id, "audio")
    assert hashlib.sha256(video + audio).hexdigest() == shown["fingerprint"]["sha256"]


async def test_the_examination_can_be_watched_while_it_runs(
    holder: httpx.AsyncClient, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    master_id = await upload(holder, SHORT)
    watched: list[dict[str, Any]] = []
    show = service.show_progress

    async def slowly(*args: Any, **more: Any) -> None:
        await show(*args, **more)
        await asyncio.sleep(0.02)

    monkeypatch.setattr(service, "show_progress", slowly)
    running = asyncio.create_task(examine(context, master_id, SHORT))
    while not running.done():
        watched.append((await holder.get(f"/v1/masters/{master_id}")).json())
        await asyncio.sleep(0.005)
    await running
    stages = {seen["stage"] for seen in watched if seen["state"] == "examining"}
    assert {"hashing", "probing", "decoding"} <= stages


async def test_examining_again_changes_nothing(holder: httpx.AsyncClient, context: Context) -> None:
    master_id = await upload(holder, SHORT)
    await examine(context, master_id, SHORT)
    first = (await holder.get(f"/v1/masters/{master_id}")).json()
    await examine(context, master_id, SHORT)
    assert (await holder.get(f"/v1/masters/{master_id}")).json() == first


async def test_a_file_that_is_no_video_ends_as_a_refused_master(
    holder: httpx.AsyncClient, context: Context
) -> None:
    content = b"a text that calls itself a film" * 100
    master_id = await upload(holder, content, filename="film.mxf")
    await examine(context, master_id, content)
    shown = (await holder.get(f"/v1/masters/{master_id}")).json()
    assert (shown["state"], shown["refusal"]["code"]) == ("refused", "not-a-video")
    assert shown["refusal"]["hint"] and shown["probe"] is None and shown["fingerprint"] is None
    assert (await records(context, master_id))["master.refused"] == {
        "master": str(master_id),
        "code": "not-a-video",
    }


async def test_a_file_that_rotted_on_disk_is_refused(
    holder: httpx.AsyncClient, context: Context
) -> None:
    master_id = await upload(holder, SHORT)
    rot(MasterFiles(context.settings.objects).path(master_id))
    await examine(context, master_id, SHORT)
    shown = (await holder.get(f"/v1/masters/{master_id}")).json()
    assert shown["refusal"]["code"] == "master-damaged"


def rot(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
