"""Pictures for those who compare: at the very instant, where there is a proxy."""

import subprocess
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import numpy as np
import pytest

from exchange import clock
from exchange.context import Context
from listings.masters import gateway
from tests.exchange.identity_factory import signed_client
from tests.listings.masters_factory import ready_master


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Black for a second, then white for a second."""
    path = tmp_path_factory.mktemp("film") / "proxy.mp4"
    made = ["-f", "lavfi", "-i", "color=black:s=640x360:r=25:d=1", "-f", "lavfi"]
    made += ["-i", "color=white:s=640x360:r=25:d=1", "-filter_complex", "[0][1]concat=n=2"]
    subprocess.run(
        [gateway.ffmpeg(), "-v", "error", *made, "-pix_fmt", "yuv420p", path], check=True
    )
    return path.read_bytes()


@pytest.fixture
async def owner(context: Context) -> AsyncIterator[tuple[httpx.AsyncClient, UUID]]:
    async with signed_client(context) as (client, person):
        async with context.db.transaction() as session:
            master = await ready_master(
                session, party_id=person.party_id, work_id=None, now=clock.now()
            )
        yield client, master.id


def shade(jpeg: bytes) -> float:
    command = [
        gateway.ffmpeg(),
        "-v",
        "error",
        "-i",
        "-",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "gray",
        "-",
    ]
    raw = subprocess.run(command, input=jpeg, capture_output=True, check=True).stdout
    return float(np.frombuffer(raw, np.uint8).mean())


async def test_the_picture_is_that_of_the_instant(
    context: Context, owner: tuple[httpx.AsyncClient, UUID], film: bytes
) -> None:
    client, master_id = owner
    context.objects.put(f"derived/{master_id}/proxy.mp4", film)
    for at_ms, low, high in ((0, 0, 10), (920, 0, 10), (1_080, 245, 255), (1_900, 245, 255)):
        seen = await client.get(f"/v1/masters/{master_id}/thumbs/{at_ms}")
        assert seen.status_code == 200 and seen.headers["content-type"] == "image/jpeg"
        assert low <= shade(seen.content) <= high, at_ms


async def test_without_a_proxy_the_nearest_that_was_kept_is_shown(
    context: Context, owner: tuple[httpx.AsyncClient, UUID]
) -> None:
    client, master_id = owner
    assert (await client.get(f"/v1/masters/{master_id}/thumbs/0")).status_code == 404
    context.objects.put(f"derived/{master_id}/thumbs.json", b"[0, 5000]")
    for at_ms in (0, 5000):
        context.objects.put(f"derived/{master_id}/thumbs/{at_ms}.jpg", b"at %d" % at_ms)
    assert (await client.get(f"/v1/masters/{master_id}/thumbs/3000")).content == b"at 5000"
    context.objects.put(f"derived/{master_id}/proxy.mp4", b"broken")
    assert (await client.get(f"/v1/masters/{master_id}/thumbs/3000")).content == b"at 5000"


async def test_behind_the_end_the_last_that_was_kept_is_shown(
    context: Context, owner: tuple[httpx.AsyncClient, UUID], film: bytes
) -> None:
    client, master_id = owner
    context.objects.put(f"derived/{master_id}/proxy.mp4", film)
    context.objects.put(f"derived/{master_id}/thumbs.json", b"[0]")
    context.objects.put(f"derived/{master_id}/thumbs/0.jpg", b"kept")
    assert (await client.get(f"/v1/masters/{master_id}/thumbs/60000")).content == b"kept"
