"""Joins the pieces of a film: from their folders to what one decode pass found."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from listings.examinations import decoding, iscc, measuring, mpeg7
from listings.examinations.commands import PITCHED, SIGNATURE_RATE, Film, Tier
from listings.examinations.spans import Span
from listings.masters import fingerprint, gateway
from listings.masters.fingerprint import HEIGHT, LUMA_RATE, WIDTH, Codes
from listings.masters.gateway import Limits, Sandbox
from listings.masters.measures import packing
from listings.masters.refusals import NotAVideo, TruncatedMaster

WHOLE = 0.95  # of the pictures that the duration promises; a container may round its duration
LEAST_SPREAD = 8.0  # of a poster's luma: a fade or a black picture shows nothing
SHEET = (6, 5)  # pictures across and down
SHEET_LIMITS = Limits(cpu_s=60, wall_s=120)
MUX_LIMITS = Limits(cpu_s=1200, wall_s=2400, file_bytes=32 * gateway.GIB)


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small JPEG (320 wide, SDR) of the picture at an instant."""

    at_ms: int
    path: Path


@dataclass(frozen=True, slots=True)
class Passed:
    """What one decode pass found; the paths lie in the folder that the pass was given.

    `audio` is raw Chromaprint of the first sound track (4 bytes little endian each, empty when
    silent), `pitched` the same of it played at other rates, by name; `measures` are integers, lists
    and None (see `masters/measures`); `iscc` holds the official codes of the content by unit
    (`video`, `audio`); `signature` is the MPEG-7 video signature in its binary form, five frames a
    second; `essence` maps `video` to the SHA-256 (hex) of the coded picture without its container.
    """

    codes: Codes
    audio: bytes
    measures: dict[str, Any]
    iscc: Mapping[str, str]
    signature: bytes
    essence: Mapping[str, str]
    thumbnails: Sequence[Thumbnail]
    poster: Path | None
    sheet: Path | None
    proxy: Path | None
    decode_errors: int
    pitched: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """The folder of one decoded piece, read."""

    span: Span
    folder: Path
    said: Mapping[str, Any]

    @classmethod
    def of(cls, span: Span, folder: Path) -> "Found":
        """Read a piece's folder."""
        return cls(span, folder, json.loads((folder / "part.json").read_text()))


def joined(
    found: Sequence[Found], film: Film, folder: Path, *, tier: Tier, promised_ms: int
) -> Passed:
    """Return what the pieces found together; sheet and proxy are made by `made`.

    Raises:
        NotAVideo: no picture could be decoded.
        TruncatedMaster: the pictures end before the file says they do.
    """
    found = sorted(found, key=lambda piece: piece.span.number)
    seen = [piece for piece in found if piece.span.picture]
    luma = _joined_luma(seen, folder / "luma")
    _check_length(len(luma), promised_ms)
    signed = _joined_rows(seen)
    audio = _heard(found, "audio")
    sounds = [sound for piece in found for sound in piece.said["sounds"]]
    parts = [packing.unpacked((piece.folder / "measures").read_bytes()) for piece in seen]
    codes = fingerprint.codes_of(luma)
    (folder / "luma").unlink()
    essence: Mapping[str, str] = next(
        (piece.said["essence"] for piece in found if piece.said["essence"]), {}
    )
    return Passed(
        codes=codes,
        audio=audio,
        measures=measuring.measures(parts, tier=tier, sounds=sounds),
        iscc=iscc.content(signed, audio),
        signature=_signature(signed, film),
        essence=essence,
        thumbnails=_thumbnails(seen, folder),
        poster=_poster(seen, folder),
        sheet=None,
        proxy=None,
        decode_errors=sum(piece.said["errors"] for piece in found),
        pitched={name: _heard(found, name) for name in PITCHED},
    )


def _heard(found: Sequence[Found], name: str) -> bytes:
    return b"".join(decoding.taken(piece.folder / name) for piece in found)


def _check_length(frames: int, promised_ms: int) -> None:
    if not frames:
        raise NotAVideo("No picture of the file could be decoded.")
    if frames < int(promised_ms * LUMA_RATE / 1000) * WHOLE - 2:
        raise TruncatedMaster(
            "The pictures end before the file says they do.",
            promised_ms=promised_ms,
            decoded_ms=frames * 1000 // LUMA_RATE,
        )


def _joined_luma(seen: Sequence[Found], target: Path) -> fingerprint.Luma:
    with target.open("wb") as file:
        for piece, last in _until_last(seen, "luma", WIDTH * HEIGHT):
            pictures = measuring.pictures(piece.folder / "luma", HEIGHT, WIDTH)
            file.write(_fitted(pictures, piece.span, LUMA_RATE, last=last).tobytes())
    return measuring.pictures(target, HEIGHT, WIDTH)


def _joined_rows(seen: Sequence[Found]) -> mpeg7.Rows:
    rows = [np.zeros((0, mpeg7.ROW), np.uint8)]
    for piece, last in _until_last(seen, "signature", mpeg7.ROW):
        found = measuring.pictures(piece.folder / "signature", mpeg7.ROW)
        rows.append(_fitted(found, piece.span, SIGNATURE_RATE, last=last))
    return np.concatenate(rows)


