"""Screeners through the API: given, made, watched in parts, taken back, over."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import hypothesis
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from sqlalchemy import text

from contracts import canonical, ids
from contracts.facts.rules import SealedFact
from exchange import clock, reactions, screener_verbs
from exchange.api import deps
from exchange.app import create_app
from exchange.context import Context
from listings.masters import gateway
from listings.screeners import gateway as burning
from listings.screeners.tables import Screener
from tests.exchange.identity_factory import signed_client
from tests.listings.masters_factory import ready_master


@dataclass
class Stage:
    """A ready master with a proxy, its owner's client, and a client of nobody."""

    context: Context
    owner: httpx.AsyncClient
    nobody: httpx.AsyncClient
    master_id: UUID

    @property
    def proxy(self) -> Path:
        return self.context.settings.objects / burning.proxy_key(self.master_id)

    def film(self, given: dict[str, Any]) -> Path:
        key = burning.film_key(self.master_id, UUID(given["id"]))
        return self.context.settings.objects / key

    async def give(self, id: UUID | None = None, **change: Any) -> httpx.Response:
        ends = (clock.now() + timedelta(days=3)).isoformat()
        body = {"viewer": "示范电视台", "expires_at": ends, **change}
        where = f"/v1/masters/{self.master_id}/screeners/{id or ids.new(clock.now())}"
        return await self.owner.put(where, json=body)

    async def make(self, given: dict[str, Any]) -> None:
        """What the worker does when the fact is sealed."""
        now, subject = clock.now(), UUID(given["id"])
        fact = SealedFact(1, ids.new(now), "screener.granted", subject, [], {}, now)
        async with self.context.db.transaction() as session:
            await screener_verbs.burn_screener(self.context, session, fact, now)

    async def ready(self, **change: Any) -> tuple[dict[str, Any], str]:
        given = (await self.give(**change)).json()
        await self.make(given)
        return given, given["link"].rsplit("/", 1)[1]

    async def watch(self, secret: str) -> httpx.Response:
        return await self.nobody.post(f"/v1/screeners/{secret}/viewings")


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("proxy") / "proxy.mp4"
    made = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=10:d=1", "-c:v", "libx264"]
    subprocess.run([gateway.ffmpeg(), "-v", "error", *made, path], check=True)
    return path.read_bytes()


@pytest.fixture
async def stage(context: Context, proxy: bytes) -> AsyncIterator[Stage]:
    transport = httpx.ASGITransport(app=create_app(context), raise_app_exceptions=False)
    async with (
        signed_client(context) as (owner, person),
        httpx.AsyncClient(transport=transport, base_url="http://exchange.test") as nobody,
    ):
        async with context.db.transaction() as session:
            master = await ready_master(
                session, party_id=person.party_id, work_id=None, now=clock.now()
            )
        path = context.settings.objects / burning.proxy_key(master.id)
        path.parent.mkdir(parents=True)
        path.write_bytes(proxy)
        yield Stage(context, owner, nobody, master.id)


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_given_screener_wakes_the_burning() -> None:
    assert [each.name for each in reactions.woken_by("screener.granted")] == ["burn-screener"]


async def test_a_link_is_shown_once_and_only_its_hash_is_kept(stage: Stage) -> None:
    id = ids.new(clock.now())
    ends = (clock.now() + timedelta(days=3)).isoformat()
    first, again = await stage.give(id, expires_at=ends), await stage.give(id, expires_at=ends)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.headers["Cache-Control"] == "no-store"
    secret = first.json()["link"].rsplit("/", 1)[1]
    assert again.json()["link"] is None
    refused(await stage.give(id, expires_at=ends, viewer="另一家"), 409, "id-reused")
    async with stage.context.db.transaction() as session:
        kept = (await session.get_one(Screener, id)).model_dump(mode="json")
        facts = await session.execute(
            text("SELECT record FROM fact WHERE subject = :id"), {"id": id}
        )
        records = [canonical.loads(bytes(record)) for record in facts.scalars()]
    assert secret not in str(kept) and secret not in str(records)
    assert records == [{"master": str(stage.master_id), "screener": str(id)}]


async def test_the_film_is_watched_and_each_view_is_counted_and_told(stage: Stage) -> None:
    given, secret = await stage.ready(most_views=2)
    viewing = (await stage.watch(secret)).json()
    whole = await stage.nobody.get(viewing["film"])
    assert whole.status_code == 200 and whole.headers["content-type"] == "video/mp4"
    assert whole.headers["Cache-Control"] == "private, no-store"
    film = stage.film(given)
    assert whole.content == film.read_bytes() != stage.proxy.read_bytes()
    assert (await stage.watch(secret)).status_code == 201
    refused(await stage.watch(secret), 410, "screener-ended")
    listed = (await stage.owner.get(f"/v1/masters/{stage.master_id}/screeners")).json()
    assert [(one["views"], one["state"], one["link"]) for one in listed["items"]] == [
        (2, "ready", None)
    ]
    assert (await stage.nobody.get(viewing["film"])).status_code == 200  # who began goes on


async def test_before_it_is_made_a_link_says_wait(stage: Stage) -> None:
    given = (await stage.give()).json()
    refused(await stage.watch(given["link"].rsplit("/", 1)[1]), 409, "screener-not-ready")


