"""The live feed with a thousand watchers: `make bench B=feed`. The last line is one JSON object.

One server process, one generator process, the same machine. Five events a second go to every
watcher through two endpoints that hear of them from one source at one moment: ours (`exchange.feed`
and `exchange.streams`: each event encoded once, its bytes shared) and the peer, FastAPI's own
`fastapi.sse` (each watcher's generator yields the event, which is encoded for each). They take
turns, RUNS times each; medians are told. A delivery is timed from the moment the source has the
event to its arrival at the watcher; the machine has one clock.

Options by environment: FEED_WATCHERS (1000), FEED_RUNS (5), FEED_SECONDS (6).
"""

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import uvicorn
from fastapi import FastAPI, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from contracts.facts.rules import SealedFact
from exchange import clock, streams
from exchange.feed import Feed
from exchange.server import Server
from exchange.telling import Viewer

WATCHERS = int(os.environ.get("FEED_WATCHERS", "1000"))
RUNS = int(os.environ.get("FEED_RUNS", "5"))
SECONDS = int(os.environ.get("FEED_SECONDS", "6"))
EVERY_S = 0.2
AUCTION = UUID(int=7)
WAYS = ("ours", "native")


@dataclass
class Source:
    """Facts made in memory, so that neither way waits for a database."""

    facts: list[SealedFact] = field(default_factory=list)
    queues: set["asyncio.Queue[SealedFact]"] = field(default_factory=set)

    async def size(self) -> int:
        """Return how many facts there are."""
        return len(self.facts)

    async def page(
        self, viewer: Viewer, *, after: int, limit: int
    ) -> tuple[int, Sequence[SealedFact]]:
        """Return what is new."""
        del viewer
        return len(self.facts), self.facts[after + 1 : after + 1 + limit]

    def make(self) -> None:
        """Make one fact, and tell the peer's watchers at once."""
        now = clock.now()
        record = {
            "auction": str(AUCTION), "bid": str(UUID(int=len(self.facts))), "paddle": 3,
            "amount_minor": 1_000_000 + len(self.facts), "currency": "CNY",
            "sequence": len(self.facts), "received_at": now.isoformat(), "closes_at": "…",
            "made_ns": time.monotonic_ns(),
        }  # fmt: skip
        fact = SealedFact(
            len(self.facts), UUID(int=len(self.facts)), "bid.placed", AUCTION, (), record, now
        )
        self.facts.append(fact)
        for queue in self.queues:
            queue.put_nowait(fact)


def application(source: Source, feed: Feed) -> FastAPI:
    """Both ways, side by side."""
    app = FastAPI()

    @app.get("/ours", response_class=streams.EventStream)
    async def ours(request: Request) -> streams.EventStream:
        after = len(source.facts) - 1
        viewer = Viewer(None, staff=False, subject=AUCTION)
        cut = streams.cutter(request.scope)
        return streams.EventStream(feed.follow(viewer, after=after, idle_s=60, cut=cut))

    @app.get("/native", response_class=EventSourceResponse)
    async def native() -> AsyncIterator[ServerSentEvent]:
        queue: asyncio.Queue[SealedFact] = asyncio.Queue(64)
        source.queues.add(queue)
        try:
            while True:
                fact = await queue.get()
                data = {
                    "seq": fact.seq, "kind": fact.kind, "subject": str(fact.subject),
                    "record": dict(fact.record), "recorded_at": fact.recorded_at.isoformat(),
                    "server_time": clock.now().isoformat(),
                }  # fmt: skip
                yield ServerSentEvent(data=data, event=fact.kind, id=str(fact.seq))
        finally:
            source.queues.discard(queue)

    @app.get("/rss")
    def rss() -> dict[str, float]:
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
        return {
            "rss_mb": round(pages * resource.getpagesize() / 2**20, 1),
            "cpu_s": sum(resource.getrusage(resource.RUSAGE_SELF)[:2]),
        }

    return app


