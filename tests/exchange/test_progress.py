"""How far an examination is: the stream of the API, what the portal shows, and the command."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange import clock, master_verbs, masters_cli
from exchange.app import create_app
from exchange.context import Context
from listings.examinations import queries, rules, service
from tests.exchange.identity_factory import signed_client
from tests.exchange.test_pieces import begin, cutting, run
from tests.listings.examinations_media import open_groups


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return open_groups(tmp_path_factory.mktemp("film")).read_bytes()


@pytest.fixture
async def holder(context: Context) -> AsyncIterator[httpx.AsyncClient]:
    async with signed_client(context) as (client, _):
        yield client


def events(text: str) -> list[dict[str, Any]]:
    lines = text.splitlines()
    assert lines[0] == "retry: 1000"
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


async def seen(client: httpx.AsyncClient, master_id: UUID) -> list[dict[str, Any]]:
    answer = await client.get(f"/v1/masters/{master_id}/progress", params={"idle_s": 0})
    assert answer.headers["content-type"].startswith("text/event-stream")
    return events(answer.text)


async def test_the_stream_tells_pieces_and_the_rest_and_ends_when_the_master_is_ready(
    holder: httpx.AsyncClient, context: Context, film: bytes
) -> None:
    master_id = await begin(cutting(context), holder, film)
    async with context.db.transaction() as session:
        count = len(await queries.pieces(session, master_id))
        await service.take(session, master_id, 0, worker="one", now=clock.now())
        await service.show_piece(session, master_id, 0, done_bp=5_000)
    (half,) = await seen(holder, master_id)
    assert (half["state"], half["stage"]) == ("examining", "decoding")
    assert (half["done_bp"], half["pieces"], half["pieces_done"]) == (5_000 // count, count, 0)
    assert half["eta_s"] is not None
    await master_verbs.examine_piece(context, master_id, 0)
    assert (await seen(holder, master_id))[0]["pieces_done"] == 1
    await run(cutting(context), master_id)
    answer = await holder.get(f"/v1/masters/{master_id}/progress")
    assert events(answer.text) == [
        {"state": "ready", "stage": "done", "done_bp": 10_000, "pieces": count,
         "pieces_done": count, "eta_s": None}
    ]  # fmt: skip


async def test_another_partys_examination_is_unknown(
    holder: httpx.AsyncClient, context: Context, film: bytes
) -> None:
    master_id = await begin(cutting(context), holder, film)
    async with signed_client(context) as (stranger, _):
        answer = await stranger.get(f"/v1/masters/{master_id}/progress")
    assert answer.status_code == 404


async def test_the_command_follows_until_the_end(
    holder: httpx.AsyncClient, context: Context, film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    master_id = await begin(context, holder, film)
    app, key = create_app(context), holder.headers["authorization"].removeprefix("Bearer ")
    client = httpx.AsyncClient

    def within(**given: Any) -> httpx.AsyncClient:
        return client(transport=httpx.ASGITransport(app=app), **given)

    monkeypatch.setattr(masters_cli.httpx, "AsyncClient", within)
    last = await masters_cli._watch(master_id, "http://exchange.test", key)
    assert (last["state"], last["done_bp"]) == ("ready", 10_000)
    with pytest.raises(masters_cli.MasterNotShown):
        await masters_cli._watch(uuid4(), "http://exchange.test", key)


@given(
    done=st.integers(0, 10_000),
    spent=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3)),
)
def test_the_rest_is_told_at_the_pace_so_far(done: int, spent: timedelta) -> None:
    began = datetime(2026, 11, 22, tzinfo=UTC)
    left = rules.remaining_s(done, started_at=began, now=began + spent)
    if done < rules.SOON_BP or done == rules.WHOLE_BP:
        assert left is None
    else:
        assert left is not None
        whole = spent.total_seconds() * rules.WHOLE_BP / done
        assert abs(left + spent.total_seconds() - whole) <= 1
