"""Serving the web application."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import uvicorn
from fastapi import FastAPI

from exchange import embedded, template_verbs
from exchange.app import create_app
from exchange.context import open_context
from exchange.feed import Feed
from exchange.settings import Settings
from exchange.streams import Protocol

SHUTDOWN_S = 3  # what is not answered by then is cut


def serve(settings: Settings) -> None:
    """Serve API, portal and console until interrupted."""
    app = create_app(open_context(settings))
    # uvicorn raises the signal again when it has stopped; leave in order then, so that the embedded
    # database hears the farewell.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    app.router.lifespan_context = _lifespan
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=Protocol,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
        proxy_headers=False,  # headers a client can forge are not believed
        server_header=False,
    )
    server = Server(config, app.state.feed)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(1)


class Server(uvicorn.Server):
    """A server that ends the open feeds when it stops; it would wait for them otherwise."""

    def __init__(self, config: uvicorn.Config, feed: Feed) -> None:
        """Prepare."""
        super().__init__(config)
        self._feed = feed

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the feeds, then stop as always."""
        self._feed.close()
        await super().shutdown(sockets)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    context = app.state.context
    await template_verbs.check_texts(context)
    watch: asyncio.Task[None] | None = None
    if context.settings.database_url is None:
        watch = asyncio.create_task(embedded.keep_running(context.settings.home))
    await app.state.bidding.start()
    yield
    await app.state.bidding.close()
    if watch is not None:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
    await context.db.close()
