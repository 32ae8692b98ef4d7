import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from contracts import ids
from contracts.facts import service as facts
from contracts.log import merkle, proof, queries
from contracts.log.gateway import LogKeyMissing, LogSigner
from contracts.log.note import Verifier
from exchange import clock, feed, keys
from exchange.app import create_app
from exchange.context import Context
from exchange.db import Database
from exchange.feed import Feed, Sealed
from exchange.settings import Settings
from exchange.telling import Viewer
from tests.conftest import NOW
from tests.contracts.log_factory import a_fact, a_private_fact, seal_all

EVERYBODY = Viewer(None, staff=False)


@pytest.fixture
async def signer(db: Database, settings: Settings) -> LogSigner:
    signer = keys.log_signer(settings)
    await seal_all(db, signer)
    return signer


@pytest.fixture
async def start(db: Database, signer: LogSigner) -> int:  # noqa: ARG001 - it seals what waits.
    """The number of the last fact before the test."""
    async with db.transaction() as session:
        return await queries.size(session) - 1


def quick(db: Database) -> Feed:
    return Feed(Sealed(db), poll_s=0.02, beat_s=0.1)


async def read(live: Feed, viewer: Viewer, *, after: int, idle_s: float = 0.0) -> list[str]:
    """The events that a follower gets, until its stream ends."""
    follower = live.follow(viewer, after=after, idle_s=idle_s)
    whole = b"".join([piece async for piece in follower.pieces()])
    return whole.decode().split("\n\n")[:-1]


def numbers(events: list[str]) -> list[int]:
    return [int(one.split("\n")[0][4:]) for one in events if one.startswith("id: ")]


