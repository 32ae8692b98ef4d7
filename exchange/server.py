"""Serving the web application."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import uvicorn
from fastapi import FastAPI

from exchange import embedded
from exchange.app import create_app
from exchange.context import open_context
from exchange.settings import Settings

SHUTDOWN_S = 3  # open feeds are cut after this long


def serve(settings: Settings) -> None:
    """Serve API, portal and console until interrupted."""
    app = create_app(open_context(settings))
    # uvicorn raises the signal again when it has stopped; leave in order then, so that the embedded
    # database hears the farewell.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    app.router.lifespan_context = _lifespan
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        timeout_graceful_shutdown=SHUTDOWN_S,
        proxy_headers=False,  # headers a client can forge are not believed
        server_header=False,
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    context = app.state.context
    watch: asyncio.Task[None] | None = None
    if context.settings.database_url is None:
        watch = asyncio.create_task(embedded.keep_running(context.settings.home))
    yield
    if watch is not None:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
    await context.db.close()
