"""Decodes one piece of a film in the sandbox and leaves what was found in a folder.

The folder of a piece holds `part.json`, `luma`, `signature` (rows), `measures`, `audio`,
`audio-faster`, `audio-slower`, `thumbnail-*.jpg`, `poster-*.jpg`, `proxy.ts` and `heard.ts`: what
`merging` joins, wherever and in whatever order the pieces were decoded.
"""

import json
import re
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread

from listings.examinations import commands, flowing, mpeg7, toning
from listings.examinations.commands import Film, Tier
from listings.examinations.measuring import Measuring
from listings.examinations.reporting import Report
from listings.examinations.spans import Span
from listings.masters import gateway
from listings.masters.fingerprint import HEIGHT, LUMA_RATE, WIDTH
from listings.masters.gateway import ChildStuck, Ended, Limits, Sandbox
from listings.masters.measures import packing
from listings.masters.refusals import ExaminationTooLarge

# The slowest format measured, JPEG 2000 at 4K50, took 13.4 processor seconds a second of video; 8K
# is four times that. The clock allows the same again for a machine that is shared.
CPU_S_PER_S, WALL_S_PER_S, START_S = 60, 120, 120
TRIES, IDLE_S = 3, 20.0  # of a decoder that stands still; a busy machine pauses it for less
FULL_DISK = (-25, 128 + 25)  # SIGXFSZ
ROOM = 64 * 1024**2
STROBE_BYTES_PER_S = 120 * 3 * 64 * 36  # at the fastest rate that is measured
FRAME_LINES_BYTES_PER_S = 120 * 4096
PROXY_BYTES_PER_S = 1_000_000
FAULT = re.compile(r"\[(?:error|fatal|panic)\]")
KEPT = (
    "part.json", "luma", "signature", "measures", "audio", *commands.PITCHED, "proxy.ts",
    "heard.ts",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Job:
    """A piece to decode: of which file, and what is asked of it."""

    path: Path
    film: Film
    span: Span
    tier: Tier
    proxy: bool


async def decode(job: Job, folder: Path, *, sandbox: Sandbox, report: Report) -> None:
    """Decode a piece into its folder, which is empty before and holds what is named above after.

    ffmpeg 9 with many outputs now and then waits for itself, in about one of thirty runs on a film
    whose sound begins before its picture: it is stopped then and started again.

    Raises:
        Examination: the piece took more time, memory or disk than it may.
    """
    for _ in range(TRIES - 1):
        try:
            return await _decode(job, folder, sandbox=sandbox, report=report)
        except ChildStuck:
            _empty(folder)
    return await _decode(job, folder, sandbox=sandbox, report=report)


async def _decode(job: Job, folder: Path, *, sandbox: Sandbox, report: Report) -> None:
    film, span = job.film, job.span
    if toning.is_needed(film.coding.transfer, film.coding.primaries):
        (folder / "tone.cube").write_text(toning.cube(film.coding.transfer, film.coding.primaries))
    measuring, counted = Measuring(folder, film, span), _Progress(job, report)
    command = commands.command(
        gateway.ffmpeg(), job.path, folder, film, span, tier=job.tier, proxy=job.proxy
    )
    await report("decoding", 0)
    async with AsyncExitStack() as stack:
        await measuring.follow(stack)
        ended = await sandbox.run(
            command, reads=job.path, writes=folder, limits=_limits(job), on_line=counted.line
        )
    check(ended)
    await anyio.to_thread.run_sync(_settle, folder, measuring, counted.frames, _faults(ended))


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        entry.unlink()


class _Progress:
    """What ffmpeg says of how far it is."""

    def __init__(self, job: Job, report: Report) -> None:
        self._begin_us = int((job.span.start or 0) * 1_000_000)
        self._length_us = max(1, int(job.span.length(job.film.length) * 1_000_000))
        self._furthest, self._report, self.frames = 0, report, 0

    async def line(self, line: str) -> None:
        key, _, value = line.partition("=")
        if key == "frame" and value.strip().isdigit():
            self.frames = max(self.frames, int(value))
        if key == "out_time_us" and value.isdigit():  # now of one output, now of another
            done = (int(value) - self._begin_us) * 10_000 // self._length_us
            self._furthest = max(self._furthest, min(10_000, done))
            await self._report("decoding", self._furthest)


def _limits(job: Job) -> Limits:
    seconds = int(job.span.length(job.film.length)) + 1
    luma = seconds * LUMA_RATE * WIDTH * HEIGHT
    largest = max(luma, seconds * STROBE_BYTES_PER_S, seconds * PROXY_BYTES_PER_S)
    largest = max(largest, seconds * FRAME_LINES_BYTES_PER_S) if job.tier == "full" else largest
    return Limits(
        cpu_s=START_S + seconds * CPU_S_PER_S,
        wall_s=START_S + seconds * WALL_S_PER_S,
        file_bytes=largest + ROOM,
        idle_s=IDLE_S,
    )


def check(ended: Ended) -> None:
    """Refuse what went against a limit; other faults show in what was (not) written.

    Raises:
        ExaminationTooLarge: it asked for more memory or disk than it may have.
    """
    memory = "Cannot allocate memory" in ended.errors or "MemoryError" in ended.errors
    if memory or ended.status in FULL_DISK:
        raise ExaminationTooLarge("The file asks for more memory or disk than a file may take.")


def _faults(ended: Ended) -> int:
    """Return how many faults the decoder told; only so many lines as were kept are counted.

    A piece begins at a key frame; what it cannot decode before its first picture is no fault, it
    belongs to the piece before, which decodes it whole.
    """
    _, came, told = ended.errors.partition("Parsed_showinfo")
    return len(FAULT.findall(told if came else ended.errors))


def _settle(folder: Path, measuring: Measuring, frames: int, errors: int) -> None:
    """Turn what was written into what is kept."""
    signature = taken(folder / "signature")
    (folder / "signature").unlink(missing_ok=True)
    rows = mpeg7.rows(signature).tobytes() if signature else b""
    (folder / "signature").write_bytes(rows)
    (folder / "measures").write_bytes(packing.packed(measuring.part(frames=frames, errors=errors)))
    found = {
        "frames": frames,
        "errors": errors,
        "sounds": measuring.sounds(),
        "essence": _essence(folder / "essence"),
        "thumbnails": flowing.times_of(folder / "thumbnail"),
        "posters": flowing.times_of(folder / "poster"),
    }
    (folder / "part.json").write_text(json.dumps(found))
    for entry in folder.iterdir():
        if entry.name not in KEPT and entry.suffix != ".jpg":
            entry.unlink()


def taken(path: Path) -> bytes:
    """Return what a child wrote; nothing when it wrote no plain file."""
    return path.read_bytes() if path.is_file() and not path.is_symlink() else b""


def _essence(path: Path) -> Mapping[str, Any]:
    """Read `0,v,SHA256=…`, one line for a stream; streams are counted from 0."""
    found = re.search(rb"^\d+,v,SHA256=([0-9a-f]{64})$", taken(path), re.MULTILINE)
    return {"video": found[1].decode()} if found else {}
