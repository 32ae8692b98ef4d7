"""The cadence of a picture track: key frames, bit rate, constant rate - from packets alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any


@dataclass(frozen=True, slots=True)
class Beat:
    """One packet: whether it can be decoded alone, when it is shown (in ticks), its bytes."""

    key: bool
    at: int | None
    size: int


def cadence(
    beats: Sequence[Beat], *, tick: Fraction | None, rate: Fraction | None, keyed: bool
) -> dict[str, Any]:
    """Return what the packets tell; null where they do not.

    Args:
        beats: the packets in the order of decoding.
        tick: seconds of a tick.
        rate: pictures a second.
        keyed: whether this container and codec mark their key frames at all.
    """
    keys = [at for at, beat in enumerate(beats) if beat.key] if keyed else []
    gaps = [later - sooner for sooner, later in pairwise(keys)]
    total = sum(beat.size for beat in beats)
    return {
        "intra_only": len(keys) == len(beats) if keys else None,
        "gop_frames": max(gaps, default=len(beats)) if keys else None,
        "bitrate_bps": int(total * 8 * rate / len(beats)) if beats and rate and total else None,
        "constant_rate": _constant(beats, tick) if keyed else None,
    }


def _constant(beats: Sequence[Beat], tick: Fraction | None) -> bool | None:
    """Tell whether pictures are evenly spaced; a container's ticks round by one either way.

    The last packets of a stretch that was cut off wait for others that are shown before them.
    """
    times = sorted({beat.at for beat in beats if beat.at is not None})
    if len(times) < 3 or not tick:
        return None
    settled = times[: max(3, len(times) - 16)] if len(times) > 32 else times
    gaps = [later - sooner for sooner, later in pairwise(settled)]
    return max(gaps) - min(gaps) <= (2 if tick >= Fraction(1, 1000) else 1)
