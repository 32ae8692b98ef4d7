"""From the upload to the refusal, through the API and the worker's own reactions."""

from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from contracts import ids
from exchange import clock
from exchange.context import Context
from tests.contracts.rights_factory import wire
from tests.exchange.identity_factory import signed_client
from tests.exchange.portal_site import turn
from tests.exchange.uploads_factory import upload
from tests.listings.auctions_factory import sale_of
from tests.listings.masters_media import STREAM, ffmpeg

TURNS = 12  # received, examined in pieces, recognised


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A negative, which no other test lists, and a smaller copy of it."""
    folder = tmp_path_factory.mktemp("files")
    sizes = {"original": "negate,scale=320:240", "copy": "negate,scale=240:180,hflip"}
    for name, picture in sizes.items():
        quick = ("-an", "-vf", picture, "-preset", "ultrafast", str(folder / f"{name}.mp4"))
        ffmpeg("-i", str(STREAM), *quick)
    return {path.stem: path.read_bytes() for path in Path(folder).iterdir()}


async def examined(context: Context, client: httpx.AsyncClient, content: bytes) -> UUID:
    """Upload a master and do what the worker does until it is recognised."""
    master_id = await upload(client, content)
    for _ in range(TURNS):
        await turn(context, about=master_id)
        found = (await client.get(f"/v1/masters/{master_id}/recognition")).json()
        if found["state"] is not None:
            return master_id
    raise AssertionError("the master was not recognised")


async def published(client: httpx.AsyncClient, master_id: UUID, title: str) -> tuple[int, Any]:
    """Register a work, offer it with the master, publish it."""
    now = clock.now()
    work_id, listing_id = ids.new(now), ids.new(now)
    made = await client.put(
        f"/v1/works/{work_id}",
        json={
            "title_zh": title, "title_en": title, "kind": "documentary", "year": 2026,
            "country": "CN", "eidr": None, "isan": None, "permit_no": None,
        },
    )  # fmt: skip
    assert made.status_code == 201, made.text
    offer = {
        "work_id": str(work_id), "master_id": str(master_id), "rights": [wire()],
        "sale": sale_of(ids.new(now), now),
    }  # fmt: skip
    at = f"/v1/listings/{listing_id}"
    assert (await client.put(at, json=offer)).status_code == 201
    answer = await client.post(f"{at}/publication")
    return answer.status_code, answer.json()


async def test_a_copy_is_recognised_when_examined_and_refused_when_listed(
    context: Context, files: dict[str, bytes]
) -> None:
    async with signed_client(context) as (owner, _), signed_client(context) as (thief, _):
        original = await examined(context, owner, files["original"])
        status, listing = await published(owner, original, "流水")
        assert status == 200, listing
        for name, kind in (("original", "same-file"), ("copy", "copy")):
            master = await examined(context, thief, files[name])
            found = (await thief.get(f"/v1/masters/{master}/recognition")).json()
            assert found["state"] == "copy"
            likeness = {one["listing_id"]: one for one in found["resemblances"]}[listing["id"]]
            assert likeness["kind"] == kind
            status, refused = await published(thief, master, "他人之水")
            assert (status, refused["code"]) == (409, "looks-like-another-work")
            assert refused["work_title"] == {"zh": "流水", "en": "流水"}
            assert refused["seconds"] == {"here": 0, "there": 0}