async def test_taken_back_it_stops_at_once_and_its_film_goes(stage: Stage) -> None:
    given, secret = await stage.ready()
    film = (await stage.watch(secret)).json()["film"]
    where = f"/v1/masters/{stage.master_id}/screeners/{given['id']}"
    assert (await stage.owner.delete(where)).status_code == 204
    assert (await stage.owner.delete(where)).status_code == 204
    refused(await stage.watch(secret), 410, "screener-ended")
    refused(await stage.nobody.get(film), 410, "screener-ended")
    path = stage.film(given)
    assert path.exists()
    await screener_verbs.end_screeners(stage.context, clock.now())
    assert not path.exists()


async def test_past_its_end_it_opens_nothing_and_its_film_goes(stage: Stage) -> None:
    given, secret = await stage.ready()
    film = (await stage.watch(secret)).json()["film"]
    later = clock.now() + timedelta(days=4)
    app = create_app(stage.context)
    app.dependency_overrides[deps.get_now] = lambda: later
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://exchange.test") as late:
        refused(await late.post(f"/v1/screeners/{secret}/viewings"), 410, "screener-ended")
        refused(await late.get(film), 410, "screener-ended")
    await screener_verbs.end_screeners(stage.context, later)
    assert not stage.film(given).exists()


async def test_a_viewing_ends_after_twelve_hours(stage: Stage) -> None:
    _, secret = await stage.ready()
    film = (await stage.watch(secret)).json()["film"]
    app = create_app(stage.context)
    app.dependency_overrides[deps.get_now] = lambda: clock.now() + timedelta(hours=13)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://exchange.test") as late:
        refused(await late.get(film), 410, "screener-ended")


async def test_revoked_while_it_is_made_no_film_stays(stage: Stage) -> None:
    given = (await stage.give()).json()
    where = f"/v1/masters/{stage.master_id}/screeners/{given['id']}"
    await stage.owner.delete(where)
    await stage.make(given)
    await screener_verbs.end_screeners(stage.context, clock.now())
    await stage.make(given)
    assert not stage.film(given).exists()


async def test_a_proxy_that_breaks_makes_a_failed_screener(stage: Stage) -> None:
    stage.proxy.write_bytes(b"broken")
    given = (await stage.give()).json()
    await stage.make(given)
    refused(await stage.watch(given["link"].rsplit("/", 1)[1]), 410, "screener-ended")


async def test_without_a_proxy_there_is_no_screener(stage: Stage) -> None:
    stage.proxy.unlink()
    refused(await stage.give(), 409, "no-proxy")


async def test_strangers_see_and_change_nothing(stage: Stage) -> None:
    given, secret = await stage.ready()
    where = f"/v1/masters/{stage.master_id}/screeners"
    async with signed_client(stage.context) as (stranger, _):
        refused(await stranger.get(where), 404, "unknown")
        refused(await stranger.delete(f"{where}/{given['id']}"), 404, "unknown")
        new = f"{where}/{ids.new(clock.now())}"
        body = {"viewer": "甲", "expires_at": (clock.now() + timedelta(days=1)).isoformat()}
        refused(await stranger.put(new, json=body), 404, "unknown")
    refused(await stage.watch("A" * 43), 404, "unknown")
    other_given, _ = await stage.ready()
    film = (await stage.watch(secret)).json()["film"]
    assert other_given["id"] != given["id"]
    other_secret = other_given["link"].rsplit("/", 1)[1]
    refused(await stage.nobody.get(film.replace(secret, other_secret)), 404, "unknown")


async def test_two_cannot_both_take_the_last_view(stage: Stage) -> None:
    _, secret = await stage.ready(most_views=1)
    answers = await asyncio.gather(*(stage.watch(secret) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201, 410, 410, 410, 410, 410]


def spans(size: int) -> st.SearchStrategy[str]:
    near = st.integers(0, size + 50)
    return st.one_of(
        st.builds(lambda a, b: f"bytes={min(a, b)}-{max(a, b)}", near, near),
        st.builds(lambda a: f"bytes={a}-", near),
        st.builds(lambda a: f"bytes=-{a + 1}", near),
    )


async def test_any_range_is_that_part_of_the_film(stage: Stage) -> None:
    """RFC 9110 section 14: 206 with the part, 416 beyond the end."""
    given, secret = await stage.ready()
    film = (await stage.watch(secret)).json()["film"]
    content = bytes(range(256)) * 40
    stage.film(given).write_bytes(content)
    asked: list[str] = []

    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @hypothesis.given(spans(len(content)))
    def collect(header: str) -> None:
        asked.append(header)

    collect()
    for header in asked:
        answer = await stage.nobody.get(film, headers={"Range": header})
        first, last = header.removeprefix("bytes=").split("-")
        start = int(first) if first else max(len(content) - int(last), 0)
        end = min(int(last), len(content) - 1) if first and last else len(content) - 1
        if start >= len(content):
            refused(answer, 416, "range-outside")
            assert answer.headers["Content-Range"].endswith(f"/{len(content)}")
        else:
            assert answer.status_code == 206, header
            assert answer.content == content[start : end + 1]
            assert answer.headers["Content-Range"] == f"bytes {start}-{end}/{len(content)}"
    for nonsense in ("bytes=a-b", "lines=1-2", "bytes", f"bytes={'9' * 5000}-"):
        assert (await stage.nobody.get(film, headers={"Range": nonsense})).status_code in (400, 416)
    tag = (await stage.nobody.get(film)).headers["ETag"]
    same = {"Range": "bytes=0-9", "If-Range": tag}
    assert (await stage.nobody.get(film, headers=same)).status_code == 206
    other = {"Range": "bytes=0-9", "If-Range": '"another"'}
    assert (await stage.nobody.get(film, headers=other)).content == content
