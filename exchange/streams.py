"""Event streams over HTTP: sending what a follower of the feed gets, and closing what hangs.

An ordinary close waits until everything is written, for ever where nobody reads; so the server
lends every request its connection's `abort` (`Protocol`), which the feed uses to cut such a reader.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from exchange.feed import Follower

ABORT = "exchange.abort"
HEADERS: Mapping[str, str] = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Protocol(HttpToolsProtocol):
    """HTTP as uvicorn speaks it, with a way to drop a connection at once."""

    def on_message_begin(self) -> None:
        """Begin a request; lend it the connection's `abort`."""
        super().on_message_begin()
        self.scope[ABORT] = self.transport.abort  # type: ignore[literal-required]  # a key of ours beside ASGI's


class EventStream(Response):
    """The answer that sends a follower its pieces until either side ends it."""

    media_type = "text/event-stream"

    def __init__(self, follower: Follower, status_code: int = 200) -> None:
        """Prepare the answer; FastAPI reads the status from the default here."""
        super().__init__(status_code=status_code, headers=dict(HEADERS))
        del self.headers["content-length"]
        self._follower = follower

    async def __call__(
        self,
        scope: Scope,  # noqa: ARG002 - ASGI calls with all three.
        receive: Receive,
        send: Send,
    ) -> None:
        """Send; a client that goes away ends the following."""
        watch = asyncio.create_task(self._until_gone(receive))
        start: Message = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        try:
            await send(start)
            async with aclosing(self._follower.pieces()) as pieces:
                async for piece in pieces:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            if not self._follower.was_cut:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            watch.cancel()

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._follower.end()


def cutter(scope: Mapping[str, Any]) -> Callable[[], None] | None:
    """Return what drops the connection of a request, where the server lends it."""
    abort: Callable[[], None] | None = scope.get(ABORT)
    return abort
