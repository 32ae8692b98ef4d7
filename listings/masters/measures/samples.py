"""The raw material that the decode pass gives to the measures: arrays with their coding (pure).

`chain_*` are the ffmpeg filters that make it. Times are absolute milliseconds of the file, so that
pieces of a file and the whole of it are measured alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

LUMA_RATE = 10  # small pictures a second: 160x90, by area, grey of full range
LUMA_SHAPE = (90, 160)
DECIMATION = 4  # of the samples, by nearest neighbour: code values stay real
PATCH = 1024  # the side of the crop at full resolution, less where the picture is less
PATCH_EVERY_S = 5
STROBE_SHAPE = (36, 64)  # of the pictures in which flashes are counted: every frame
HDR = ("arib-std-b67", "smpte2084")

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint16]
Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Coding:
    """How code values are to be read; names are ffmpeg's, None where nothing is known."""

    depth: int
    transfer: str | None = None
    primaries: str | None = None
    range: str | None = None
    matrix: str | None = None
    rgb: bool = False

    @classmethod
    def of(cls, video: Mapping[str, Any]) -> "Coding":
        """Return the coding of what is decoded of the picture that a technical record describes.

        Coded R, G and B become luma and two colours of narrow range first.
        """
        depth = max(8, min(16, int(video.get("bit_depth") or 8)))
        transfer, primaries = video.get("transfer"), video.get("primaries")
        if video.get("matrix") == "gbr":
            matrix = "bt2020nc" if primaries == "bt2020" else "bt709"
            return cls(depth, transfer, primaries, "tv", matrix, rgb=True)
        return cls(depth, transfer, primaries, video.get("range"), video.get("matrix"))


@dataclass(frozen=True, slots=True)
class Luma:
    """Ten small grey pictures a second, shape (n, 90, 160); `first` is the first one's number."""

    pictures: Bytes
    first: int = 0


@dataclass(frozen=True, slots=True)
class Samples:
    """One decimated picture a second.

    `planes`: Y, Cb, Cr code values of the file's depth, shape (n, 3, height, width); `at_ms`: n.
    """

    planes: Words
    at_ms: tuple[int, ...]
    coding: Coding


@dataclass(frozen=True, slots=True)
class Patches:
    """Centre crops at full resolution: luma code values, shape (n, height, width); `at_ms`: n."""

    luma: Words
    at_ms: tuple[int, ...]
    coding: Coding


@dataclass(frozen=True, slots=True)
class Strobe:
    """Every frame, small: Y, Cb, Cr in 8 bits of narrow range, shape (n, 3, 36, 64).

    `first` is the number of the first frame in the file, `rate` frames a second (num, den).
    """

    planes: Bytes
    first: int
    rate: tuple[int, int]
    coding: Coding


def chain_samples(coding: Coding) -> str:
    """Return the filters from a picture to a sample; the picture was chosen before."""
    small = f"scale=iw/{DECIMATION}:ih/{DECIMATION}:flags=neighbor"
    return f"{small},{_from_rgb(coding, coding.depth)}format={pixels(coding.depth)}"


def chain_patches(coding: Coding) -> str:
    """Return the filters from a picture to a patch: its luma, code values of the file's depth."""
    depth = coding.depth
    return (
        f"crop=min(iw\\,{PATCH}):min(ih\\,{PATCH}),{_from_rgb(coding, depth)}"
        f"format={pixels(depth)},extractplanes=y,format=gray{'' if depth == 8 else f'{depth}le'}"
    )


def chain_strobe(coding: Coding) -> str:
    """Return the filters from every frame to the small picture in which flashes are counted."""
    tall, wide = STROBE_SHAPE
    return (
        f"scale={4 * wide}:{4 * tall}:flags=neighbor{'' if coding.rgb else ':out_range=tv'},"
        f"{_from_rgb(coding, 8)}scale={wide}:{tall}:flags=area,format=yuv444p"
    )


def _from_rgb(coding: Coding, depth: int) -> str:
    """Return the filters that make R, G and B what the coding says; swscale is not exact there."""
    if not coding.rgb:
        return ""
    matrix = "2020_ncl" if coding.matrix == "bt2020nc" else "709"
    return f"zscale=matrix={matrix}:range=limited,format={pixels(depth)},"


def pixels(depth: int) -> str:
    """Return ffmpeg's name of planar 4:4:4 of a depth (8 bits: one byte a value)."""
    return "yuv444p" if depth == 8 else f"yuv444p{depth}le"


def words(raw: bytes, depth: int, *shape: int) -> Words:
    """Return what ffmpeg wrote as 16-bit words of this shape (whole pictures only)."""
    kind = np.dtype(np.uint8) if depth == 8 else np.dtype("<u2")
    one = int(np.prod(shape))
    whole = len(raw) // (one * kind.itemsize)
    flat = np.frombuffer(raw, kind, count=whole * one)
    return flat.reshape(whole, *shape).astype(np.uint16, copy=False)


def share_bp(count: int, total: int) -> int:
    """Return a share in basis points, rounded down: a hundredth is reached, not nearly so."""
    return count * 10_000 // total if total else 0