def data(event: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(event.rsplit("\ndata: ", 1)[1])
    return found


async def test_a_follower_gets_what_was_missed_and_then_what_comes(
    db: Database, signer: LogSigner, start: int
) -> None:
    await a_fact(db)
    await seal_all(db, signer)
    following = asyncio.create_task(read(quick(db), EVERYBODY, after=start, idle_s=1))
    await asyncio.sleep(0.2)
    for _ in range(3):
        await a_fact(db)
        await seal_all(db, signer)
    assert numbers(await following) == [start + 1, start + 2, start + 3, start + 4]


async def test_a_follower_resumes_after_the_number_it_saw(
    db: Database, signer: LogSigner, start: int
) -> None:
    for _ in range(4):
        await a_fact(db)
    await seal_all(db, signer)
    seen = await read(quick(db), EVERYBODY, after=start + 2)
    assert numbers(seen) == [start + 3, start + 4]


async def test_followers_see_what_they_may_read(
    db: Database, signer: LogSigner, start: int
) -> None:
    live, mine = quick(db), ids.new(NOW)
    viewers = [
        EVERYBODY,
        Viewer(ids.new(NOW), staff=False),
        Viewer(mine, staff=False),
        Viewer(None, staff=True),
        Viewer(mine, staff=False, subject=mine),
        Viewer(mine, staff=False, own=True),
        Viewer(ids.new(NOW), staff=False, own=True),
    ]
    following = [
        asyncio.create_task(read(live, viewer, after=start, idle_s=0.6)) for viewer in viewers
    ]
    await asyncio.sleep(0.1)
    await a_fact(db)
    await a_private_fact(db, mine)
    await seal_all(db, signer)
    seen = [numbers(page) for page in await asyncio.gather(*following)]
    public, private = start + 1, start + 2
    both = [public, private]
    assert seen == [[public], [public], both, both, [private], [private], []]
    from_database = [numbers(await read(live, viewer, after=start)) for viewer in viewers]
    assert from_database == seen


async def test_silence_is_filled_with_the_servers_time_and_ends(db: Database, start: int) -> None:
    before = clock.now()
    seen = await read(quick(db), EVERYBODY, after=start, idle_s=0.45)
    assert seen[0] == "retry: 1000"
    assert len(seen) >= 3
    told = [datetime.fromisoformat(data(one)["server_time"]) for one in seen[1:]]
    assert all(one.startswith("event: clock\n") for one in seen[1:])
    assert before <= told[0] < told[1] <= clock.now()


async def test_every_event_carries_the_servers_time(
    db: Database, signer: LogSigner, start: int
) -> None:
    await a_fact(db)
    before = clock.now()
    await seal_all(db, signer)
    event = (await read(quick(db), EVERYBODY, after=start))[-1]
    assert before <= datetime.fromisoformat(data(event)["server_time"]) <= clock.now()


async def test_a_following_ends_in_any_case(
    db: Database, start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "LONGEST_S", 0.2)
    await asyncio.wait_for(read(quick(db), EVERYBODY, after=start, idle_s=60), 5)


async def test_no_transaction_stays_open_while_a_follower_waits(
    database_url: str, start: int
) -> None:
    own = Database(database_url)
    following = asyncio.create_task(read(Feed(Sealed(own)), EVERYBODY, after=start, idle_s=0.9))
    try:
        open_ones = 0
        for _ in range(10):
            await asyncio.sleep(0.05)
            open_ones += own.engine.pool.checkedout()
        assert open_ones <= 7  # the poller looks in for moments; a held transaction gives 10
    finally:
        await following
        await own.close()


async def test_the_poller_stops_when_nobody_follows(db: Database, start: int) -> None:
    live = quick(db)
    await read(live, EVERYBODY, after=start)
    assert live._tasks == []
    await read(live, EVERYBODY, after=start)
    assert live._followers == set()


@pytest.fixture
async def served(context: Context) -> AsyncIterator[str]:
    """The application behind a real server, since the test transport does not stream."""
    server = uvicorn.Server(
        uvicorn.Config(create_app(context), port=0, log_level="error", lifespan="off")
    )
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - the server offers no event for it.
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await running


async def test_the_feed_streams_over_http(
    served: str, db: Database, signer: LogSigner, start: int
) -> None:
    subject = ids.new(NOW)
    lines: list[str] = []
    async with (
        httpx.AsyncClient(base_url=served) as client,
        client.stream("GET", "/v1/feed", params={"after": start, "subject": str(subject)}) as got,
    ):
        assert got.headers["content-type"].startswith("text/event-stream")
        fact_id = await a_fact(db, subject)
        [sealed] = await seal_all(db, signer)
        async for line in got.aiter_lines():
            lines.append(line)
            if line.startswith('data: {"kind"'):
                break
    assert lines[:3] == ["retry: 1000", "", "event: clock"]
    assert lines[-3:-1] == [f"id: {sealed.seq}", "event: listing.ended"]
    said = json.loads(lines[-1].removeprefix("data: "))
    assert datetime.fromisoformat(said.pop("server_time")) <= clock.now()
    assert said == {
        "seq": sealed.seq,
        "kind": "listing.ended",
        "subject": str(subject),
        "record": {"listing": str(subject), "outcome": "unsold"},
        "recorded_at": "2026-11-22T09:00:00Z",
    }
    assert sealed.id == fact_id


async def test_a_browser_resumes_by_its_last_event_id(
    client: httpx.AsyncClient, db: Database, signer: LogSigner, start: int
) -> None:
    await a_fact(db)
    second = await a_fact(db)
    await seal_all(db, signer)
    answer = await client.get(
        "/v1/feed",
        params={"after": start, "idle_s": 0},
        headers={"Last-Event-ID": str(start + 1)},
    )
    assert [line for line in answer.text.splitlines() if line.startswith("id:")] == [
        f"id: {start + 2}"
    ]
    assert answer.status_code == 200
    assert second


async def test_facts_are_listed_by_number(
    client: httpx.AsyncClient, db: Database, signer: LogSigner, start: int
) -> None:
    recorded = [await a_fact(db) for _ in range(3)]
    await a_private_fact(db, ids.new(NOW))
    await seal_all(db, signer)
    first = (await client.get("/v1/facts", params={"after": start, "limit": 2})).json()
    rest = (await client.get("/v1/facts", params={"after": first["next"], "limit": 2})).json()
    assert [item["id"] for item in first["items"] + rest["items"]] == [str(r) for r in recorded]
    assert rest["next"] is None


@pytest.mark.parametrize("query", ["after=x", "after=-2", "limit=0", "limit=501", "subject=x"])
async def test_a_query_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, query: str
) -> None:
    answer = await client.get(f"/v1/facts?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-content")


