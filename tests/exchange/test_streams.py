"""Event streams through a real server: who does not read is dropped, and stopping does not hang."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, Request

from contracts import ids
from contracts.facts.rules import SealedFact
from exchange import streams
from exchange.feed import Feed
from exchange.server import Server
from exchange.telling import Viewer
from tests.conftest import NOW
from tests.exchange.test_feed_resume import AUCTION, Memory

ASK = b"GET /events HTTP/1.1\r\nHost: exchange.test\r\n\r\n"
LONG = "x" * 100_000


def application(live: Feed) -> FastAPI:
    app = FastAPI()

    @app.get("/events", response_class=streams.EventStream)
    async def events(request: Request) -> streams.EventStream:
        follower = live.follow(
            Viewer(None, staff=False), after=-1, idle_s=900, cut=streams.cutter(request.scope)
        )
        return streams.EventStream(follower)

    return app


@asynccontextmanager
async def serving(live: Feed) -> AsyncIterator[tuple[Server, asyncio.Task[None], int]]:
    """The server as `exchange serve` runs it, which would wait for open answers for ever."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            application(live), http=streams.Protocol, log_level="error", lifespan="off"
        )
        server = Server(config, live)
        task = asyncio.create_task(server.serve(sockets=[listening]))
        yield server, task, listening.getsockname()[1]
        server.should_exit = True
        await asyncio.wait_for(task, 20)


async def test_a_frozen_reader_is_dropped_with_all_that_waited_for_it() -> None:
    memory = Memory()
    live = Feed(memory, poll_s=0.001)
    async with serving(live) as (_, _, port):
        frozen = socket.create_connection(("127.0.0.1", port))
        with frozen:
            frozen.sendall(ASK)
            async with asyncio.timeout(20):
                while not live._followers:  # noqa: ASYNC110 - nobody tells when it has come.
                    await asyncio.sleep(0.01)
                while live._followers:
                    fact = SealedFact(
                        len(memory.facts), ids.new(NOW), "bid.placed", AUCTION, (),
                        {"text": LONG}, NOW,
                    )  # fmt: skip
                    memory.facts.append(fact)
                    await asyncio.sleep(0.002)
            frozen.settimeout(5)
            assert await asyncio.to_thread(ends, frozen)


def ends(connection: socket.socket) -> bool:
    """Whether the connection is over: reset, or at its end before the whole answer came."""
    read = b""
    try:
        while piece := connection.recv(1 << 20):
            read += piece
    except ConnectionResetError:
        return True
    return not read.endswith(b"0\r\n\r\n")


async def test_a_client_that_goes_away_is_forgotten() -> None:
    live = Feed(Memory(), poll_s=0.001)
    async with serving(live) as (_, _, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ASK)
        await reader.readuntil(b"event: clock")
        assert len(live._followers) == 1
        writer.close()
        async with asyncio.timeout(10):
            while live._followers:  # noqa: ASYNC110 - nobody tells when it has gone.
                await asyncio.sleep(0.01)
        assert live._tasks == []


async def test_a_server_that_stops_ends_its_open_streams_in_order() -> None:
    live = Feed(Memory(), poll_s=0.001)
    async with serving(live) as (server, task, port):
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        for reader, writer in opened:
            writer.write(ASK)
            await reader.readuntil(b"event: clock")
        server.should_exit = True
        rest = await asyncio.wait_for(asyncio.gather(*(reader.read() for reader, _ in opened)), 20)
        assert all(piece.endswith(b"0\r\n\r\n") for piece in rest)
        await asyncio.wait_for(task, 20)
        for _, writer in opened:
            writer.close()
