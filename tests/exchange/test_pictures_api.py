"""Posters, sheets and proxies: shown to whoever may see what they are of, to nobody else."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import httpx
import pytest

from contracts.parties import queries as parties
from exchange import clock
from exchange.app import create_app
from exchange.context import Context
from listings.catalogue import service
from tests.exchange.identity_factory import signed_client
from tests.listings.catalogue_factory import drafted_listing

PICTURES = {"poster": b"\xff\xd8 poster", "sheet": b"\xff\xd8 sheet"}
FILM = bytes(range(256)) * 10


@dataclass
class Stage:
    context: Context
    owner: httpx.AsyncClient
    nobody: httpx.AsyncClient
    listing_id: UUID
    master_id: UUID

    async def publish(self, party_id: UUID) -> None:
        async with self.context.db.transaction() as session:
            await service.publish(session, self.listing_id, party_id=party_id, now=clock.now())


@pytest.fixture
async def stage(context: Context) -> AsyncIterator[tuple[Stage, UUID]]:
    transport = httpx.ASGITransport(app=create_app(context), raise_app_exceptions=False)
    async with (
        signed_client(context) as (owner, person),
        httpx.AsyncClient(transport=transport, base_url="http://exchange.test") as nobody,
    ):
        async with context.db.transaction() as session:
            seller = await parties.get_party(session, person.party_id)
            listing = await drafted_listing(session, seller=seller, now=clock.now())
        for name, content in PICTURES.items():
            context.objects.put(f"derived/{listing.master_id}/{name}.jpg", content)
        context.objects.put(f"derived/{listing.master_id}/proxy.mp4", FILM)
        made = Stage(context, owner, nobody, listing.id, listing.master_id)
        yield made, person.party_id


@pytest.mark.parametrize("name", PICTURES)
async def test_pictures_of_a_listing_are_public_once_it_is(
    stage: tuple[Stage, UUID], name: str
) -> None:
    scene, party_id = stage
    where = f"/v1/listings/{scene.listing_id}/pictures/{name}"
    assert (await scene.nobody.get(where)).status_code == 404
    assert (await scene.owner.get(where)).content == PICTURES[name]
    await scene.publish(party_id)
    seen = await scene.nobody.get(where)
    assert (seen.content, seen.headers["content-type"]) == (PICTURES[name], "image/jpeg")
    page = await scene.nobody.get(f"/listings/{scene.listing_id}/{name}.jpg")
    assert page.content == PICTURES[name]


async def test_a_master_is_seen_by_its_owner_and_staff_alone(stage: tuple[Stage, UUID]) -> None:
    scene, party_id = stage
    await scene.publish(party_id)
    for where in ("proxy", "pictures/poster"):
        path = f"/v1/masters/{scene.master_id}/{where}"
        assert (await scene.nobody.get(path)).status_code == 401
        assert (await scene.owner.get(path)).status_code == 200
        async with (
            signed_client(scene.context) as (stranger, _),
            signed_client(scene.context, role="auditor") as (auditor, _),
        ):
            assert (await stranger.get(path)).status_code == 404
            assert (await auditor.get(path)).status_code == 200


async def test_a_proxy_is_sent_in_parts(stage: tuple[Stage, UUID]) -> None:
    scene, _ = stage
    path = f"/v1/masters/{scene.master_id}/proxy"
    part = await scene.owner.get(path, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, FILM[100:200])


async def test_what_was_never_taken_is_unknown_and_pages_show_a_plain_picture(
    stage: tuple[Stage, UUID],
) -> None:
    scene, party_id = stage
    await scene.publish(party_id)
    for name in ("poster.jpg", "proxy.mp4"):
        scene.context.objects.delete(f"derived/{scene.master_id}/{name}")
    assert (await scene.owner.get(f"/v1/masters/{scene.master_id}/proxy")).status_code == 404
    api = await scene.nobody.get(f"/v1/listings/{scene.listing_id}/pictures/poster")
    assert api.json()["code"] == "unknown"
    page = await scene.nobody.get(f"/listings/{scene.listing_id}/poster.jpg")
    assert page.status_code == 307 and "mark.svg" in page.headers["location"]
