"""One decode pass over a file: codes, samples, signature, sound, thumbnails, proxy.

Usable without a database: the worker, `exchange conformance` and `exchange match` all come here.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio.to_thread

from listings.examinations import decoding, merging, spans
from listings.examinations.commands import Film, Tier
from listings.examinations.decoding import Job
from listings.examinations.merging import Found, Passed, Thumbnail
from listings.examinations.reporting import Report, silent
from listings.examinations.spans import Span
from listings.masters.gateway import Limits, Sandbox

__all__ = ["Passed", "Report", "Thumbnail", "Tier", "merge", "plan", "run", "silent"]

FINDER = Path(__file__).with_name("finder.py")
FIND_LIMITS = Limits(cpu_s=300, wall_s=600)


async def run(
    path: Path,
    *,
    sandbox: Sandbox,
    folder: Path,
    record: Mapping[str, Any],
    tier: Tier = "sampled",
    proxy: bool = False,
    report: Report = silent,
) -> Passed:
    """Decode a file once and return all that was found.

    Args:
        path: the file; it is read in the sandbox alone.
        sandbox: where untrusted bytes are read.
        folder: an empty folder for what is written; thumbnails, poster, sheet and proxy stay there.
        record: the technical record of the file (its probe).
        tier: `sampled` looks at a picture a second, `full` at every frame as well.
        proxy: whether a 720p proxy is encoded on the way.
        report: told (stage, share done in basis points).

    Raises:
        Examination: one of the refusals of `masters.refusals.CODES`.
    """
    piece = folder / "piece"
    piece.mkdir()
    span = spans.WHOLE[0]
    job = Job(path, Film.of(record), span, tier, proxy)
    await decoding.decode(job, piece, sandbox=sandbox, report=report)
    found = [Found.of(span, piece)]
    await report("fingerprinting", 0)
    return await merge(found, folder, sandbox=sandbox, record=record, tier=tier)


async def merge(
    found: Sequence[Found],
    folder: Path,
    *,
    sandbox: Sandbox,
    record: Mapping[str, Any],
    tier: Tier,
) -> Passed:
    """Join decoded pieces; see `run`."""
    film = Film.of(record)

    def join() -> Passed:
        return merging.joined(found, film, folder, tier=tier, promised_ms=record["duration_ms"])

    passed = await anyio.to_thread.run_sync(join)
    return replace(
        passed,
        sheet=await merging.sheet(passed, folder, sandbox=sandbox),
        proxy=await merging.proxy(found, folder, sandbox=sandbox),
    )


async def plan(
    path: Path, *, sandbox: Sandbox, record: Mapping[str, Any], every_s: int
) -> Sequence[Span]:
    """Return the pieces of about so many seconds that the film can be decoded in.

    Raises:
        ExaminationTimeout, ExaminationTooLarge: the file could not be looked through.
    """
    if Film.of(record).length < 2 * every_s or not spans.divisible(record):
        return spans.WHOLE
    command = [sys.executable, "-I", str(FINDER), str(path), str(every_s)]
    ended = await sandbox.run(command, reads=path, writes=None, limits=FIND_LIMITS)
    decoding.check(ended)
    try:
        found = json.loads(ended.output)
    except ValueError:
        return spans.WHOLE  # whatever broke the finder will show when the film is decoded
    return spans.cut(found, record)
