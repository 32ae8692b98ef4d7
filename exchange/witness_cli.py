"""`exchange witness …` (见证人): cosign that a log has one history. Needs no database."""

import json
import sys
from pathlib import Path
from typing import Annotated

import httpx
import typer
import uvicorn
from rich.console import Console

from contracts.log.note import Verifier
from contracts.log.witness_folder import WitnessFolder
from contracts.refusal import Refusal
from exchange.witness_app import create_app

app = typer.Typer(
    help="Be a witness: cosign that a log has one history. Your own key, your own machine.",
    no_args_is_help=True,
)
out = Console()
DIR = Annotated[
    Path, typer.Option("--dir", envvar="EXCHANGE_WITNESS_DIR", help="The witness's folder.")
]
HERE = Path("witness")
LOOK_UP_S = 10.0


@app.callback()
def witness() -> None:
    """Be a witness."""


@app.command()
def init(
    folder: DIR = HERE,
    name: Annotated[
        str | None, typer.Option(help="Its name for ever, such as witness.example/w1.")
    ] = None,
    log: Annotated[
        list[str] | None,
        typer.Option(
            help="A log's key (vkey) to follow, or the exchange's address to fetch it from."
        ),
    ] = None,
    ml_dsa: Annotated[
        bool,
        typer.Option(
            "--ml-dsa", help="Sign a second line, with an ML-DSA-44 key (quantum computers)."
        ),
    ] = False,
) -> None:
    """Make a witness, or let the one that is there follow further logs; prints its keys."""
    logs = [Verifier.parse(_key(one)) for one in log or []]
    made = WitnessFolder.init(folder, name=name, logs=logs)
    if ml_dsa:
        made = WitnessFolder.add_second_key(folder)
    sys.stdout.write("".join(f"{vkey}\n" for vkey in made.vkeys))
    for one in made.logs():
        out.print(f"follows {one.vkey}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def serve(
    folder: DIR = HERE,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="The port.")] = 8100,
) -> None:
    """Answer `add-checkpoint` (C2SP tlog-witness) until interrupted; several may share a folder."""
    served = WitnessFolder.open(folder)
    for line in (*served.vkeys, f"follows {len(served.logs())} logs, on http://{host}:{port}"):
        out.print(line, highlight=False, markup=False, soft_wrap=True)
    uvicorn.run(
        create_app(served),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


@app.command()
def status(
    folder: DIR = HERE,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document for programs.")
    ] = False,
) -> None:
    """Tell what was cosigned last; exit status 1 if a log was caught with two histories."""
    told = WitnessFolder.open(folder)
    last = told.remembered()
    caught = [str(path) for path in told.proofs()]
    if as_json:
        logs = {
            log.name: {"vkey": log.vkey, "size": None, "root": None}
            | ({"size": last[log.name].seen.size, "root": last[log.name].seen.root.hex()}
               if log.name in last else {})
            for log in told.logs()
        }  # fmt: skip
        first, *further = told.vkeys
        document = {"witness": first, "further": further, "logs": logs, "two_roots": caught}
        sys.stdout.write(json.dumps(document) + "\n")
    else:
        for vkey in told.vkeys:
            out.print(vkey, highlight=False, markup=False, soft_wrap=True)
        for log in told.logs():
            seen = last[log.name].seen if log.name in last else None
            said = (
                "nothing cosigned yet" if seen is None else f"{seen.size} leaves, {seen.root.hex()}"
            )
            out.print(f"{log.name}: {said}", highlight=False, markup=False, soft_wrap=True)
        for path in caught:
            out.print(f"[red]two roots of one size, signed by the log:[/] {path}", soft_wrap=True)
    sys.exit(1 if caught else 0)


def _key(given: str) -> str:
    """Return a log's key as given, or as the exchange at that address publishes it."""
    if not given.startswith(("http://", "https://")):
        return given
    address = f"{given.rstrip('/')}/v1/log/key"
    try:
        return httpx.get(address, timeout=LOOK_UP_S).raise_for_status().text.strip()
    except httpx.HTTPError as error:
        raise typer.BadParameter(f"No log's key came from {address}: {error}") from error


def main() -> None:
    """Run these commands alone; a refusal is printed with its code and hint, exit status 1."""
    try:
        app()
    except Refusal as refusal:
        sys.stderr.write(f"{refusal.code}: {refusal.detail} {refusal.hint}\n")
        sys.exit(1)


if __name__ == "__main__":  # `python -m exchange.witness_cli`: starts without the exchange's parts
    main()
