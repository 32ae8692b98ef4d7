"""`exchange index status` and `exchange index rebuild`: the index of pictures and its files.

Exit status of `status`: 0 when it serves as it should; 3 when a file is damaged or much waits.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TypeVar

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncSession

from exchange import clock
from exchange.context import Context, open_context
from exchange.settings import Settings
from exchange.terminal import Json
from listings.index import gateway, keeping, service
from listings.index.keeping import MOST_WAITING, State

app = typer.Typer(help="The index of pictures.", no_args_is_help=True)
out = Console()
Answer = TypeVar("Answer")
Verb = Callable[[AsyncSession], Awaitable[Answer]]
ADDED_AT_ONCE = 100


@app.command()
def status(as_json: Json = False) -> None:
    """Tell what is in the index, which files hold it, and what waits for one."""
    state, copied = asyncio.run(_state(Settings()))
    if as_json:
        sys.stdout.write(json.dumps({**asdict(state), "copied": copied}) + "\n")
    else:
        _tell(state, copied)
    sys.exit(3 if state.damaged or state.waiting > 2 * MOST_WAITING else 0)


@app.command()
def rebuild() -> None:
    """Write all codes anew from their rows; searches go on meanwhile."""
    for line in asyncio.run(_rebuilt(Settings())):
        out.print(line)


async def _rebuilt(settings: Settings) -> list[str]:
    """Add what is missing, then write or copy everything; return what to say."""
    context = open_context(settings)

    async def all_of(verb: Verb[int]) -> int:
        total = 0
        while done := await _once(context, verb):
            total += done
        return total

    try:
        added = await all_of(
            lambda one: service.add_missing(one, limit=ADDED_AT_ONCE, now=clock.now())
        )
        said = [f"{added} listed masters were not in the index and are now"] if added else []
        if settings.warehouse_url is not None:
            warehouse = gateway.open_warehouse(settings.warehouse_url)
            copied = await all_of(lambda one: keeping.copy_up(one, warehouse))
            return [*said, f"{copied} masters copied to ClickHouse"]
        codes = await _once(context, lambda one: keeping.rebuild(one, folder=settings.index))
        hours = f"{codes:,} codes ({codes / 3600:,.1f} hours)"
        return [*said, f"{hours} in one file under {settings.index}"]
    finally:
        await context.db.close()


async def _state(settings: Settings) -> tuple[State, int | None]:
    """Return how the files stand, and up to which entry ClickHouse has the codes, if it is used."""
    context = open_context(settings)
    try:
        async with context.db.transaction() as session:
            state = await keeping.state(session, folder=settings.index)
            if settings.warehouse_url is None:
                return state, None
            warehouse = gateway.open_warehouse(settings.warehouse_url)
            await warehouse.create()
            return state, await gateway.copied_to(session, warehouse)
    finally:
        await context.db.close()


def _tell(state: State, copied: int | None) -> None:
    table = Table(show_header=False)
    table.add_row("masters added", f"{state.entries:,}")
    table.add_row("codes", f"{state.codes:,} ({state.codes / 3600:,.1f} hours)")
    if copied is not None:
        table.add_row("copied to ClickHouse", f"{copied:,} masters")
    for name in state.files:
        table.add_row("file", name)
    table.add_row("bytes of files", f"{state.bytes:,}")
    table.add_row("read from rows", f"{state.waiting:,} codes")
    for name in state.damaged:
        table.add_row("[red]damaged[/]", f"{name}: read from rows; a worker writes it anew")
    out.print(table)


async def _once(context: Context, verb: Verb[Answer]) -> Answer:
    async with context.db.transaction() as session:
        return await verb(session)