def _until_last(seen: Sequence[Found], name: str, size: int) -> list[tuple[Found, bool]]:
    """Return the pieces up to the last that gave anything, and whether it is that one."""
    given = [
        at for at, piece in enumerate(seen) if len(measuring.pictures(piece.folder / name, size))
    ]
    end = given[-1] if given else -1
    return [(piece, at == end) for at, piece in enumerate(seen[: end + 1])]


def _fitted(pictures: fingerprint.Luma, span: Span, rate: int, *, last: bool) -> fingerprint.Luma:
    """Return exactly the samples that the piece has room for; what is missing stands still."""
    first, after = span.slots(rate)
    if after is None or (last and len(pictures) < after - first):
        return pictures
    lacking = after - first - len(pictures)
    if lacking <= 0:
        return pictures[: after - first]
    still = pictures[-1:] if len(pictures) else np.zeros((1, *pictures.shape[1:]), np.uint8)
    return np.concatenate([pictures, still.repeat(lacking, axis=0)])


def _signature(rows: mpeg7.Rows, film: Film) -> bytes:
    if not len(rows):
        return b""
    return mpeg7.written(rows, wide=film.wide, tall=film.tall, rate=SIGNATURE_RATE)


def _thumbnails(seen: Sequence[Found], folder: Path) -> list[Thumbnail]:
    kept = []
    for piece in seen:
        for number, at_ms in enumerate(piece.said["thumbnails"], 1):
            source = piece.folder / f"thumbnail-{number:06d}.jpg"
            if source.is_file() and not source.is_symlink():
                target = folder / f"thumbnail-{at_ms:09d}.jpg"
                shutil.copyfile(source, target)
                kept.append(Thumbnail(at_ms, target))
    return kept


def _poster(seen: Sequence[Found], folder: Path) -> Path | None:
    """Choose the first picture that shows something, or else the one that shows most."""
    best, most = None, -1.0
    for piece in seen:
        luma = measuring.pictures(piece.folder / "luma", HEIGHT, WIDTH)
        first, _ = piece.span.slots(LUMA_RATE)
        for number, at_ms in enumerate(piece.said["posters"], 1):
            source = piece.folder / f"poster-{number:06d}.jpg"
            at = at_ms * LUMA_RATE // 1000 - first
            spread = float(luma[at].std()) if 0 <= at < len(luma) else 0.0
            spread = min(spread, LEAST_SPREAD * 5)
            if source.is_file() and not source.is_symlink() and spread > most:
                best, most = source, spread
    if best is None:
        return None
    return Path(shutil.copyfile(best, folder / "poster.jpg"))


async def sheet(passed: Passed, folder: Path, *, sandbox: Sandbox) -> Path | None:
    """Make the contact sheet of a film's thumbnails."""
    across, down = SHEET
    shown = passed.thumbnails
    chosen = [shown[at * len(shown) // (across * down)] for at in range(across * down)]
    chosen = list(dict.fromkeys(chosen)) if shown else []
    if not chosen:
        return None
    for number, each in enumerate(chosen, 1):
        shutil.copyfile(each.path, folder / f"sheet-{number:02d}.jpg")
    rows = -(-len(chosen) // across)
    command = [gateway.ffmpeg(), "-v", "error", "-nostdin", "-y", "-f", "image2"]
    command += ["-i", f"file:{folder / 'sheet-%02d.jpg'}"]
    command += ["-vf", f"tile={min(across, len(chosen))}x{rows}:padding=4:color=black"]
    command += ["-frames:v", "1", "-q:v", "4", "-f", "mjpeg", f"file:{folder / 'sheet.jpg'}"]
    await sandbox.run(command, reads=chosen[0].path, writes=folder, limits=SHEET_LIMITS)
    for number in range(1, len(chosen) + 1):
        (folder / f"sheet-{number:02d}.jpg").unlink()
    made = folder / "sheet.jpg"
    return made if made.is_file() and not made.is_symlink() else None


async def proxy(found: Sequence[Found], folder: Path, *, sandbox: Sandbox) -> Path | None:
    """Join the proxies of the pieces to one file that plays while it loads."""
    found = sorted(found, key=lambda piece: piece.span.number)
    inputs = []
    for name in ("proxy.ts", "heard.ts"):
        target = folder / name
        with target.open("wb") as file:
            for piece in found:
                file.write(decoding.taken(piece.folder / name))
        if target.stat().st_size:
            inputs += ["-copyts", "-f", "mpegts", "-i", f"file:{target}"]
    if not (folder / "proxy.ts").stat().st_size:
        return None
    command = [gateway.ffmpeg(), "-v", "error", "-nostdin", "-y", *inputs, "-map", "0:v"]
    command += ["-map", "1:a"] if len(inputs) > 5 else []
    command += [
        "-c",
        "copy",
        "-movflags",
        "+faststart",
        "-f",
        "mp4",
        f"file:{folder / 'proxy.mp4'}",
    ]
    await sandbox.run(command, reads=folder / "proxy.ts", writes=folder, limits=MUX_LIMITS)
    for name in ("proxy.ts", "heard.ts"):
        (folder / name).unlink()
    made = folder / "proxy.mp4"
    return made if made.is_file() and not made.is_symlink() else None
