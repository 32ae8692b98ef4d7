"""One decode pass over a file: codes, samples, signature, sound, thumbnails, proxy.

Usable without a database: the worker, `exchange conformance` and `exchange match` all come here.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from listings.masters.fingerprint import Codes
from listings.masters.gateway import Sandbox

Tier = Literal["sampled", "full"]
Report = Callable[[str, int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small JPEG (320 wide, SDR) of the picture at an instant."""

    at_ms: int
    path: Path


@dataclass(frozen=True, slots=True)
class Passed:
    """What one decode pass found; the paths lie in the folder that the pass was given.

    `audio` is raw Chromaprint of the first sound track (4 bytes little endian each, empty when
    silent); `measures` are those of measures.md, integers alone; `iscc` holds the official codes of
    the content by unit (`video`, `audio`); `signature` is an MPEG-7 video signature in its binary
    form, five frames a second; `essence` maps `video` to the SHA-256 (hex) of the coded picture
    without its container.
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


async def silent(_stage: str, _done_bp: int) -> None:
    """Report to nobody."""


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
    raise NotImplementedError