async def serve(port: int) -> None:
    """The server's process: five facts a second for as long as it lives."""
    source = Source()
    feed = Feed(source, poll_s=0.005)  # the source is asked often: the fan-out alone is measured
    config = uvicorn.Config(
        application(source, feed), port=port, http=streams.Protocol, log_level="error",
        lifespan="off", timeout_graceful_shutdown=3,
    )  # fmt: skip
    server = Server(config, feed)

    async def making() -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            source.make()

    maker = asyncio.create_task(making())
    await server.serve()
    maker.cancel()


async def ask(port: int, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection and ask; return it once the headers are read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def rss(port: int) -> dict[str, float]:
    """What the server's process holds and has used."""
    reader, writer = await ask(port, "/rss")
    told: dict[str, float] = json.loads(await reader.readuntil(b"}"))
    writer.close()
    return told


async def watch(reader: asyncio.StreamReader, late: list[float]) -> None:
    """Time every event from its making to its arrival here."""
    mark = b'"made_ns":'
    while piece := await reader.read(1 << 16):
        arrived = time.monotonic_ns()
        at = 0
        while (at := piece.find(mark, at)) >= 0:
            at += len(mark)
            made = int(piece[at : at + 20].split(b"}")[0].split(b",")[0])
            late.append((arrived - made) / 1e6)


async def run(port: int, way: str) -> dict[str, Any]:
    """Watch for SECONDS with WATCHERS connections."""
    idle = await rss(port)
    opened = await asyncio.gather(*(ask(port, f"/{way}") for _ in range(WATCHERS)))
    late: list[list[float]] = [[] for _ in opened]
    tasks = [
        asyncio.create_task(watch(reader, mine))
        for (reader, _), mine in zip(opened, late, strict=True)
    ]
    await asyncio.sleep(2.0)
    for mine in late:
        mine.clear()
    before, begun = await rss(port), time.monotonic()
    await asyncio.sleep(SECONDS)
    took = time.monotonic() - begun
    after = await rss(port)
    times = sorted(one for mine in late for one in mine)
    for task, (_, writer) in zip(tasks, opened, strict=True):
        task.cancel()
        writer.close()
    await asyncio.sleep(1.0)
    return {
        "delivered_per_s": round(len(times) / took),
        "p50_ms": round(times[len(times) // 2], 1),
        "p99_ms": round(times[len(times) * 99 // 100], 1),
        "rss_mb": after["rss_mb"],
        "rss_added_mb": round(after["rss_mb"] - idle["rss_mb"], 1),
        "server_cpu_percent": round((after["cpu_s"] - before["cpu_s"]) / took * 100),
    }


async def measure(port: int) -> dict[str, Any]:
    """Let both ways take turns."""
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for number in range(RUNS):
        for way in WAYS if number % 2 == 0 else WAYS[::-1]:
            one = await run(port, way)
            found[way].append(one)
            sys.stdout.write(f"{way}: {one}\n")
            sys.stdout.flush()
    return {
        way: {name: statistics.median(one[name] for one in runs) for name in runs[0]}
        for way, runs in found.items()
    }


def main() -> None:
    """Start the server's process, measure, and print one JSON line."""
    if len(sys.argv) > 1:
        asyncio.run(serve(int(sys.argv[1])))
        return
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
    port = 18_000 + os.getpid() % 1_000
    server = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.feed", str(port)])
    try:
        asyncio.run(started(port))
        medians = asyncio.run(measure(port))
    finally:
        server.terminate()
        server.wait(10)
    told = {
        "bench": "feed",
        "watchers": WATCHERS,
        "events_per_s": round(1 / EVERY_S),
        "wanted_per_s": round(WATCHERS / EVERY_S),
        **medians["ours"],
        "native": medians["native"],
        "runs": RUNS,
        "load": round(os.getloadavg()[0], 1),
    }
    sys.stdout.write(json.dumps(told) + "\n")


async def started(port: int) -> None:
    """Wait until the server answers."""
    for _ in range(200):
        try:
            await rss(port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            return
    sys.exit("the server did not start")


if __name__ == "__main__":
    main()
