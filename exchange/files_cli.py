"""Commands on files: their sums, and the check of an IMF package. They need no database."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from listings.masters import chunks, store

imf_app = typer.Typer(help="IMF packages (SMPTE ST 2067).", no_args_is_help=True)
out = Console()
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")]


def hash_file(
    file: Annotated[Path, typer.Argument(help="Any file.", exists=True, dir_okay=False)],
    as_json: Json = False,
) -> None:
    """Print a file's length, SHA-256 and chunk root, as the exchange takes them of a master."""
    found = chunks.sums(store.pieces(file, 0, file.stat().st_size))
    told = {"bytes": found.bytes, "sha256": found.sha256, "chunk_root": found.chunk_root}
    if as_json:
        sys.stdout.write(json.dumps(told) + "\n")
        return
    for name, value in told.items():
        out.print(f"{name:<10} {value}", highlight=False, soft_wrap=True)
