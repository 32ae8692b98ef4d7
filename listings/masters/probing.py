"""Probing a master: three readers in the sandbox, one technical record. No database."""

import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from listings.masters import rules, technical, tracks, trial
from listings.masters.gateway import GIB, Ended, Limits, Sandbox
from listings.masters.refusals import (
    CODES,
    ExaminationTimeout,
    ExaminationTooLarge,
    LyingMaster,
    NotAVideo,
    PixelFlood,
)

_log = logging.getLogger("exchange.probing")

INSPECTOR, MEDIAINFO = (Path(__file__).with_name(name) for name in ("inspector.py", "mediainfo.py"))
# Reading a quarter of a gigabyte of packets from a slow disk, or decoding one picture of 8K.
READING = Limits(cpu_s=60, wall_s=120, memory_bytes=4 * GIB, processes=64)
# Of 700 mutants three sent MediaInfo in circles until the clock stopped it.
LOOKING = Limits(cpu_s=20, wall_s=45, memory_bytes=2 * GIB, processes=64)
DECODING = Limits(cpu_s=120, wall_s=120, processes=128)
FULL_DISK = (-25, 128 + 25)  # SIGXFSZ
MOST_HOURS = 48
MOST_RATE = 1000  # pictures a second; what says more, or less than one, counts something else


async def read(path: Path, sandbox: Sandbox) -> dict[str, Any]:
    """Return the technical record of a file; `decodable` in it tells whether it can be examined.

    Raises:
        NotAVideo, NoPicture, TruncatedMaster, PixelFlood, StreamFlood, ExternalMedia, LyingMaster:
            what the file is, or pretends to be.
        ExaminationTimeout, ExaminationTooLarge: it asks for more than it may take.
    """
    av = await _inspect(path, sandbox)
    media = await _mediainfo(path, av["container"], sandbox)
    seen = trial.read(await _try(path, sandbox))
    record = technical.merge(av, media, seen)
    _check_raster(record["video"])
    _check_length(record)
    return rules.conformed(record)


async def _inspect(path: Path, sandbox: Sandbox) -> dict[str, Any]:
    command = [sys.executable, "-I", str(INSPECTOR), str(path)]
    command += [str(rules.MOST_WIDTH), str(rules.MOST_HEIGHT)]
    ended = await sandbox.run(command, reads=path, writes=None, limits=READING)
    check(ended)
    try:
        found = json.loads(ended.output)
    except ValueError as nothing:
        raise NotAVideo("The file broke the program that reads videos.") from nothing
    if not isinstance(found, dict):
        raise NotAVideo("The file broke the program that reads videos.")
    if "refused" in found:
        refusal = CODES[found.pop("refused")]
        raise refusal((refusal.__doc__ or "").splitlines()[0], **found)
    return found


async def _mediainfo(path: Path, container: str, sandbox: Sandbox) -> Mapping[str, Any] | None:
    """Return MediaInfo's view, or None: a second reader that stumbles makes no file bad."""
    command = [sys.executable, "-I", str(MEDIAINFO), str(path), container]
    try:
        ended = await sandbox.run(command, reads=path, writes=None, limits=LOOKING)
        return tracks.read(_tracks(ended.output))
    except (ExaminationTimeout, ValueError) as lost:
        _log.warning("MediaInfo could not read the file: %r", lost)
        return None


def _tracks(output: bytes) -> list[dict[str, str]]:
    """Read what the second reader printed.

    Raises:
        ValueError: it is not a list of tracks, the first of them that of the container.
    """
    told = json.loads(output)
    if not isinstance(told, list) or not all(isinstance(track, dict) for track in told) or not told:
        raise ValueError("MediaInfo told of no track.")
    return told


async def _try(path: Path, sandbox: Sandbox) -> str:
    command = trial.command(path, most_pixels=rules.MOST_WIDTH * rules.MOST_HEIGHT)
    ended = await sandbox.run(command, reads=path, writes=None, limits=DECODING)
    return ended.errors


def check(ended: Ended) -> None:
    """Refuse what went against a limit; other faults show in what was (not) written."""
    memory = "Cannot allocate memory" in ended.errors or "MemoryError" in ended.errors
    if memory or ended.status in FULL_DISK:
        raise ExaminationTooLarge("The file asks for more memory or disk than a file may take.")


def _check_raster(video: Mapping[str, Any]) -> None:
    """Refuse a flood that the inspector could not see, having no decoder for it."""
    wide, tall = video["width"] or 0, video["height"] or 0
    if max(wide, tall) > rules.MOST_WIDTH or min(wide, tall) > rules.MOST_HEIGHT:
        raise PixelFlood("The picture is too large.", width=wide, height=tall)


def _check_length(record: Mapping[str, Any]) -> None:
    """Refuse a file that cannot be as long as it says: a picture takes a byte at the least."""
    rate = record["video"]["rate"]
    pictures = record["duration_ms"] * rate["num"] // rate["den"] // 1000 if rate else 0
    odd = bool(rate) and not rate["den"] <= rate["num"] <= MOST_RATE * rate["den"]
    if odd or pictures > record["bytes"] or record["duration_ms"] > MOST_HOURS * 3_600_000:
        raise LyingMaster("The file is not as long as it says.", promised_ms=record["duration_ms"])
