"""Commands on files: their sums, and the check of an IMF package. They need no database."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer
from rich.console import Console
from rich.markup import escape

from exchange.settings import Settings
from exchange.terminal import Json
from listings.masters import chunks, gateway, store
from listings.packages import imf_reading
from listings.packages.imf_reading import Folder, Report

imf_app = typer.Typer(help="IMF packages (SMPTE ST 2067).", no_args_is_help=True)
out = Console()


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


@imf_app.callback()
def imf() -> None:
    """IMF packages (SMPTE ST 2067)."""


@imf_app.command("check")
def check_imf(
    folder: Annotated[
        Path, typer.Argument(help="The folder of the package.", exists=True, file_okay=False)
    ],
    as_json: Json = False,
    lang: Annotated[str, typer.Option("--lang", help="Language of the faults: en or zh.")] = "en",
) -> None:
    """Check an IMF package: its documents, sizes, hashes, durations; exit status 0 if good."""
    report = anyio.run(_examine, folder)
    if as_json:
        sys.stdout.write(json.dumps(report.as_dict(), ensure_ascii=False) + "\n")
    else:
        _show(report.as_dict(), "zh" if lang == "zh" else "en")
    sys.exit(0 if report.is_good else 1)


async def _examine(folder: Path) -> Report:
    sandbox = await gateway.sandbox(Settings().sandbox)
    return await imf_reading.examine(Folder(folder), sandbox)


def _show(report: dict[str, Any], lang: str) -> None:
    for one in report["compositions"]:
        edition = f"App #2E {one['app_2e']}" if one["app_2e"] else "no App #2E"
        seconds = f"{one['duration_ms'] // 1000}.{one['duration_ms'] % 1000:03} s"
        out.print(
            f"{one['title'] or one['id']}: {seconds}, {one['edit_rate']} a second, {edition}",
            markup=False, highlight=False,
        )  # fmt: skip
    for path, role in report["files"].items():
        out.print(f"  {role:<13}{path}", markup=False, highlight=False)
    for fault in report["faults"]:
        colour = "red" if fault["severity"] == "error" else "yellow"
        data = ", ".join(f"{name}: {value}" for name, value in fault["data"].items())
        said = escape(f"{fault['where']}: {fault[lang]} ({fault['code']}) {data}".strip())
        out.print(f"[{colour}]{fault['severity']}[/] {said}", highlight=False, soft_wrap=True)
    good = "[green]the package is good[/]"
    out.print(good if report["ok"] else "[red]the package is NOT good[/]")