async def test_the_log_is_public_and_can_be_rebuilt(
    client: httpx.AsyncClient, db: Database, signer: LogSigner
) -> None:
    await a_fact(db)
    await seal_all(db, signer)
    log_key = Verifier.parse((await client.get("/v1/log/key")).text.strip())
    leaves, after = [], -1
    while True:
        page = (await client.get(f"/v1/log/leaves?after={after}&limit=1000")).json()
        leaves += [item["leaf"].encode() for item in page["items"]]
        if page["next"] is None:
            break
        after = page["next"]
    tree = merkle.grow(0, [merkle.leaf_hash(leaf) for leaf in leaves], lambda _: b"")
    signed = (await client.get("/v1/log/checkpoint")).text
    made = proof.Proof(0, tuple(merkle.inclusion_proof(0, len(leaves), tree.__getitem__)), signed)
    assert proof.check(made, leaves[0], origin=signer.origin, trusted=[log_key]).size == len(leaves)


async def test_two_checkpoints_are_proved_consistent(
    client: httpx.AsyncClient, db: Database, signer: LogSigner
) -> None:
    await a_fact(db)
    await seal_all(db, signer)
    async with db.transaction() as session:
        old = await queries.latest_checkpoint(session)
    await a_fact(db)
    await seal_all(db, signer)
    async with db.transaction() as session:
        new = await queries.latest_checkpoint(session)
    answer = await client.get(f"/v1/log/consistency?size_1={old.size}&size_2={new.size}")
    path = [bytes.fromhex(item) for item in answer.json()["proof"]]
    assert merkle.extends(old.size, new.size, old.root, new.root, path)
    unknown = await client.get(f"/v1/log/consistency?size_1=1&size_2={1 << 40}")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown")


async def test_a_private_facts_record_stays_private_in_its_proof(
    client: httpx.AsyncClient, db: Database, signer: LogSigner
) -> None:
    public, private = await a_fact(db), await a_private_fact(db, ids.new(NOW))
    await seal_all(db, signer)
    shown = (await client.get(f"/v1/log/proof/{public}")).json()
    hidden = (await client.get(f"/v1/log/proof/{private}")).json()
    assert shown["record"]["outcome"] == "unsold"
    assert shown["blind"] is not None
    assert (hidden["record"], hidden["blind"]) == (None, None)
    for body in (shown, hidden):
        proof.check(
            proof.parse(body["tlog_proof"]),
            body["leaf"].encode(),
            origin=signer.origin,
            trusted=[Verifier.parse(body["log_vkey"])],
        )


async def test_a_listing_shows_the_proof_of_its_publication(
    client: httpx.AsyncClient, db: Database, signer: LogSigner
) -> None:
    listing = ids.new(NOW)
    path = f"/v1/listings/{listing}/proof"
    assert (await client.get(path)).json()["code"] == "unknown"
    record = {name: str(listing) for name in ("listing", "work", "master", "party", "auction")}
    record["master_chunk_root"] = None
    record |= dict.fromkeys(("master_sha256", "probe_sha256", "fingerprint_sha256"), "00" * 32)
    async with db.transaction() as session:
        await facts.record(
            session,
            "listing.published",
            listing,
            {**record, "title": {"zh": "山海", "en": "Hills"}, "rights": [], "sale": {}},
            now=NOW,
        )
    waiting = await client.get(path)
    assert (waiting.status_code, waiting.json()["code"]) == (503, "not-sealed-yet")
    await seal_all(db, signer)
    assert (await client.get(path)).json()["record"]["title"]["zh"] == "山海"


async def test_production_does_not_make_up_a_key(tmp_path: Path) -> None:
    production = Settings.model_construct(environment="production", home=tmp_path, keys_dir=None)
    with pytest.raises(LogKeyMissing):
        keys.log_signer(production)
