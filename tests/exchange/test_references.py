"""Masters by reference: fetched from an allowed store, hashed on the way, examined like uploads."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from contracts import canonical, ids
from contracts.facts.rules import SealedFact
from exchange import clock, fetching_verbs, master_verbs
from exchange.context import Context
from exchange.settings import Settings
from listings.masters import chunks, objects
from listings.masters.objects import ObjectsAway
from tests.exchange import s3_standin
from tests.exchange.identity_factory import signed_client
from tests.exchange.s3_standin import Bucket
from tests.exchange.uploads_factory import CONTENT, assert_refused, patch
from tests.listings.masters_media import FLOWER

FILM = FLOWER.read_bytes()
URL = "{root}/2026/花.mp4"


@pytest.fixture
def nas(tmp_path: Path) -> Path:
    folder = tmp_path / "nas"
    (folder / "2026").mkdir(parents=True)
    (folder / "2026" / "花.mp4").write_bytes(FILM)
    return folder


@pytest.fixture
def here(context: Context, nas: Path, tmp_path: Path) -> Context:
    stores = f"file://{nas} s3://bucket/masters"
    return Context(Settings(home=tmp_path / "home", reference_stores=stores), context.db)


@pytest.fixture
async def holder(here: Context) -> AsyncIterator[httpx.AsyncClient]:
    async with signed_client(here) as (client, _):
        yield client


async def refer(
    client: httpx.AsyncClient, url: str, size: int, *, master_id: UUID | None = None, **more: Any
) -> httpx.Response:
    path = f"/v1/masters/{master_id or ids.new(clock.now())}"
    return await client.put(path, json={"url": url, "bytes": size, **more})


async def facts_of(here: Context, master_id: str) -> dict[str, Any]:
    async with here.db.transaction() as session:
        found = await session.execute(
            text("SELECT kind, record FROM fact WHERE subject = :id"), {"id": UUID(master_id)}
        )
        return {kind: canonical.loads(bytes(record)) for kind, record in found}


async def fetch(here: Context, master_id: str) -> None:
    record = (await facts_of(here, master_id))["master.referenced"]
    now = clock.now()
    fact = SealedFact(1, ids.new(now), "master.referenced", UUID(master_id), [], record, now)
    async with here.db.transaction() as session:
        await fetching_verbs.fetch_master(here, session, fact, now)


async def shown(client: httpx.AsyncClient, master_id: str) -> dict[str, Any]:
    return dict((await client.get(f"/v1/masters/{master_id}")).json())


async def test_a_file_of_an_allowed_folder_becomes_a_received_master(
    holder: httpx.AsyncClient, here: Context, nas: Path
) -> None:
    answer = await refer(holder, URL.format(root=f"file://{nas}"), len(FILM))
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["state"], made["filename"], made["bytes"]) == ("uploading", "花.mp4", len(FILM))
    await fetch(here, made["id"])
    master = await shown(holder, made["id"])
    assert (master["state"], master["received_bytes"]) == ("received", len(FILM))
    assert master["sha256"] == hashlib.sha256(FILM).hexdigest()
    assert master["chunk_root"] == chunks.sums([FILM]).chunk_root
    assert here.masters.local(UUID(made["id"]), len(FILM)).read_bytes() == FILM
    recorded = await facts_of(here, made["id"])
    assert set(recorded) == {"master.referenced", "master.received"}
    await fetch(here, made["id"])  # the job runs again: nothing changes
    assert await shown(holder, made["id"]) == master


async def test_the_same_reference_again_is_the_same_master(
    holder: httpx.AsyncClient, here: Context, nas: Path
) -> None:
    master_id, url = ids.new(clock.now()), URL.format(root=f"file://{nas}")
    first = await refer(holder, url, len(FILM), master_id=master_id)
    again = await refer(holder, url, len(FILM), master_id=master_id)
    await fetch(here, str(master_id))
    later = await refer(holder, url, len(FILM), master_id=master_id)
    assert [one.status_code for one in (first, again, later)] == [201, 200, 200]
    other = await refer(holder, url, len(FILM) + 1, master_id=master_id)
    assert (other.status_code, other.json()["code"]) == (409, "id-reused")


async def test_an_s3_object_is_fetched_into_an_s3_store_and_can_be_decoded(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_standin.s3() as (bucket, environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        bucket.objects["bucket/masters/2026/花.mp4"] = FILM
        settings = Settings(
            home=tmp_path, reference_stores="s3://bucket/masters", objects_store="s3://ours/kept"
        )
        here = Context(settings, context.db)
        async with signed_client(here) as (holder, _):
            answer = await refer(holder, URL.format(root="s3://bucket/masters"), len(FILM))
            master_id = answer.json()["id"]
            await fetch(here, master_id)
            master = await shown(holder, master_id)
            assert master["sha256"] == hashlib.sha256(FILM).hexdigest()
            assert list_of(bucket) == [f"parts/{master_id}/{0:016x}"]
            await examine(here, master_id)
            ready = await shown(holder, master_id)
        assert (ready["state"], ready["refusal"]) == ("ready", None)
        assert f"masters/{master_id}" in list_of(bucket)
        assert f"parts/{master_id}/{0:016x}" not in list_of(bucket)
        assert bucket.objects[f"ours/kept/masters/{master_id}"] == FILM
        assert [key for key in list_of(bucket) if key.startswith(f"derived/{master_id}/")]


def list_of(bucket: Bucket) -> list[str]:
    ours = "ours/kept/"
    return sorted(key.removeprefix(ours) for key in bucket.objects if key.startswith(ours))


async def examine(here: Context, master_id: str) -> None:
    record = (await facts_of(here, master_id))["master.received"]
    now = clock.now()
    fact = SealedFact(1, ids.new(now), "master.received", UUID(master_id), [], record, now)
    async with here.db.transaction() as session:
        await master_verbs.examine_master(here, session, fact, now)


@pytest.mark.parametrize(
    "url", ["https://example.com/a.mxf", "file:///etc/passwd", "s3://bucket/masters/../secret/a"]
)
async def test_what_is_not_on_the_list_is_refused(holder: httpx.AsyncClient, url: str) -> None:
    answer = await refer(holder, url, 10)
    assert (answer.status_code, answer.json()["code"]) == (403, "reference-not-allowed")


async def refused(holder: httpx.AsyncClient, here: Context, answer: httpx.Response) -> str:
    master_id = answer.json()["id"]
    await fetch(here, master_id)
    master = await shown(holder, master_id)
    assert master["state"] == "refused"
    with pytest.raises(FileNotFoundError):
        here.masters.local(UUID(master_id), 1)
    recorded = await facts_of(here, master_id)
    assert recorded["master.refused"]["code"] == master["refusal"]["code"]
    return str(master["refusal"]["code"])


async def test_a_file_that_is_not_there_or_not_as_announced_is_refused(
    holder: httpx.AsyncClient, here: Context, nas: Path
) -> None:
    root = f"file://{nas}"
    url = URL.format(root=root)
    missing = await refer(holder, f"{root}/none.mxf", 10)
    assert await refused(holder, here, missing) == "reference-missing"
    longer = await refer(holder, url, len(FILM) + 1)
    assert await refused(holder, here, longer) == "reference-differs"
    other = await refer(holder, url, len(FILM), sha256="ab" * 32)
    assert await refused(holder, here, other) == "reference-differs"


async def test_a_link_does_not_lead_out_of_the_allowed_folder(
    holder: httpx.AsyncClient, here: Context, nas: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(FILM)
    (nas / "link.mxf").symlink_to(tmp_path / "secret")
    (nas / "folder").symlink_to(tmp_path)
    for name in ("link.mxf", "folder/secret"):
        answer = await refer(holder, f"file://{nas}/{name}", len(FILM))
        assert await refused(holder, here, answer) == "reference-not-allowed"


async def test_a_file_that_changes_while_it_is_fetched_is_refused(
    holder: httpx.AsyncClient, here: Context, nas: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "PIECE", len(FILM) // 3)
    path, write = nas / "2026" / "花.mp4", here.masters.write

    def disturbed(*args: Any, **more: Any) -> None:
        write(*args, **more)
        path.write_bytes(FILM[::-1])
        os.utime(path, ns=(1, 1))

    monkeypatch.setattr(type(here.masters), "write", lambda _self, *a, **m: disturbed(*a, **m))
    answer = await refer(holder, URL.format(root=f"file://{nas}"), len(FILM))
    assert await refused(holder, here, answer) == "reference-differs"


async def test_a_fetch_that_dies_goes_on_where_its_committed_part_ends(
    holder: httpx.AsyncClient, here: Context, nas: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "PIECE", len(FILM) // 4)
    answer = await refer(holder, URL.format(root=f"file://{nas}"), len(FILM))
    master_id, write, offsets = answer.json()["id"], here.masters.write, list[int]()

    def dying(_self: Any, *args: Any, at: int) -> None:
        offsets.append(at)
        if len(offsets) == 3:
            raise asyncio.CancelledError
        write(*args, at=at)

    monkeypatch.setattr(type(here.masters), "write", dying)
    with pytest.raises(asyncio.CancelledError):
        await fetch(here, master_id)
    await fetch(here, master_id)
    quarter = len(FILM) // 4
    assert offsets[:4] == [0, quarter, 2 * quarter, 2 * quarter]
    assert (await shown(holder, master_id))["sha256"] == hashlib.sha256(FILM).hexdigest()


async def test_a_store_that_is_away_is_tried_again(
    holder: httpx.AsyncClient, here: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_standin.s3() as (bucket, environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        bucket.objects["bucket/masters/2026/花.mp4"] = FILM
        answer = await refer(holder, URL.format(root="s3://bucket/masters"), len(FILM))
        master_id = answer.json()["id"]
        bucket.down = True
        with pytest.raises(ObjectsAway):
            await fetch(here, master_id)
        assert (await shown(holder, master_id))["state"] == "uploading"
        bucket.down = False
        await fetch(here, master_id)
        assert (await shown(holder, master_id))["state"] == "received"


async def test_nobody_appends_to_a_master_that_is_fetched(
    holder: httpx.AsyncClient, nas: Path
) -> None:
    answer = await refer(holder, URL.format(root=f"file://{nas}"), len(FILM))
    where = f"/v1/uploads/{answer.json()['id']}"
    assert_refused(await patch(holder, where, 0, CONTENT[:100]), 409, "upload-by-reference")
