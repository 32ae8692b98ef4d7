"""`kill -9` of API process, worker and PostgreSQL under 128 bidding clients, seeded.

What was acknowledged stands; the log has no gap; nothing is accepted after the close; whoever was
received in time is not told that it was late. One round in every test run, twenty in `make soak`.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import pytest
from sqlalchemy import text

from contracts import canonical, ids, rfc3339
from exchange import clock, migrating
from exchange.context import Context, open_context
from exchange.demo.processes import Processes
from exchange.settings import Settings
from listings.auctions import chain, queries, rules, service
from tests.contracts.parties_factory import party
from tests.e2e import harness
from tests.exchange.identity_factory import api_key, person

CLIENTS, BIDDERS = 128, 16
SEED = int(os.environ.get("SOAK_ROUND", "1"))
ROUNDS = 20 if "SOAK_ROUND" in os.environ else 1
BIDDING_S, KILLS_UNTIL_S = 6.0, 5.0
FLOOR, STEP = 100_000, 1_000
VICTIMS = ("serve", "work-1", "postgres")


@dataclass
class Tally:
    """What the clients were told."""

    acknowledged: dict[str, int] = field(default_factory=dict)  # bid → sequence
    late: dict[str, str] = field(default_factory=dict)  # bid → the close that it was told
    unsure: int = 0  # answers that were no answer: cut, 503, refused connections
    amount: int = FLOOR


async def client(own: Settings, auction: UUID, key: str, tally: Tally, over: asyncio.Event) -> None:
    """Bid until the auction is over; what is not answered is sent again under the same id."""
    while not over.is_set():
        bid = ids.new(clock.now())
        amount, tally.amount = tally.amount, tally.amount + STEP
        while not over.is_set():
            status, body = await put(own.port, auction, bid, key, amount)
            if status in (200, 201):
                tally.acknowledged[str(bid)] = body["sequence"]
                break
            if status == 409 and body["code"] == "auction-closed":
                tally.late[str(bid)] = body["closed_at"]
                over.set()
            if status in (409, 422):
                break
            tally.unsure += 1
            await asyncio.sleep(0.5)


async def put(
    port: int, auction: UUID, bid: UUID, key: str, amount: int
) -> tuple[int, dict[str, object]]:
    """Send one bid on a connection of its own; status 0 when there is no answer."""
    content = json.dumps({"amount_minor": amount, "currency": "CNY"})
    asked = (
        f"PUT /v1/auctions/{auction}/bids/{bid} HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n{content}"
    )
    try:
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(asked.encode())
            got = await reader.read()
            writer.close()
    except (OSError, TimeoutError):
        return 0, {}
    head, _, body = got.partition(b"\r\n\r\n")
    if len(head) < 12 or not body.endswith(b"}"):
        return 0, {}
    return int(head[9:12]), json.loads(body)


async def sabotage(processes: Processes, home: Path, random: Random) -> list[str]:
    """Kill each kind of process once, in a drawn order and at drawn times."""
    order = random.sample(VICTIMS, len(VICTIMS))
    times = sorted(random.uniform(0.5, KILLS_UNTIL_S) for _ in order)
    begun = asyncio.get_running_loop().time()
    for name, at in zip(order, times, strict=True):
        await asyncio.sleep(max(0.0, begun + at - asyncio.get_running_loop().time()))
        with suppress(ProcessLookupError, FileNotFoundError):
            if name == "postgres":
                harness.kill_postgres(home)
            else:
                harness.kill(processes, name)
    return order


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="exchange-bids-") as folder:
        yield Path(folder)


@asynccontextmanager
async def exchange(home: Path) -> AsyncIterator[tuple[Settings, Context, Processes, list[str]]]:
    """A whole exchange of its own, and keys of bidders."""
    own = harness.own_settings(home)
    context = open_context(own)
    migrating.migrate(context.db.url)
    now, keys = clock.now(), []
    async with context.db.transaction() as session:
        for _ in range(BIDDERS):
            who = await party(session, kind="broadcaster", verified=True, now=now)
            acts = await person(session, party_id=who.id, role="broadcaster", now=now)
            keys.append(await api_key(session, person=acts, scopes=("read", "bid"), now=now))
    processes = Processes(own, workers=1)
    await processes.start()
    try:
        yield own, context, processes, keys
    finally:
        await processes.stop()
        await context.db.close()


async def opened(context: Context) -> UUID:
    """Open an auction of some seconds with a soft close."""
    now = clock.now()
    auction_id = ids.new(now)
    end = now + timedelta(seconds=BIDDING_S)
    async with context.db.transaction() as session:
        seller = await party(session, kind="rights_holder", verified=True, now=now)
        sale = {
            "method": "english", "auction_id": str(auction_id), "currency": "CNY",
            "floor_minor": FLOOR, "step_minor": 1, "opens_at": rfc3339.exact(now),
            "closes_at": rfc3339.exact(end), "soft_close_s": 1,
            "hard_stop_at": rfc3339.exact(end + timedelta(seconds=3)),
        }  # fmt: skip
        await service.open_auction(
            session, auction_id, listing_id=ids.new(now), work_id=ids.new(now),
            seller_id=seller.id, sale=sale, now=now,
        )  # fmt: skip
    return auction_id


@pytest.mark.slow
async def test_bids_survive_kill_9_of_every_process(home: Path) -> None:
    async with exchange(home) as (own, context, processes, keys):
        for number in range(ROUNDS):
            random = Random(SEED * 1_000 + number)
            auction, tally, over = await opened(context), Tally(), asyncio.Event()
            killing = asyncio.create_task(sabotage(processes, home, random))
            async with asyncio.timeout(180):
                await asyncio.gather(
                    *(client(own, auction, keys[n % BIDDERS], tally, over) for n in range(CLIENTS))
                )
                assert set(await killing) == set(VICTIMS)
                await until_closed(context, auction)
            summary = await the_auction_is_whole(context, auction, tally)
            print(f"round {SEED}.{number}: {json.dumps(summary)}")  # noqa: T201 - soak's figures.


async def until_closed(context: Context, auction: UUID) -> None:
    while True:
        with suppress(Exception):
            async with context.db.transaction() as session:
                if (await queries.get_auction(session, auction)).result is not None:
                    return
        await asyncio.sleep(0.2)


async def the_auction_is_whole(context: Context, auction_id: UUID, tally: Tally) -> dict[str, int]:
    async with context.db.transaction() as session:
        auction = await queries.get_auction(session, auction_id)
        log = await queries.log(session, auction_id)
        book, events = queries.book(auction), await queries.events(session, auction_id)
        late = await session.execute(
            text(
                "SELECT received_at FROM refused_bid WHERE auction_id = :id "
                "AND code = 'auction-closed'"
            ),
            {"id": auction_id},
        )
        refused_late = list(late.scalars())
    # The sequence has no gap, the chain holds, and the row is the fold of the log.
    head = chain.GENESIS
    for place, event in enumerate(log):
        assert event.seq == place
        head = chain.link(head, chain.event(event.seq, event.kind, event.at, event.body))
        assert event.hash == head
    assert (auction.head_sha256, auction.standing) == (head, rules.fold(book, events).to_json())
    # Every acknowledged bid stands, once, under the number that was told.
    logged = {event.body["bid"]: event.seq for event in events if event.kind == "bid"}
    lost = {bid for bid, seq in tally.acknowledged.items() if logged.get(bid) != seq}
    assert lost == set()
    # Nothing was accepted after the close, and nobody was told "late" who came in time.
    [closed] = [event for event in events if event.kind == "closed"]
    assert all(event.seq < closed.seq for event in events if event.kind == "bid")
    assert all(event.at < closed.at for event in events if event.kind == "bid")
    assert [at for at in refused_late if at < closed.at] == []
    assert canonical.loads(auction.result or b"")["bids"] == len(logged)
    return {
        "acknowledged": len(tally.acknowledged), "logged": len(logged), "lost": len(lost),
        "unsure": tally.unsure, "late": len(refused_late),
        "extended": sum(event.kind == "extended" for event in events),
    }  # fmt: skip
