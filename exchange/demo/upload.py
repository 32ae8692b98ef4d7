"""Resumable upload (tus 1.0) by the demo: in chunks, interrupted once on purpose, resumed."""

import base64
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import UUID

import anyio
import httpx

from exchange.demo.api import Api, Refused

CHUNKS = 8  # a short clip still shows several chunks
MOST_CHUNK = 8 * 1024**2
TUS = {"Tus-Resumable": "1.0.0"}
Progress = Callable[[int, int], None]


class CutOff(Exception):
    """The connection that the demo cuts on purpose."""


async def upload(
    api: Api, path: Path, *, master_id: UUID, work_id: UUID, cut: bool, progress: Progress
) -> int:
    """Upload the file; return how often it had to be resumed.

    Args:
        api: the rights holder's client.
        path: the file.
        master_id: the id the client gives the master.
        work_id: the work it belongs to.
        cut: break the connection in the middle of the second chunk.
        progress: told (bytes stored, bytes in all).
    """
    size = (await anyio.Path(path).stat()).st_size
    location = f"/v1/uploads/{master_id}"
    await _create(api, path, size, {"master_id": str(master_id), "work_id": str(work_id)})
    step = max(1, min(MOST_CHUNK, -(-size // CHUNKS)))
    resumed, to_cut = 0, cut
    while (offset := await _offset(api, location)) < size:
        progress(offset, size)
        chunk = await anyio.to_thread.run_sync(_read, path, offset, step)
        try:
            breaks = to_cut and offset > 0
            if breaks:
                to_cut = False
            await _patch(api, location, offset, chunk, breaks=breaks)
        except (CutOff, httpx.TransportError):
            resumed += 1
    progress(size, size)
    return resumed


async def _create(api: Api, path: Path, size: int, ids: dict[str, str]) -> None:
    fields = {"filename": path.name, "filetype": "video/mp4", **ids}
    metadata = ",".join(
        f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in fields.items()
    )
    answer = await api.send(
        "POST",
        "/v1/uploads",
        headers={**TUS, "Upload-Length": str(size), "Upload-Metadata": metadata},
    )
    if not answer.is_success:
        raise Refused(answer.json())


async def _offset(api: Api, location: str) -> int:
    answer = await api.send("HEAD", location, headers=TUS)
    if not answer.is_success:
        raise Refused({"code": f"http-{answer.status_code}", "detail": "the upload is gone"})
    return int(answer.headers["Upload-Offset"])


async def _patch(api: Api, location: str, offset: int, chunk: bytes, *, breaks: bool) -> None:
    headers = {
        **TUS,
        "Upload-Offset": str(offset),
        "Content-Type": "application/offset+octet-stream",
        "Content-Length": str(len(chunk)),
    }
    body = _half_then_cut(chunk) if breaks else _whole(chunk)
    answer = await api.http.patch(location, content=body, headers=headers)
    if not answer.is_success and answer.status_code not in (409, 503):
        raise Refused(answer.json())


async def _whole(chunk: bytes) -> AsyncIterator[bytes]:
    yield chunk


async def _half_then_cut(chunk: bytes) -> AsyncIterator[bytes]:
    yield chunk[: len(chunk) // 2]
    raise CutOff("the demo pulls the plug here")


def _read(path: Path, offset: int, count: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(count)
