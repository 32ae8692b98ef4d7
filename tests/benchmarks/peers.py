"""The peers on the same clips: aligning their frame vectors, with the novelty and slopes of ours.

The published fast approach for MPEG-7 and the bag of vPDQ find no stretch in a longer clip, and
ffmpeg's own look-up knows speeds of 1 and 2 alone and no positive offset. So both peers' vectors
are aligned as our codes are, each with the threshold of distance that suits it best: this flatters
them.
"""

import numpy as np
import numpy.typing as npt

SLOPES = (1.0, 0.96, 0.98, 1.02, 1.04)
SPREAD, NEW, LEAST = 0.12, 0.06, 0.08
EVENS = {
    "mpeg7": (0.12, 0.16, 0.20, 0.26, 0.30, 0.36, 0.42),
    "pdq": (0.12, 0.16, 0.20, 0.26, 0.30, 0.36),
}

Floats = npt.NDArray[np.float64]


def ternary_distances(here: npt.NDArray[np.uint8], there: npt.NDArray[np.uint8]) -> Floats:
    """Return the mean difference, 0..1, of every pair of MPEG-7 vectors."""
    one, other = (np.concatenate([part >= 1, part == 2], axis=1) for part in (here, there))
    return _bits(np.packbits(one, axis=1), np.packbits(other, axis=1)) / one.shape[1]


def binary_distances(here: npt.NDArray[np.uint8], there: npt.NDArray[np.uint8]) -> Floats:
    """Return the share of differing bits of every pair of PDQ hashes."""
    return _bits(here, there) / (here.shape[1] * 8)


def _bits(here: npt.NDArray[np.uint8], there: npt.NDArray[np.uint8]) -> Floats:
    bits: Floats = np.bitwise_count(here[:, None] ^ there[None]).sum(axis=2).astype(np.float64)
    return bits


def scores(apart: Floats, itself: Floats, evens: tuple[float, ...]) -> Floats:
    """Return the evidence of the best stretch along any line, for each threshold of distance.

    Args:
        apart: distances of every pair, shape (here, there).
        itself: distances of the listed clip to itself, from which its novelty is taken.
        evens: the thresholds.
    """
    if not apart.size:
        return np.zeros(len(evens))
    change = np.diagonal(itself, 1)
    weight = np.clip(np.concatenate([change[:1], change]) / NEW, LEAST, 1) if len(change) else 1.0
    gain = np.stack([np.clip((even - apart) / SPREAD, -1, 1) * weight for even in evens])
    here, there = apart.shape
    offsets = np.arange(-here - 2, there + 2)
    best = np.zeros(len(evens))
    for slope in SLOPES:
        place = np.rint(slope * np.arange(here))[None, :] + offsets[:, None]
        inside = (place >= 0) & (place < there)
        at = np.clip(place, 0, there - 1).astype(np.intp)
        along = np.where(inside, gain[:, np.arange(here)[None, :], at], 0.0)
        total = np.cumsum(along, axis=2)
        before = np.minimum.accumulate(np.concatenate(
            [np.zeros_like(total[:, :, :1]), total[:, :, :-1]], axis=2), axis=2)  # fmt: skip
        best = np.maximum(best, (total - before).max(axis=(1, 2)))
    return best
