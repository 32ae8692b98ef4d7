"""`exchange log fsck` and `exchange log publish`: check the whole log again; publish its files.

Exit status of `fsck`: 0 when nothing is wrong; 1 with the first fault named.
"""

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console

from contracts.log import fsck as checking
from contracts.log import note, publishing
from contracts.log.fsck import Whole
from contracts.log.site import CHECKPOINT, LogSite, Source
from contracts.log.tiles import NoSuchTile, Tile
from contracts.refusal import Kind, Refusal
from exchange.context import open_context
from exchange.keys import log_signer
from exchange.settings import Settings

app = typer.Typer(help="The transparency log.", no_args_is_help=True)
out = Console()
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")]
TIMEOUT_S = 30.0


class LogAway(Refusal):
    """The published log cannot be fetched from there."""

    kind, code = Kind.UNAVAILABLE, "log-away"
    hint = "Name the prefix under which `checkpoint` and `tile/…` are served."


@dataclass(frozen=True, slots=True)
class RemoteSite:
    """A published log at a URL: this exchange's, or anybody's that keeps to C2SP tlog-tiles."""

    prefix: str
    client: httpx.Client

    def checkpoint(self) -> str | None:
        """Return the checkpoint; None when there is none."""
        answer = self._get(CHECKPOINT)
        return None if answer is None else answer.decode(errors="replace")

    def read(self, tile: Tile) -> bytes:
        """Return a tile or bundle.

        Raises:
            NoSuchTile: it is not there.
        """
        content = self._get(tile.path)
        if content is None:
            raise NoSuchTile("The log has no such file.", path=tile.path)
        return content

    def _get(self, path: str) -> bytes | None:
        try:
            answer = self.client.get(f"{self.prefix.rstrip('/')}/{path}")
        except httpx.HTTPError as error:
            raise LogAway(f"{path}: {error}") from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if answer.status_code != httpx.codes.OK:
            raise LogAway(f"{path}: the answer is {answer.status_code}.")
        return answer.content


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
