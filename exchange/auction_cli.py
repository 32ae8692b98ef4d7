"""`exchange auction …`: export the log of an auction, verify it anywhere, decide it again."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import httpx
import typer
from rich.console import Console

from contracts.refusal import Kind, Refusal
from exchange import replaying
from exchange.context import open_context
from exchange.settings import Settings

app = typer.Typer(help="Auctions, checked from their logs.", no_args_is_help=True)
out = Console()
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")]
Which = Annotated[UUID, typer.Argument(help="The auction's id.")]


class NotExported(Refusal):
    """The exchange did not give the log, or nobody answered."""

    kind, code = Kind.UNAVAILABLE, "not-exported"
    hint = "See what it said; --exchange names the exchange to ask."


@app.callback()
def auction() -> None:
    """Auctions, checked from their logs."""


@app.command()
def export(
    auction_id: Which,
    file: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where to write; auction-ID.jsonl.")
    ] = None,
    exchange: Annotated[
        str, typer.Option("--exchange", help="Address of the exchange; this machine's by default.")
    ] = "",
) -> None:
    """Fetch the log of an auction over HTTP; it is public from the result on."""
    path = file or Path(f"auction-{auction_id}.jsonl")
    base = (exchange or Settings().public_url).rstrip("/")
    lines = _fetch(f"{base}/v1/auctions/{auction_id}/log", path)
    out.print(f"{path}: {lines - 1} events", markup=False, highlight=False)


@app.command()
def verify(
    file: Annotated[
        Path, typer.Argument(help="An exported log (JSON lines).", exists=True, dir_okay=False)
    ],
    second_solver: Annotated[
        bool,
        typer.Option("--second-solver", help="Let SCIP confirm a package auction's winners."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Verify an exported log alone, by the second program, in a process of its own.

    Exit status: 0 everything holds, 1 something does not, 2 the file cannot be read.
    """
    status, said = replaying.verified(file)
    if second_solver and status == 0:
        answers = asyncio.run(replaying.confirmed(file.read_bytes()))
        said["confirmed"] = sum(answers)
        if not all(answers):
            status = 1
            said |= {"holds": False, "seq": None, "said": "the second solver finds a better set"}
    if as_json:
        _print(said)
    elif status == 0:
        for name in ("auction", "method", "events", "bids", "head_sha256", "result_sha256"):
            out.print(f"{name}: {said[name]}", markup=False, highlight=False)
        if second_solver:
            out.print(f"claims confirmed by the second solver: {said['confirmed']}")
        out.print("[green]holds[/]")
    else:
        where = "the rulebook" if said["seq"] is None else f"event {said['seq']}"
        out.print(f"[red]does NOT hold[/], at {where}:")
        out.print(said["said"], markup=False, highlight=False)
    sys.exit(status)


@app.command()
def replay(auction_id: Which, as_json: Json = False) -> None:
    """Decide an auction of this database again, by both programs; exit status 0 if all agree."""
    replayed = asyncio.run(_replay(auction_id))
    told = replayed.as_dict()
    if as_json:
        _print(told)
    else:
        for name in ("events", "stored_sha256", "rules_sha256", "verifier_sha256"):
            out.print(f"{name}: {told[name]}", markup=False, highlight=False)
        said = replayed.verifier.get("said")
        out.print("[green]all agree[/]" if replayed.agrees else "[red]they DIFFER[/]")
        if said:
            out.print(said, markup=False, highlight=False)
    sys.exit(0 if replayed.agrees else 1)


async def _replay(auction_id: UUID) -> replaying.Replayed:
    context = open_context(Settings())
    try:
        async with context.db.transaction() as session:
            return await replaying.replay(session, auction_id)
    finally:
        await context.db.close()


def _fetch(url: str, path: Path) -> int:
    """Write what the address gives to the file; return how many lines."""
    lines = 0
    try:
        with httpx.stream("GET", url, timeout=60) as answer:
            if answer.status_code != httpx.codes.OK:
                answer.read()
                raise NotExported(_said(answer), status=answer.status_code)
            with path.open("wb") as opened:
                for piece in answer.iter_bytes():
                    lines += piece.count(b"\n")
                    opened.write(piece)
    except httpx.HTTPError as error:
        raise NotExported(f"{url}: {error}") from error
    return lines


def _said(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"The answer was {answer.status_code}."


def _print(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
