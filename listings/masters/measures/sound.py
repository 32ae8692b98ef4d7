"""Loudness, peaks, silence, phase and clipping of one sound track, by ffmpeg's filters (pure).

Source: ITU-R BS.1770-5, EBU Tech 3341 and 3342 (as ffmpeg's `ebur128` implements them).
"""

from collections.abc import Iterable
from typing import Any

FILES = ("loudness", "silence", "phase")


def filters(channels: int, *, files: str) -> str:
    """Return the filters for one track (one input, one output, for `-af` or a graph).

    They write lines into `files` + "-" + each of `FILES`; `read` takes the lines of all of them.
    The path must hold none of `:,;[]'\\`.
    """
    raise NotImplementedError


def read(lines: Iterable[str], *, track: int, channels: int) -> dict[str, Any]:
    """Return the measures of a track from what its filters wrote; other lines say nothing."""
    raise NotImplementedError
