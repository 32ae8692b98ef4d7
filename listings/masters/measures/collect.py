"""Puts the measures of a file's pieces together: parts merge in the order of time (pure).

A piece gives a `Part` by `part_of`; `merged` joins parts of any number, in any order and grouping,
to the same one; `measures` makes the plain dict of integers that is judged and kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from listings.masters.measures.samples import Bytes, Patches, Samples, Strobe


@dataclass(frozen=True, slots=True)
class Part:
    """What one piece of a file, or several that follow one another, gave."""


def part_of(
    *,
    frames: int,
    decode_errors: int,
    luma: Bytes,
    first_luma: int,
    samples: Samples | None = None,
    patches: Patches | None = None,
    strobe: Strobe | None = None,
    every_frame: Iterable[str] = (),
) -> Part:
    """Measure one piece.

    Args:
        frames: pictures decoded.
        decode_errors: faults that the decoder told.
        luma: uint8, shape (n, 90, 160), ten a second, full range.
        first_luma: the number of the first of them in the file (`at` = 100 ms times that).
        samples: one decimated picture a second.
        patches: one crop every five seconds.
        strobe: every frame, small; without it flashes are not measured.
        every_frame: the lines that `full.filters` made ffmpeg write (tier `full`).
    """
    raise NotImplementedError


def merged(parts: Iterable[Part]) -> Part:
    """Return all parts as one; they are put in the order of time."""
    raise NotImplementedError


def measures(part: Part, *, tier: str, sound: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what was measured of a whole file: integers, lists and None (not measured)."""
    raise NotImplementedError


def packed(part: Part) -> bytes:
    """Return a part as bytes, the same for the same part; `unpacked` reads them."""
    raise NotImplementedError


def unpacked(raw: bytes) -> Part:
    """Return the part that was packed."""
    raise NotImplementedError
