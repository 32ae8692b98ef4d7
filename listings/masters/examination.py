"""One examination: hash, probe, one decode pass, codes. Reads files, touches no database."""

import hashlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import numpy as np

from listings.masters import fingerprint, gateway, probing, store
from listings.masters.fingerprint import HEIGHT, LUMA_RATE, WIDTH, Codes, Luma
from listings.masters.gateway import Limits, Sandbox
from listings.masters.refusals import (
    MasterDamaged,
    NotAVideo,
    TruncatedMaster,
    UndecodableMaster,
)
from listings.masters.trial import FORMATS

FRAME_BYTES = WIDTH * HEIGHT
AUDIO_RATE = 11025  # what Chromaprint works at
# The slowest format measured, JPEG 2000 at 4K50, took 13.4 processor seconds a second of video; 8K
# is four times that. The clock allows the same again for a machine that is shared.
CPU_S_PER_S, WALL_S_PER_S, START_S = 60, 120, 120
WHOLE = 0.95  # of the frames that the duration promises; a container may round its duration

Report = Callable[[str, int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What an examination found: the probe, the fingerprint record and the codes behind it."""

    probe: Mapping[str, Any]
    fingerprint: Mapping[str, Any]
    codes: Codes
    audio: bytes


async def examine(
    path: Path, *, sha256: str, sandbox: Sandbox, scratch: Path, report: Report
) -> Seen:
    """Examine a stored master.

    Args:
        path: the file.
        sha256: what it had when it was received (hex).
        sandbox: where untrusted bytes are read.
        scratch: a folder for the decoded luma (72 kB for a second of video).
        report: told (stage, share done in basis points).

    Raises:
        Examination: one of the refusals of `refusals.CODES`.
    """
    report = _sparing(report)
    await _verify(path, sha256, report)
    await report("probing", 0)
    probe = await _probe(path, sandbox)
    async with _folder(scratch) as folder:
        luma, audio = await _decode(path, folder, probe, sandbox, report)
        await report("fingerprinting", 0)
        codes = await anyio.to_thread.run_sync(fingerprint.codes_of, luma)
        await report("fingerprinting", 9_000)
    return Seen(probe, _record(codes, audio), codes, audio)


def _sparing(report: Report) -> Report:
    """Pass on what moves by a whole percent: each report is a transaction, a master has millions
    of pieces."""
    told: tuple[str, int] | None = None

    async def tell(stage: str, done_bp: int) -> None:
        nonlocal told
        if told != (stage, done_bp // 100):
            told = (stage, done_bp // 100)
            await report(stage, done_bp)

    return tell


async def _verify(path: Path, sha256: str, report: Report) -> None:
    """Hash the stored file again: the bytes examined are the bytes received."""
    size = (await anyio.Path(path).stat()).st_size
    whole, done = hashlib.sha256(), 0
    await report("hashing", 0)
    reading = store.pieces(path, 0, size)
    while piece := await anyio.to_thread.run_sync(next, reading, b""):
        await anyio.to_thread.run_sync(whole.update, piece)
        done += len(piece)
        await report("hashing", done * 10_000 // size)
    if whole.hexdigest() != sha256:
        raise MasterDamaged("The stored file has changed.", sha256=whole.hexdigest())


async def _probe(path: Path, sandbox: Sandbox) -> dict[str, Any]:
    found = await probing.read(path, sandbox)
    if not found["video"]["decodable"]:
        raise UndecodableMaster(
            "No picture of the file can be decoded.",
            codec=found["video"]["codec"],
            why=found["video"]["undecodable"],
        )
    return found


async def _decode(
    path: Path, folder: Path, probe: Mapping[str, Any], sandbox: Sandbox, report: Report
) -> tuple[Luma, bytes]:
    """Decode once: small luma ten times a second, and Chromaprint of the first sound track."""
    await report("decoding", 0)
    seconds = probe["duration_ms"] / 1000
    promised, furthest = int(seconds * LUMA_RATE), 0

    async def on_line(line: str) -> None:
        nonlocal furthest  # ffmpeg reports now one, now the other of its two outputs
        key, _, value = line.partition("=")
        if key == "out_time_us" and value.isdigit() and promised:
            furthest = max(furthest, min(10_000, int(value) // max(1, int(seconds * 100))))
            await report("decoding", furthest)

    ended = await sandbox.run(
        _command(path, folder, sound=bool(probe["audio"])),
        reads=path,
        writes=folder,
        limits=_limits(seconds),
        on_line=on_line,
    )
    probing.check(ended)
    luma = _luma(folder / "luma")
    if not len(luma):
        raise NotAVideo("No picture of the file could be decoded.")
    if len(luma) < promised * WHOLE - 2:
        raise TruncatedMaster(
            "The pictures end before the file says they do.",
            promised_ms=probe["duration_ms"],
            decoded_ms=len(luma) * 1000 // LUMA_RATE,
        )
    audio = folder / "audio"
    return luma, audio.read_bytes() if audio.exists() else b""


def _command(path: Path, folder: Path, *, sound: bool) -> list[str]:
    scale = f"fps={LUMA_RATE},scale={WIDTH}:{HEIGHT}:flags=area,format=gray"
    command = [gateway.ffmpeg(), "-v", "error", "-nostdin", "-progress", "pipe:1"]
    command += ["-stats_period", "0.25", "-protocol_whitelist", "file"]
    command += ["-format_whitelist", FORMATS, "-i", f"file:{path}"]
    command += ["-map", "0:V:0", "-vf", scale, "-f", "rawvideo", f"file:{folder / 'luma'}"]
    if sound:
        command += ["-map", "0:a:0", "-ac", "1", "-ar", str(AUDIO_RATE)]
        command += ["-f", "chromaprint", "-fp_format", "raw", f"file:{folder / 'audio'}"]
    return command


def _limits(seconds: float) -> Limits:
    luma = int(seconds * LUMA_RATE * FRAME_BYTES)
    return Limits(
        cpu_s=START_S + int(seconds * CPU_S_PER_S),
        wall_s=START_S + seconds * WALL_S_PER_S,
        file_bytes=luma * 3 // 2 + 64 * 1024**2,
    )


def _luma(path: Path) -> Luma:
    frames = path.stat().st_size // FRAME_BYTES if path.exists() else 0
    if not frames:
        return np.zeros((0, HEIGHT, WIDTH), np.uint8)
    return np.memmap(path, np.uint8, "r", shape=(frames, HEIGHT, WIDTH))


def _record(codes: Codes, audio: bytes) -> dict[str, Any]:
    """Return the fingerprint record: which version, how many codes, and the hash of them all."""
    return {
        "version": fingerprint.VERSION,
        "video_codes": len(codes.video),
        "audio_codes": len(audio) // 4,
        "sha256": hashlib.sha256(codes.video.tobytes() + audio).hexdigest(),
    }


@asynccontextmanager
async def _folder(scratch: Path) -> AsyncIterator[Path]:
    await anyio.Path(scratch).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=scratch))
    try:
        yield folder
    finally:
        await anyio.to_thread.run_sync(lambda: shutil.rmtree(folder, ignore_errors=True))
