"""A client of the upload protocol for tests."""

import base64
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

import httpx

from contracts import ids
from exchange import clock

TUS = {"Tus-Resumable": "1.0.0"}
CONTENT = bytes(range(256)) * 40
LENGTH = len(CONTENT)
HALF = LENGTH // 2
PART = {**TUS, "Content-Type": "application/offset+octet-stream"}


def metadata(**fields: str) -> str:
    return ",".join(
        f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in fields.items()
    )


async def create(
    client: httpx.AsyncClient, length: int, *, master_id: UUID | None = None, **fields: str
) -> httpx.Response:
    given = {
        "filename": "master.mxf",
        "filetype": "",
        "master_id": str(master_id or ids.new(clock.now())),
        **fields,
    }
    headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": metadata(**given)}
    return await client.post("/v1/uploads", headers=headers)


async def patch(
    client: httpx.AsyncClient,
    where: str,
    offset: int,
    content: bytes | AsyncIterator[bytes],
    headers: Mapping[str, str] = PART,
) -> httpx.Response:
    return await client.patch(
        where, headers={**headers, "Upload-Offset": str(offset)}, content=content
    )


async def upload(client: httpx.AsyncClient, content: bytes, **fields: str) -> UUID:
    """Upload a whole file; return the master's id."""
    where = (await create(client, len(content), **fields)).headers["Location"]
    answer = await patch(client, where, 0, content)
    assert answer.status_code == 204, answer.text
    return UUID(where.rsplit("/", 1)[1])


async def started(client: httpx.AsyncClient, length: int = LENGTH) -> str:
    answer = await create(client, length)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Location"])


async def shown(client: httpx.AsyncClient, where: str) -> dict[str, Any]:
    answer = await client.get(where.replace("uploads", "masters"))
    assert answer.status_code == 200
    return dict(answer.json())


async def offset(client: httpx.AsyncClient, where: str) -> int:
    answer = await client.head(where, headers=TUS)
    assert answer.status_code == 200
    return int(answer.headers["Upload-Offset"])


def assert_refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["Tus-Resumable"] == "1.0.0"
