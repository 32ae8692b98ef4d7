import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from starlette.types import Message

from contracts import ids
from exchange import clock, master_verbs
from exchange.api import uploads
from exchange.app import create_app
from exchange.context import Context
from listings.masters import chunks
from tests.exchange.identity_factory import signed_client
from tests.exchange.test_works_api import registered
from tests.exchange.uploads_factory import (
    CONTENT,
    HALF,
    LENGTH,
    PART,
    TUS,
    assert_refused,
    create,
    offset,
    patch,
    shown,
    started,
    upload,
)


@pytest.fixture
async def holder(context: Context) -> AsyncIterator[httpx.AsyncClient]:
    async with signed_client(context, verified=True) as (client, _):
        yield client


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "BLOCK", 1000)


def stored(context: Context, where: str) -> Path:
    return context.settings.objects / "masters" / where.rsplit("/", 1)[1]


def is_stored(context: Context, where: str) -> bool:
    return stored(context, where).exists()


async def facts_of(context: Context, where: str) -> list[str]:
    async with context.db.transaction() as session:
        found = await session.execute(
            text("SELECT kind FROM fact WHERE subject = :id ORDER BY id"),
            {"id": UUID(where.rsplit("/", 1)[1])},
        )
        return list(found.scalars())


async def test_a_client_can_ask_what_is_spoken(client: httpx.AsyncClient) -> None:
    answer = await client.options("/v1/uploads")
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == answer.headers["Tus-Resumable"] == "1.0.0"
    assert set(answer.headers["Tus-Extension"].split(",")) == {
        "creation", "expiration", "termination",
    }  # fmt: skip
    assert int(answer.headers["Tus-Max-Size"]) > 10**12


