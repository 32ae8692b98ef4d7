from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest

from contracts import ids
from exchange import clock
from exchange.context import Context
from tests.contracts.works_factory import work
from tests.exchange.identity_factory import signed_client
from tests.exchange.uploads_factory import (
    CONTENT,
    LENGTH,
    PART,
    TUS,
    assert_refused,
    create,
    metadata,
    offset,
    patch,
    shown,
    started,
)


@pytest.fixture
async def holder(context: Context) -> AsyncIterator[httpx.AsyncClient]:
    async with signed_client(context, verified=True) as (client, _):
        yield client


async def test_a_part_of_another_content_type_is_refused(holder: httpx.AsyncClient) -> None:
    where = await started(holder)
    answer = await patch(holder, where, 0, CONTENT, {**TUS, "Content-Type": "video/mp4"})
    assert_refused(answer, 415, "upload-content-type")


@pytest.mark.parametrize("version", [{}, {"Tus-Resumable": "0.2.2"}])
async def test_another_version_of_tus_is_refused(
    holder: httpx.AsyncClient, version: dict[str, str]
) -> None:
    where = await started(holder)
    answer = await patch(
        holder, where, 0, CONTENT, {"Content-Type": PART["Content-Type"], **version}
    )
    assert_refused(answer, 412, "tus-version")
    assert answer.headers["Tus-Version"] == "1.0.0"


@pytest.mark.parametrize("length", [None, "0", "-1", "ten", "1.5", "9" * 30])
async def test_a_length_that_is_no_positive_number_is_refused(
    holder: httpx.AsyncClient, length: str | None
) -> None:
    given = metadata(filename="a.mxf", master_id=str(ids.new(clock.now())))
    headers = {**TUS, "Upload-Metadata": given} | ({"Upload-Length": length} if length else {})
    assert_refused(await holder.post("/v1/uploads", headers=headers), 400, "bad-upload-header")


@pytest.mark.parametrize("given", ["", "x", "-5"])
async def test_an_offset_that_is_no_number_is_refused(
    holder: httpx.AsyncClient, given: str
) -> None:
    where = await started(holder)
    answer = await holder.patch(where, headers={**PART, "Upload-Offset": given}, content=b"x")
    assert_refused(answer, 400, "bad-upload-header")


async def test_a_file_beyond_the_limit_is_refused(
    holder: httpx.AsyncClient, context: Context
) -> None:
    most = context.settings.upload_limit_bytes
    answer = await create(holder, most + 1)
    assert_refused(answer, 413, "upload-too-large")
    assert answer.json()["most_bytes"] == most


@pytest.mark.parametrize(
    "given",
    [
        "",
        "filename",
        "filename !!!",
        "filename /w==",  # not UTF-8
        metadata(filename="a.mxf"),
        metadata(filename="a.mxf", master_id="7"),
        metadata(filename="", master_id=str(UUID(int=1))),
        metadata(filename="a\x00b", master_id=str(UUID(int=1))),
        metadata(filename="a" * 256, master_id=str(UUID(int=1))),
        metadata(filename="a.mxf", master_id=str(UUID(int=1))) + ",filename YQ==",
        metadata(filename="a.mxf", master_id=str(UUID(int=1)), work_id="x"),
    ],
)
async def test_metadata_that_cannot_be_used_is_refused(
    holder: httpx.AsyncClient, given: str
) -> None:
    headers = {**TUS, "Upload-Length": "10", "Upload-Metadata": given}
    assert_refused(await holder.post("/v1/uploads", headers=headers), 422, "bad-upload-metadata")


async def test_a_path_in_the_filename_is_only_a_name(holder: httpx.AsyncClient) -> None:
    answer = await create(holder, 10, filename="../../etc/母版.mxf")
    assert (await shown(holder, answer.headers["Location"]))["filename"] == "母版.mxf"


async def test_an_id_is_not_used_for_another_file(holder: httpx.AsyncClient) -> None:
    master_id = ids.new(clock.now())
    await create(holder, LENGTH, master_id=master_id)
    assert_refused(await create(holder, LENGTH + 1, master_id=master_id), 409, "id-reused")


async def test_an_upload_belongs_to_a_work_of_the_party(
    holder: httpx.AsyncClient, context: Context
) -> None:
    async with signed_client(context) as (stranger, who):
        async with context.db.transaction() as session:
            theirs = await work(session, party_id=who.party_id, now=clock.now())
        assert (await create(stranger, 10, work_id=str(theirs.id))).status_code == 201
        assert_refused(await create(holder, 10, work_id=str(theirs.id)), 404, "unknown")


async def test_another_partys_upload_is_unknown(
    holder: httpx.AsyncClient, context: Context
) -> None:
    where = await started(holder)
    async with signed_client(context) as (stranger, _):
        assert_refused(await patch(stranger, where, 0, CONTENT), 404, "unknown")
        assert_refused(await stranger.delete(where, headers=TUS), 404, "unknown")
        assert (await stranger.head(where, headers=TUS)).status_code == 404
        assert (await stranger.get(where.replace("uploads", "masters"))).status_code == 404
        assert (await stranger.get("/v1/masters")).json()["items"] == []
    assert await offset(holder, where) == 0


async def test_an_unknown_upload_is_unknown(holder: httpx.AsyncClient) -> None:
    where = f"/v1/uploads/{ids.new(clock.now())}"
    assert_refused(await patch(holder, where, 0, CONTENT), 404, "unknown")
    assert_refused(await holder.delete(where, headers=TUS), 404, "unknown")
    assert (await holder.head(where, headers=TUS)).status_code == 404


async def test_an_id_that_is_none_is_refused(holder: httpx.AsyncClient) -> None:
    answer = await patch(holder, "/v1/uploads/not-an-id", 0, CONTENT)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-content")


@pytest.mark.parametrize(
    ("role", "code"), [("broadcaster", "not-allowed"), ("auditor", "not-allowed")]
)
async def test_only_rights_holders_upload(context: Context, role: str, code: str) -> None:
    async with signed_client(context, role=role) as (client, _):
        answer = await create(client, 10)
        assert answer.status_code == 403
        assert answer.json()["code"] in (code, "scope-missing")


async def test_a_key_without_the_scope_uploads_nothing(context: Context) -> None:
    async with signed_client(context, scopes=["read"]) as (client, _):
        assert_refused(await create(client, 10), 403, "scope-missing")


async def test_nobody_uploads_without_signing_in(client: httpx.AsyncClient) -> None:
    assert_refused(await create(client, 10), 401, "sign-in-needed")
    where = f"/v1/uploads/{ids.new(clock.now())}"
    assert_refused(await patch(client, where, 0, CONTENT), 401, "sign-in-needed")
