"""A long master: planned, decoded piece by piece by whoever comes, joined, the same as in one."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import httpx
import pytest
from sqlalchemy import text

from contracts import ids
from contracts.facts.rules import SealedFact
from exchange import clock, master_verbs
from exchange.context import Context
from listings.examinations import queries, rules, service
from listings.masters import queries as masters
from listings.masters.conformance import queries as conformance
from listings.masters.objects import ObjectsAway
from tests.exchange.identity_factory import signed_client
from tests.exchange.uploads_factory import upload
from tests.listings.examinations_media import open_groups


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return open_groups(tmp_path_factory.mktemp("film")).read_bytes()


@pytest.fixture
async def holder(context: Context) -> AsyncIterator[httpx.AsyncClient]:
    async with signed_client(context) as (client, _):
        yield client


def cutting(context: Context) -> Context:
    """A worker that cuts films of four seconds and more."""
    return replace(context, settings=context.settings.model_copy(update={"piece_s": 2}))


async def begin(context: Context, client: httpx.AsyncClient, content: bytes) -> UUID:
    master_id = await upload(client, content)
    record = {
        "master": str(master_id), "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }  # fmt: skip
    now = clock.now()
    fact = SealedFact(1, ids.new(now), "master.received", master_id, [], record, now)
    async with context.db.transaction() as session:
        await master_verbs.examine_master(context, session, fact, now)
    return master_id


async def jobs_of(context: Context, master_id: UUID) -> list[tuple[str, int | None]]:
    """The jobs that wait for a master; they are taken away, as a worker takes them."""
    async with context.db.transaction() as session:
        found = await session.execute(
            text(
                "DELETE FROM procrastinate_jobs WHERE args->>'master_id' = :id "
                "RETURNING task_name, (args->>'number')::int, id"
            ),
            {"id": str(master_id)},
        )
        return [(name, number) for name, number, _ in sorted(found.all(), key=lambda row: row[2])]


async def run(context: Context, master_id: UUID) -> None:
    while waiting := await jobs_of(context, master_id):
        for name, number in reversed(waiting):
            if name == "exchange.decode":
                assert number is not None
                await master_verbs.examine_piece(context, master_id, number)
            else:
                await master_verbs.join_pieces(context, master_id)


async def outcome(context: Context, client: httpx.AsyncClient, master_id: UUID) -> dict[str, Any]:
    shown = (await client.get(f"/v1/masters/{master_id}")).json()
    async with context.db.transaction() as session:
        measured = await conformance.find_measures(session, master_id)
        video = await masters.codes(session, master_id, "video")
    windows = context.objects.read(f"derived/{master_id}/query.u1")
    return {
        "state": shown["state"], "probe": shown["probe"], "fingerprint": shown["fingerprint"],
        "measures": measured and measured.content, "video": video, "windows": windows,
        "thumbs": context.objects.read(f"derived/{master_id}/thumbs.json"),
        "signature": context.objects.read(f"derived/{master_id}/signature.mp7"),
    }  # fmt: skip


async def test_a_master_in_pieces_ends_as_it_does_in_one(
    holder: httpx.AsyncClient, context: Context, film: bytes
) -> None:
    whole = await outcome(context, holder, await begin(context, holder, film))
    master_id = await begin(cutting(context), holder, film)
    between = (await holder.get(f"/v1/masters/{master_id}")).json()
    assert between["state"] == "examining"
    await run(cutting(context), master_id)
    joined = await outcome(context, holder, master_id)
    assert whole["state"] == joined["state"] == "ready"
    assert joined == whole
    async with context.db.transaction() as session:
        pieces = await queries.pieces(session, master_id)
    assert len(pieces) >= 3
    assert {(piece.state, piece.attempts) for piece in pieces} == {("done", 1)}
    for piece in pieces:
        key = f"derived/{master_id}/pieces/{piece.number}/part.json"
        assert context.objects.size(key) is None
    assert (context.objects.size(f"derived/{master_id}/proxy.mp4") or 0) > 1000


async def test_every_piece_and_the_joining_may_run_twice_at_once(
    holder: httpx.AsyncClient, context: Context, film: bytes
) -> None:
    master_id = await begin(cutting(context), holder, film)
    numbers = [number for _, number in await jobs_of(context, master_id)]
    assert numbers == list(range(len(numbers)))
    for number in numbers:
        twice = [master_verbs.examine_piece(context, master_id, number) for _ in range(2)]
        await asyncio.gather(*twice)
    assert await jobs_of(context, master_id) == [("exchange.join", None)]
    await asyncio.gather(*[master_verbs.join_pieces(context, master_id) for _ in range(2)])
    async with context.db.transaction() as session:
        master = await masters.get_master(session, master_id)
        facts = await session.execute(
            text("SELECT count(*) FROM fact WHERE subject = :id AND kind = 'master.examined'"),
            {"id": master_id},
        )
        assert (master.state, facts.scalar_one()) == ("ready", 1)


async def test_planning_again_keeps_what_is_decoded(
    holder: httpx.AsyncClient, context: Context, film: bytes
) -> None:
    master_id = await begin(cutting(context), holder, film)
    await master_verbs.examine_piece(context, master_id, 0)
    async with context.db.transaction() as session:
        run = await queries.find_run(session, master_id)
        assert run is not None
        known = master_verbs.Known(run.record, run.sums)
        cut = [
            master_verbs.spans.unpacked(p.span) for p in await queries.pieces(session, master_id)
        ]
        await service.begin(session, master_id, known, cut=cut, tier="sampled", now=clock.now())
        pieces = await queries.pieces(session, master_id)
    assert [piece.state for piece in pieces] == ["done", *["waiting"] * (len(cut) - 1)]


async def test_a_piece_that_every_worker_dies_of_refuses_the_master(
    holder: httpx.AsyncClient, context: Context, film: bytes
) -> None:
    master_id = await begin(cutting(context), holder, film)
    now = clock.now()
    await master_verbs.examine_piece(context, master_id, 0)
    assert context.objects.size(f"derived/{master_id}/pieces/0/names.json")
    for _ in range(rules.MOST_ATTEMPTS - 1):
        async with context.db.transaction() as session:
            assert await service.take(session, master_id, 1, worker="dying", now=now)
    await master_verbs.examine_piece(context, master_id, 1)
    shown = (await holder.get(f"/v1/masters/{master_id}")).json()
    assert (shown["state"], shown["refusal"]["code"]) == ("refused", "examination-too-large")
    async with context.db.transaction() as session:
        assert await service.take(session, master_id, 0, worker="late", now=now) is None
    await run(context, master_id)
    key = f"derived/{master_id}/pieces/0/names.json"
    assert context.objects.size(key) is None


async def test_a_store_that_is_away_is_not_held_against_the_file(
    holder: httpx.AsyncClient, context: Context, film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    master_id = await begin(cutting(context), holder, film)

    def away(*_: Any) -> None:
        raise ObjectsAway("The object store cannot be used.")

    with monkeypatch.context() as broken:
        broken.setattr(master_verbs.Derived, "keep_piece", away)
        for _ in range(rules.MOST_ATTEMPTS + 1):
            with pytest.raises(ObjectsAway):
                await master_verbs.examine_piece(context, master_id, 0)
    async with context.db.transaction() as session:
        first = (await queries.pieces(session, master_id))[0]
    assert (first.state, first.attempts) == ("waiting", 0)
    await run(context, master_id)
    assert (await holder.get(f"/v1/masters/{master_id}")).json()["state"] == "ready"


async def test_a_master_shows_the_share_of_all_its_pieces(
    holder: httpx.AsyncClient, context: Context, film: bytes
) -> None:
    master_id = await begin(cutting(context), holder, film)
    async with context.db.transaction() as session:
        count = len(await queries.pieces(session, master_id))
        await service.take(session, master_id, 0, worker="one", now=clock.now())
        await service.show_piece(session, master_id, 0, done_bp=5_000)
    shown = (await holder.get(f"/v1/masters/{master_id}")).json()
    assert (shown["stage"], shown["done_bp"]) == ("decoding", 5_000 // count)


async def test_pieces_of_a_damaged_master_end_it(
    holder: httpx.AsyncClient, context: Context, film: bytes
) -> None:
    master_id = await begin(cutting(context), holder, film)
    path: Path = context.masters.local(master_id, len(film))
    await anyio.Path(path).write_bytes(film[: len(film) // 2])
    await run(context, master_id)
    shown = (await holder.get(f"/v1/masters/{master_id}")).json()
    assert shown["state"] == "refused"
    assert shown["refusal"]["code"] in ("truncated-master", "not-a-video")
