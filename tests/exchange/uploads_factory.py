"""A client of the upload protocol for tests."""

import base64
from collections.abc import AsyncIterator, Mapping
from uuid import UUID

import httpx

from contracts import ids
from exchange import clock

TUS = {"Tus-Resumable": "1.0.0"}
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
