"""`exchange masters watch ID`: follow the examination of a master from a terminal.

Exit status 0: it is ready; 3: it is refused. (1: it cannot be asked, 2: wrong usage.)
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from contracts.refusal import Kind, Refusal
from exchange.settings import Settings

app = typer.Typer(help="Masters on an exchange.", no_args_is_help=True)
out, err = Console(), Console(stderr=True)
REFUSED = 3
SETTLED = ("ready", "refused")
AGAIN_S = 1.0  # after a connection that was lost


class MasterNotShown(Refusal):
    """The exchange does not show this master to this key."""

    kind, code = Kind.UNKNOWN, "master-not-shown"
    hint = "Check the id, --exchange and the key in EXCHANGE_KEY."


@app.callback()
def masters() -> None:
    """Masters on an exchange."""


@app.command()
def watch(
    master: Annotated[UUID, typer.Argument(help="The master's id.")],
    exchange: Annotated[
        str, typer.Option("--exchange", help="Address of the exchange; this machine's by default.")
    ] = "",
    key: Annotated[
        str, typer.Option("--key", envvar="EXCHANGE_KEY", help="An API key that may read.")
    ] = "",
) -> None:
    """Show how far the examination of a master is, until it ends."""
    last = asyncio.run(_watch(master, exchange or Settings().public_url, key))
    out.print_json(data=last)
    sys.exit(0 if last["state"] == "ready" else REFUSED)


async def _watch(master: UUID, exchange: str, key: str) -> dict[str, Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    headers = {"Authorization": f"Bearer {key}"}
    with Progress(*columns, TextColumn("{task.fields[rest]}"), console=err) as shown:
        task = shown.add_task("waiting", total=10_000, rest="")
        async with httpx.AsyncClient(
            base_url=exchange, headers=headers, timeout=30, trust_env=False
        ) as client:
            while True:
                async for seen in _events(client, master):
                    shown.update(
                        task, description=seen["stage"], completed=seen["done_bp"], rest=_rest(seen)
                    )
                    if seen["state"] in SETTLED:
                        return seen
                await asyncio.sleep(AGAIN_S)


async def _events(client: httpx.AsyncClient, master: UUID) -> AsyncIterator[dict[str, Any]]:
    """Yield what the exchange says until the connection ends.

    Raises:
        MasterNotShown: the key may not see the master, or there is none.
    """
    try:
        async with client.stream("GET", f"/v1/masters/{master}/progress") as answer:
            if answer.status_code != httpx.codes.OK:
                raise MasterNotShown("The exchange does not show this master.")
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))
    except httpx.ConnectError as away:
        raise MasterNotShown(f"Nobody answers at {client.base_url}.") from away
    except httpx.TransportError:
        return


def _rest(seen: dict[str, Any]) -> str:
    pieces = f"{seen['pieces_done']}/{seen['pieces']} pieces" if seen["pieces"] > 1 else ""
    left = "" if seen["eta_s"] is None else f"{seen['eta_s']} s left"
    return " · ".join(part for part in (pieces, left) if part)
