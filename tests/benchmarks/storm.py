"""A storm at the close: `make bench B=storm`; the last line is one JSON object.

Twenty thousand bids on one English auction with a soft close, four fifths of them within the last
500 ms before the announced end, through two doors (gatherers as two API processes have them) into
one PostgreSQL with fsync on, while the closer looks every 50 ms. HTTP is left out: no generator
sends 32,000 requests a second on the same two cores. Far more comes than is written in half a
second, so `p99_ms` is the time to work the storm off; what must be nought is who was told "late"
though received in time, and how often the close moved wrongly, reckoned anew from the log by the
rule's own words.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text

from contracts import canonical, ids, rfc3339
from contracts.refusal import Refusal
from exchange import clock, embedded
from exchange.bidding import Bidding
from exchange.db import Database
from exchange.migrating import migrate
from listings.auctions import ending, queries, service
from listings.auctions.arrivals import Arrival
from tests.benchmarks.bidload import at as quantile
from tests.contracts.parties_factory import party

BIDS = int(os.environ.get("BENCH_BIDS", "20000"))
STORM = BIDS * 4 // 5
CALM_S, STORM_S = 4.0, 0.5
WINDOW_S, HARD_S = 2, 120
FLOOR, STEP, BIDDERS = 100_000, 100, 16


@dataclass
class Seen:
    """What the bidders were told."""

    codes: Counter[str] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)


async def storm(url: str) -> dict[str, Any]:
    db, closer = Database(url), Database(url)
    doors = [Bidding(db), Bidding(db)]
    for door in doors:
        await door.start()
    bidders = await enrol(db)
    end = clock.now() + timedelta(seconds=CALM_S + STORM_S + 0.5)
    auction = await opened(db, end)
    seen, closing = Seen(), asyncio.create_task(close(closer, auction))
    sends = []
    for number, at in enumerate(instants(end)):
        delay = (at - clock.now()).total_seconds()
        if delay > 0.001:
            await asyncio.sleep(delay)
        sends.append(
            asyncio.create_task(
                send(doors[number % 2], auction, bidders[number % BIDDERS], number, seen)
            )
        )
        if number % 64 == 0:
            await asyncio.sleep(0)
    offered_late_ms = (clock.now() - end) // timedelta(milliseconds=1)
    await asyncio.gather(*sends)
    await closing
    found = await checked(db, auction)
    for door in doors:
        await door.close()
    await db.close()
    await closer.close()
    times = sorted(seen.took_s)
    return {
        "bench": "storm",
        **found,
        "p50_ms": round(quantile(times, 0.5) * 1000, 1),
        "p99_ms": round(quantile(times, 0.99) * 1000, 1),
        "bids": BIDS,
        "in_the_last_500_ms": STORM,
        "offered_until_ms_after_end": offered_late_ms,
        "told": dict(seen.codes),
        "load": [round(one, 2) for one in os.getloadavg()],
        "limit": {"wrongly_late": 0, "extensions_wrong": 0},
    }


def instants(end: datetime) -> list[datetime]:
    """Return when each bid is sent: a fifth evenly before, the rest in the last half second."""
    calm, rush = BIDS - STORM, end - timedelta(seconds=STORM_S)
    before = rush - timedelta(seconds=CALM_S)
    slow = [before + timedelta(seconds=CALM_S * n / calm) for n in range(calm)]
    return slow + [rush + timedelta(seconds=STORM_S * n / STORM) for n in range(STORM)]


async def send(door: Bidding, auction: UUID, bidder: UUID, number: int, seen: Seen) -> None:
    begun = clock.ticks()
    content = {"amount_minor": FLOOR + number * STEP, "currency": "CNY"}
    try:
        with door.receipt() as at:
            arrival = Arrival(ids.new(at), bidder, bidder, content, at)
            await door.place(auction, arrival)
        seen.codes["accepted"] += 1
    except Refusal as refusal:
        seen.codes[refusal.code] += 1
    seen.took_s.append(clock.ticks() - begun)


async def enrol(db: Database) -> list[UUID]:
    now = clock.now()
    async with db.transaction() as session:
        return [
            (await party(session, kind="broadcaster", verified=True, now=now)).id
            for _ in range(BIDDERS)
        ]


async def opened(db: Database, end: datetime) -> UUID:
    now = clock.now()
    auction_id = ids.new(now)
    sale = {
        "method": "english", "auction_id": str(auction_id), "currency": "CNY",
        "floor_minor": FLOOR, "step_minor": 1, "opens_at": rfc3339.exact(now),
        "closes_at": rfc3339.exact(end), "soft_close_s": WINDOW_S,
        "hard_stop_at": rfc3339.exact(end + timedelta(seconds=HARD_S)),
    }  # fmt: skip
    async with db.transaction() as session:
        seller = await party(session, kind="rights_holder", verified=True, now=now)
        await service.open_auction(
            session, auction_id, listing_id=ids.new(now), work_id=ids.new(now),
            seller_id=seller.id, sale=sale, now=now,
        )  # fmt: skip
    return auction_id


async def close(db: Database, auction_id: UUID) -> None:
    """Look as the worker does, until the auction is closed."""
    while True:
        await asyncio.sleep(0.05)
        async with db.transaction() as session:
            await ending.close_due(session, now=clock.now())
        async with db.transaction() as session:
            if (await queries.get_auction(session, auction_id)).result is not None:
                return


async def checked(db: Database, auction_id: UUID) -> dict[str, Any]:
    """Reckon the close anew from the log, and look for bids wrongly told that they were late."""
    async with db.transaction() as session:
        auction = await queries.get_auction(session, auction_id)
        events = await queries.events(session, auction_id)
        late = await session.execute(
            text(
                "SELECT count(*) FILTER (WHERE received_at < :end), count(*) FROM refused_bid "
                "WHERE auction_id = :id AND code = 'auction-closed'"
            ),
            {"id": auction_id, "end": auction.closes_at},
        )
        wrongly, all_late = late.one()
    book = canonical.loads(auction.rulebook)
    closes_at = datetime.fromisoformat(book["closes_at"])
    stop = datetime.fromisoformat(book["hard_stop_at"])
    window, leader, moves, wrong = timedelta(seconds=WINDOW_S), None, 0, 0
    for event in events:
        if event.kind != "bid":
            continue
        if event.body["paddle"] != leader and event.at > closes_at - window:
            to = max(closes_at, min(stop, event.at + window))
            moves += to > closes_at
            closes_at = to
        leader = event.body["paddle"]
        wrong += datetime.fromisoformat(event.body["after"]["closes_at"]) != closes_at
    wrong += abs(moves - auction.extensions) + (auction.closes_at != closes_at)
    return {
        "wrongly_late": wrongly,
        "extensions_wrong": wrong,
        "extensions": auction.extensions,
        "late": all_late,
        "accepted": auction.bids,
        "log_gapless": [event.seq for event in events] == list(range(len(events))),
    }


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="exchange-storm-") as folder:
        url = embedded.start(Path(folder))
        try:
            migrate(url)
            result = asyncio.run(storm(url))
        finally:
            embedded.stop(Path(folder))
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
