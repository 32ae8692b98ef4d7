"""`exchange probe FILE`: the technical record of a file, without a database.

Exit status 0: there is a record; 3: there is one, but no decoder gives a picture. (1: the file is
refused, 2: wrong usage.)
"""

import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from exchange.settings import Settings
from listings.masters import gateway, probing

out = Console()
NOT_DECODABLE = 3
# Told by the table's other rows, or too long for one.
ELSEWHERE = frozenset({"readers", "findings", "disagree", "blind"})


def probe(
    file: Annotated[Path, typer.Argument(help="A video file.", exists=True, dir_okay=False)],
    table: Annotated[
        bool, typer.Option("--table", help="Who saw what, line by line, instead of JSON.")
    ] = False,
) -> None:
    """Print the technical record of a file: what PyAV, MediaInfo and ffmpeg saw, as one."""
    record = asyncio.run(_read(file.resolve(), Settings()))
    if table:
        out.print(_table(record))
        _notes(record)
    else:
        sys.stdout.write(json.dumps(record, ensure_ascii=False, indent=2) + "\n")
    sys.exit(0 if record["video"]["decodable"] else NOT_DECODABLE)


async def _read(path: Path, settings: Settings) -> dict[str, Any]:
    return await probing.read(path, await gateway.sandbox(settings.sandbox))


def _table(record: Mapping[str, Any]) -> Table:
    table = Table("what", "record", "PyAV", "MediaInfo", "ffmpeg")
    readers, disagree = record["readers"], set(record["disagree"])
    for key, value in _rows(record):
        saw = readers.get(key, {})
        style = "yellow" if key in disagree else "bold" if value is not None else "dim"
        told = [saw.get(reader) for reader in ("av", "mediainfo", "ffmpeg")]
        table.add_row(
            key, f"[{style}]{escape(said(value))}[/]", *(escape(said(part)) for part in told)
        )
    return table


def _rows(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the values of the record under the dotted keys of its readers."""
    for name, value in record.items():
        if name == "video":
            yield from _below("video", value)
        elif name == "audio":
            for at, sound in enumerate(value):
                yield from _below(f"audio.{at}", sound)
        elif name not in ELSEWHERE:
            yield name, value


def _below(key: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if name == "container_tags":
            yield from _below(f"{key}.{name}", value)
        else:
            yield f"{key}.{name}", value


def _notes(record: Mapping[str, Any]) -> None:
    if record["disagree"]:
        out.print(f"The readers disagree about: {', '.join(record['disagree'])}", style="yellow")
    if record["blind"]:
        out.print(f"Could not read the file: {', '.join(record['blind'])}", style="yellow")
    for finding in record["findings"]:
        line = f"{finding['code']}: wanted {finding['wanted']}, seen {finding['seen']}"
        out.print(line, markup=False, highlight=False)


def said(value: Any) -> str:
    """Return a value as a person reads it: 50/1, yes, nothing for null."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        if value.keys() == {"num", "den"}:
            return f"{value['num']}/{value['den']}"
        return ", ".join(f"{name} {said(part)}" for name, part in value.items() if part is not None)
    if isinstance(value, list):
        return " ".join(said(part) for part in value)
    return str(value)
