"""Starts the stand-in: `python -m exchange.standins.stripe --port 8001 --state FILE`."""

import argparse
import asyncio
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from exchange.standins.stripe.app import create_app
from exchange.standins.stripe.call import Options
from exchange.standins.stripe.desk import Desk
from exchange.standins.stripe.store import Store


class HangingUp(H11Protocol):
    """Lets the application end a connection without an answer, as a broken network does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Wrap the application so that each request can hang up."""
        super().__init__(*args, **kwargs)
        inner = self.app

        async def app(scope: Any, receive: Any, send: Any) -> None:
            scope["hang_up"] = self.hang_up
            await inner(scope, receive, send)

        self.app = app

    async def hang_up(self) -> None:
        """End the connection at once."""
        self.transport.abort()
        await asyncio.sleep(0.01)


def main() -> None:
    """Read the command line and serve until stopped."""
    usual = Options()
    asked = argparse.ArgumentParser(prog="python -m exchange.standins.stripe", description=__doc__)
    asked.add_argument("--host", default="127.0.0.1")
    asked.add_argument("--port", type=int, default=8001)
    asked.add_argument("--state", default=":memory:", help="SQLite file with all it remembers")
    asked.add_argument("--webhook-url", default=None)
    asked.add_argument("--webhook-secret", default=usual.webhook_secret)
    asked.add_argument("--fee-bp", type=int, default=usual.fee_bp)
    asked.add_argument("--fee-fixed-minor", type=int, default=usual.fee_fixed_minor)
    asked.add_argument("--most-minor", type=int, default=usual.most_minor)
    asked.add_argument("--pending-s", type=int, default=usual.pending_s)
    asked.add_argument("--onboards", action="store_true", help="accounts begin restricted")
    given = vars(asked.parse_args())
    host, port, state = given.pop("host"), given.pop("port"), given.pop("state")
    desk = Desk(Store(state), Options(**given))
    uvicorn.run(
        create_app(desk), host=host, port=port, http=HangingUp, log_level="warning",
        access_log=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
