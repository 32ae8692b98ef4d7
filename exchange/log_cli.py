"""`exchange log fsck` and `exchange log publish`: check the whole log again; publish its files.

Exit status of `fsck`: 0 when nothing is wrong; 1 with the first fault named.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console

from contracts.log import fsck as checking
from contracts.log import note, publishing
from contracts.log.fsck import Whole
from contracts.log.site import LogSite, Source
from exchange import compare_cli
from exchange.context import open_context
from exchange.keys import log_signer
from exchange.log_remote import TIMEOUT_S, RemoteSite
from exchange.settings import Settings
from exchange.terminal import Json

app = typer.Typer(help="The transparency log.", no_args_is_help=True)
app.command("compare")(compare_cli.compare)
app.command("split-view")(compare_cli.split_view)
out = Console()


@app.command()
def fsck(
    site: Annotated[
        Path | None, typer.Option(help="Check this folder alone.", exists=True, file_okay=False)
    ] = None,
    url: Annotated[str | None, typer.Option(help="Check the log at this prefix alone.")] = None,
    key: Annotated[
        str | None, typer.Option(help="The log's key (vkey); without it, this exchange's own.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Recompute the log from its leaves and name the first thing that differs.

    Without options, what the database holds and what is published, and that they agree.
    """
    settings = Settings()
    trusted = note.Verifier.parse(key) if key else log_signer(settings).verifier
    if url is not None:
        with httpx.Client(timeout=TIMEOUT_S, follow_redirects=False) as client:
            found = {url: _check_site(RemoteSite(url, client), trusted)}
    elif site is not None:
        found = {str(site): _check_site(LogSite(site), trusted)}
    else:
        found = asyncio.run(_check_all(settings))
    if as_json:
        said = {
            where: {"size": one.size, "root": one.root.hex(), **one.checked}
            for where, one in found.items()
        }
        sys.stdout.write(json.dumps(said) + "\n")
        return
    for where, one in found.items():
        looked = ", ".join(f"{count:,} {what}" for what, count in one.checked.items())
        out.print(f"{where}: {one.size:,} leaves, nothing wrong ({looked})", highlight=False)
        out.print(f"  root {one.root.hex()}", highlight=False)


@app.command()
def publish() -> None:
    """Write what was sealed into the folder of the published log; the worker does so by itself."""
    settings = Settings()
    written = asyncio.run(_publish(settings))
    out.print(f"{written} files written under {settings.log_site}")


def _check_site(source: Source, trusted: note.Verifier) -> Whole:
    return checking.check_site(source, origin=trusted.name, trusted=[trusted])


async def _check_all(settings: Settings) -> dict[str, Whole]:
    """Check the folder first: while it is read, the database may only grow beyond it."""
    context, signer = open_context(settings), log_signer(settings)
    published = await asyncio.to_thread(_check_site, LogSite(settings.log_site), signer.verifier)
    try:
        async with context.db.transaction() as session:
            stored = await checking.check_database(
                session, origin=signer.origin, trusted=[signer.verifier], mark=signer.mark()
            )
        async with context.db.transaction() as session:
            if stored.size or published.size:
                await publishing.check_published(session, LogSite(settings.log_site))
    finally:
        await context.db.close()
    return {str(settings.log_site): published, "database": stored}


async def _publish(settings: Settings) -> int:
    context = open_context(settings)
    try:
        async with context.db.transaction() as session:
            return await publishing.publish(session, LogSite(settings.log_site))
    finally:
        await context.db.close()