@pytest.mark.usefixtures("small_blocks")
async def test_a_file_in_two_parts_is_received_with_its_hash(
    holder: httpx.AsyncClient, context: Context
) -> None:
    where = await started(holder)
    first = await patch(holder, where, 0, CONTENT[:HALF])
    assert (first.status_code, first.headers["Upload-Offset"]) == (204, str(HALF))
    assert "GMT" in first.headers["Upload-Expires"]
    between = await shown(holder, where)
    assert (between["state"], between["received_bytes"]) == ("uploading", HALF)
    assert await facts_of(context, where) == []
    second = await patch(holder, where, HALF, CONTENT[HALF:])
    assert (second.status_code, second.headers["Upload-Offset"]) == (204, str(LENGTH))
    master = await shown(holder, where)
    assert (master["state"], master["stage"]) == ("received", "waiting")
    assert master["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert stored(context, where).read_bytes() == CONTENT
    assert await facts_of(context, where) == ["master.received"]


@pytest.mark.usefixtures("small_blocks")
async def test_the_sums_go_on_in_any_process_without_a_second_read(
    holder: httpx.AsyncClient, context: Context
) -> None:
    where = await started(holder)
    await patch(holder, where, 0, CONTENT[: HALF + 1500])
    kept = stored(context, where)
    kept.write_bytes(bytes(kept.stat().st_size))  # who reads it again gets other sums
    await patch(holder, where, HALF + 1500, CONTENT[HALF + 1500 :])
    master = await shown(holder, where)
    assert master["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert master["chunk_root"] == chunks.sums([CONTENT]).chunk_root


async def test_an_upload_begun_before_sums_were_set_down_is_read_once_more(
    holder: httpx.AsyncClient, context: Context
) -> None:
    where = await started(holder)
    await patch(holder, where, 0, CONTENT[:HALF])
    async with context.db.transaction() as session:
        await session.execute(
            text("UPDATE master SET hash_state = NULL WHERE id = :id"),
            {"id": UUID(where.rsplit("/", 1)[1])},
        )
    await patch(holder, where, HALF, CONTENT[HALF:])
    master = await shown(holder, where)
    assert master["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert master["chunk_root"] == chunks.sums([CONTENT]).chunk_root


async def test_a_file_that_goes_with_a_work_is_no_master(
    holder: httpx.AsyncClient, context: Context
) -> None:
    refused = await create(holder, LENGTH, purpose="asset")
    assert_refused(refused, 422, "bad-upload-metadata")
    refused = await create(holder, LENGTH, purpose="poem")
    assert_refused(refused, 422, "bad-upload-metadata")
    work_id = (await registered(holder)).rsplit("/", 1)[1]
    where = f"/v1/uploads/{await upload(holder, CONTENT, purpose='asset', work_id=work_id)}"
    assert (await shown(holder, where))["purpose"] == "asset"
    assert await facts_of(context, where) == ["asset.received"]
    assert (await holder.get("/v1/masters")).json()["items"] == []


async def test_what_a_crash_left_behind_the_offset_is_cut_away(
    holder: httpx.AsyncClient, context: Context
) -> None:
    where = await started(holder)
    await patch(holder, where, 0, CONTENT[:HALF])
    with stored(context, where).open("ab") as file:
        file.write(b"not committed" * 1000)
    assert await offset(holder, where) == HALF
    await patch(holder, where, HALF, CONTENT[HALF:])
    assert stored(context, where).read_bytes() == CONTENT
    assert (await shown(holder, where))["sha256"] == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.usefixtures("small_blocks")
async def test_a_cut_connection_keeps_what_arrived(
    holder: httpx.AsyncClient, context: Context
) -> None:
    where = await started(holder)
    arriving: list[Message] = [
        {"type": "http.request", "body": CONTENT[:2500], "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return arriving.pop(0)

    async def send(_message: Message) -> None:
        """Nobody listens any more."""

    headers = {**PART, **holder.headers, "Upload-Offset": "0"}
    await create_app(context)(
        {
            "type": "http", "http_version": "1.1", "method": "PATCH", "path": where,
            "raw_path": where.encode(), "query_string": b"", "scheme": "http", "root_path": "",
            "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
            "server": ("exchange.test", 80), "client": ("127.0.0.1", 1),
        },
        receive,
        send,
    )  # fmt: skip
    assert await offset(holder, where) == 2500
    await patch(holder, where, 2500, CONTENT[2500:])
    assert (await shown(holder, where))["sha256"] == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.usefixtures("small_blocks")
async def test_two_writers_at_one_offset_do_not_mix(
    holder: httpx.AsyncClient, context: Context
) -> None:
    where = await started(holder)
    other = bytes(reversed(CONTENT))
    answers = await asyncio.gather(*(patch(holder, where, 0, what) for what in (CONTENT, other)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes in ([204, 409], [409, 409])
    kept = stored(context, where).read_bytes()
    sizes = range(0, LENGTH + 1, 1000) if len(kept) < LENGTH else [LENGTH]
    assert len(kept) in sizes
    for start in range(0, len(kept), 1000):
        block = slice(start, min(start + 1000, len(kept)))
        assert kept[block] in (CONTENT[block], other[block])
    if len(kept) == LENGTH:
        assert (await shown(holder, where))["sha256"] == hashlib.sha256(kept).hexdigest()


async def test_no_transaction_is_open_while_bytes_are_awaited(
    holder: httpx.AsyncClient, context: Context
) -> None:
    where = await started(holder)
    open_connections = []

    async def body() -> AsyncIterator[bytes]:
        yield CONTENT[:HALF]
        await asyncio.sleep(0.01)
        open_connections.append(context.db.engine.pool.checkedout())
        yield CONTENT[HALF:]

    before = context.db.engine.pool.checkedout()
    assert (await patch(holder, where, 0, body())).status_code == 204
    assert open_connections == [before]


async def test_a_wrong_offset_is_told_the_right_one(
    holder: httpx.AsyncClient, context: Context
) -> None:
    where = await started(holder)
    await patch(holder, where, 0, CONTENT[:HALF])
    answer = await patch(holder, where, 10, CONTENT[10:])
    assert_refused(answer, 409, "upload-offset")
    assert answer.json()["offset"] == HALF
    assert stored(context, where).read_bytes() == CONTENT[:HALF]


async def test_more_than_was_declared_is_refused(
    holder: httpx.AsyncClient, context: Context
) -> None:
    where = await started(holder)
    answer = await patch(holder, where, 0, CONTENT + b"more")
    assert_refused(answer, 413, "upload-overrun")

    async def unannounced() -> AsyncIterator[bytes]:
        yield CONTENT + b"more"

    assert_refused(await patch(holder, where, 0, unannounced()), 413, "upload-overrun")
    assert await offset(holder, where) == 0
    assert not is_stored(context, where)


async def test_a_complete_file_takes_no_more_and_stays(holder: httpx.AsyncClient) -> None:
    where = f"/v1/uploads/{await upload(holder, CONTENT)}"
    assert_refused(await patch(holder, where, LENGTH, b""), 409, "upload-finished")
    assert_refused(await holder.delete(where, headers=TUS), 409, "upload-finished")
    assert await offset(holder, where) == LENGTH


async def test_creating_twice_is_the_same_upload(holder: httpx.AsyncClient) -> None:
    master_id = ids.new(clock.now())
    first = await create(holder, LENGTH, master_id=master_id)
    await patch(holder, first.headers["Location"], 0, CONTENT[:HALF])
    again = await create(holder, LENGTH, master_id=master_id)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Upload-Offset"] == str(HALF)


async def test_an_upload_can_be_given_up(holder: httpx.AsyncClient, context: Context) -> None:
    where = await started(holder)
    await patch(holder, where, 0, CONTENT[:HALF])
    assert (await holder.delete(where, headers=TUS)).status_code == 204
    assert (await holder.head(where, headers=TUS)).status_code == 404
    assert not is_stored(context, where)


async def test_an_upload_left_too_long_is_gone(holder: httpx.AsyncClient, context: Context) -> None:
    where = await started(holder)
    master_id = UUID(where.rsplit("/", 1)[1])
    await patch(holder, where, 0, CONTENT[:HALF])
    async with context.db.transaction() as session:
        await session.execute(
            text("UPDATE master SET expires_at = :then WHERE id = :id"),
            {"then": clock.now() - timedelta(seconds=1), "id": master_id},
        )
    assert (await holder.head(where, headers=TUS)).status_code == 410
    assert_refused(await patch(holder, where, HALF, CONTENT[HALF:]), 410, "upload-expired")
    assert await master_verbs.drop_expired(context, clock.now()) >= 1
    assert not is_stored(context, where)
    assert (await holder.head(where, headers=TUS)).status_code == 404


async def test_masters_come_in_pages(holder: httpx.AsyncClient) -> None:
    for _ in range(3):
        await started(holder)
    first = (await holder.get("/v1/masters", params={"limit": 2})).json()
    rest = (await holder.get("/v1/masters", params={"limit": 2, "after": first["next"]})).json()
    ids_ = [item["id"] for item in first["items"] + rest["items"]]
    assert len(ids_) == 3 and ids_ == sorted(ids_) and rest["next"] is None


async def test_staff_see_every_master(holder: httpx.AsyncClient, context: Context) -> None:
    where = await started(holder)
    async with signed_client(context, role="auditor") as (auditor, _):
        assert (await shown(auditor, where))["state"] == "uploading"
