"""What is known of a stored file before it is decoded, and the record of its fingerprint after."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from listings.examinations import iscc
from listings.examinations.merging import Passed
from listings.examinations.reporting import Report
from listings.masters import fingerprint, probing, store
from listings.masters.gateway import Sandbox
from listings.masters.refusals import MasterDamaged, UndecodableMaster


@dataclass(frozen=True, slots=True)
class Known:
    """The technical record of a file, and the ISCC units of its bytes."""

    record: Mapping[str, Any]
    sums: Mapping[str, str]


async def know(path: Path, *, sha256: str, sandbox: Sandbox, report: Report) -> Known:
    """Hash a stored file again, then read what it says of itself.

    Raises:
        MasterDamaged: it no longer has the SHA-256 (hex) that it was received with.
        Examination: one of the other refusals of `masters.refusals.CODES`.
    """
    sums = await _verified(path, sha256, report)
    await report("probing", 0)
    return Known(await probing.read(path, sandbox), sums)


def check_decodable(record: Mapping[str, Any]) -> None:
    """Refuse a file of which no picture can be decoded.

    Raises:
        UndecodableMaster: there is no decoder for it, or its pictures are broken.
    """
    video = record["video"]
    if not video["decodable"]:
        raise UndecodableMaster(
            "No picture of the file can be decoded.", codec=video["codec"], why=video["undecodable"]
        )


async def _verified(path: Path, sha256: str, report: Report) -> dict[str, str]:
    """Read the bytes once: they are the bytes received; return their ISCC units."""
    size = (await anyio.Path(path).stat()).st_size
    whole, sums, done = hashlib.sha256(), iscc.Sums(), 0

    def take(piece: bytes) -> None:
        whole.update(piece)
        sums.update(piece)

    await report("hashing", 0)
    reading = store.pieces(path, 0, size)
    while piece := await anyio.to_thread.run_sync(next, reading, b""):
        await anyio.to_thread.run_sync(take, piece)
        done += len(piece)
        await report("hashing", done * 10_000 // size)
    if whole.hexdigest() != sha256:
        raise MasterDamaged("The stored file has changed.", sha256=whole.hexdigest())
    return sums.units()


def fingerprint_record(
    passed: Passed, *, sums: Mapping[str, str], title: str | None
) -> dict[str, Any]:
    """Return the fingerprint record: which version, how many codes, their hash; ISCC and essence.

    `sha256` is of the picture's codes and then the sound's.
    """
    video = passed.codes.video
    units = {**({"meta": iscc.meta(title)} if title else {}), **passed.iscc, **sums}
    return {
        "version": fingerprint.VERSION,
        "video_codes": len(video),
        "audio_codes": len(passed.audio) // 4,
        "sha256": hashlib.sha256(video.tobytes() + passed.audio).hexdigest(),
        "iscc": iscc.record(units),
        "essence": dict(passed.essence),
    }
