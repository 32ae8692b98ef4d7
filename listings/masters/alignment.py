"""Comparing two fingerprints: the best line of matching codes through time (pure).

A pair of codes at distance d speaks for a copy by clip((0.34 - d) / 0.12, -1, 1), weighted by how
new the listed frame is against the one before it (a still picture repeats one piece of evidence).
Kadane's sum finds the best stretch along lines of slope 0.96 to 1.04 (film run at 25 instead of 24
pictures). To that the agreement of motion over the stretch is added.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from listings.masters.fingerprint import MIRROR, PHASES, RATE, STATIC_BYTES, Luma

STATIC_BITS, MOTION_BITS = 255, 64
SLOPES = (1.0, 0.96, 0.98, 1.02, 1.04)
EVEN, SPREAD = 0.34, 0.12  # distance that speaks neither way; distance that adds one unit
NEW, LEAST_WEIGHT = 0.06, 0.08  # a frame that changed by 6 % of its bits counts fully
MOTION_WEIGHT = 20.0
MOST_EVIDENCE = 12.0  # one fixed camera in two programmes gathered 22.6 without any copying
SURE = 2 * RATE  # motion of less than two seconds counts in proportion: few codes agree by chance
PROBES = 240  # codes of the query that vote for the lines to look at
LINES = 6  # lines looked at closely for each window and slope

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Alignment:
    """The best stretch: its score, where it lies in both clips (codes), and how it was seen.

    `evidence` is the weighted sum along the stretch, `motion` the agreement of motion in -1..1,
    `distance` the mean share of differing bits.
    """

    evidence: float
    motion: float
    distance: float
    here: int
    there: int
    length: int
    window: int
    mirrored: bool

    @property
    def score(self) -> float:
        """Evidence, which the same scene alone can raise without end, and motion in one number."""
        return min(self.evidence, MOST_EVIDENCE) + MOTION_WEIGHT * self.motion


def align(query: Luma, listed: Luma) -> Alignment | None:
    """Return the best alignment of a clip with a listed one, or None when either has no codes.

    Args:
        query: uint8, shape (frames, windows, 40): ten times a second, through every window.
        listed: uint8, shape (frames, 40): the stored codes of the listed clip.
    """
    if not len(query) or not len(listed):
        return None
    weight = novelty(listed)
    found = [
        best
        for window, mirrored, seen in _seen(query)
        for line in _lines(seen, listed, weight)
        if (best := _along(seen, listed, weight, line=line, window=window, mirrored=mirrored))
    ]
    return max(found, key=lambda best: best.score, default=None)


def novelty(codes: Luma) -> Floats:
    """Return each frame's weight, 0.08..1: how much it differs from the one before.

    A flat frame (black, a fade) has no signs and no weight.
    """
    if len(codes) < 2:
        return np.ones(len(codes))
    change = _distance(codes[1:, :STATIC_BYTES], codes[:-1, :STATIC_BYTES]) / STATIC_BITS
    weight = np.clip(np.concatenate([change[:1], change]) / NEW, LEAST_WEIGHT, 1.0)
    return np.where(codes[:, :STATIC_BYTES].any(axis=1), weight, 0.0)


def _seen(query: Luma) -> Iterator[tuple[int, bool, Luma]]:
    """Yield the clip through each window, as it is and mirrored."""
    for window in range(query.shape[1]):
        for phase in range(PHASES):
            seen = query[phase::PHASES, window]
            yield window, False, seen
            yield window, True, seen ^ MIRROR


def _agreement(seen: Luma, listed: Luma) -> Floats:
    """Return how alike the motion is, -1..1; nothing where the listed picture does not move."""
    moving = listed[:, STATIC_BYTES:]
    apart = _distance(seen[:, STATIC_BYTES:], moving)
    return np.where(moving.any(axis=1), 1 - 2 * apart / MOTION_BITS, 0.0)


def _distance(left: Luma, right: Luma) -> npt.NDArray[np.int64]:
    """Return the number of differing bits along the last axis."""
    bits: npt.NDArray[np.int64] = np.bitwise_count(left ^ right).sum(axis=-1, dtype=np.int64)
    return bits


def _lines(seen: Luma, listed: Luma, weight: Floats) -> Iterator[tuple[float, int]]:
    """Yield (slope, offset) of the lines that most pairs of codes vote for."""
    probes = np.unique(np.linspace(0, len(seen) - 1, PROBES).astype(np.intp))
    apart = _apart(seen[probes], listed)
    at, place = np.nonzero(apart < EVEN * STATIC_BITS)
    if not len(at):
        return
    gain = np.minimum((EVEN - apart[at, place] / STATIC_BITS) / SPREAD, 1) * weight[place]
    moved = _agreement(seen[probes][at], listed[place])
    strength = gain + moved * max(1.0, MOTION_WEIGHT / len(probes))
    for slope in SLOPES if len(seen) > RATE * 10 else SLOPES[:1]:
        yield from (
            (slope, offset)
            for offset in _elected(place, (slope * probes[at]).astype(np.float64), strength)
        )


def _elected(place: Indices, along: Floats, strength: Floats) -> list[int]:
    offsets = np.rint(place - along).astype(np.int64)
    lowest = int(offsets.min())
    tally = np.bincount(offsets - lowest, weights=strength)
    most = np.argsort(tally)[::-1][:LINES]
    return [int(index) + lowest for index in most if tally[index] > 0]


def _apart(seen: Luma, listed: Luma) -> npt.NDArray[np.int32]:
    """Return the differing bits of every pair of pictures, shape (seen, listed)."""
    here, there = (
        np.ascontiguousarray(c[:, :STATIC_BYTES]).view(np.uint64) for c in (seen, listed)
    )
    bits = np.zeros((len(seen), len(listed)), np.int32)
    for word in range(here.shape[1]):
        bits += np.bitwise_count(here[:, word, None] ^ there[None, :, word])
    return bits


def _along(
    seen: Luma,
    listed: Luma,
    weight: Floats,
    *,
    line: tuple[float, int],
    window: int,
    mirrored: bool,
) -> Alignment | None:
    """Return the best stretch along one line."""
    slope, offset = line
    here = np.arange(len(seen))
    there = np.rint(slope * here + offset).astype(np.intp)
    inside = (there >= 0) & (there < len(listed))
    here, there = here[inside], there[inside]
    if not len(here):
        return None
    distance = _distance(seen[here, :STATIC_BYTES], listed[there, :STATIC_BYTES]) / STATIC_BITS
    gain = np.clip((EVEN - distance) / SPREAD, -1, 1) * weight[there]
    first, after, evidence = _kadane(gain)
    stretch = slice(first, after)
    moved = _agreement(seen[here[stretch]], listed[there[stretch]])
    return Alignment(
        evidence=evidence,
        motion=float(moved.mean()) * min(1.0, (after - first) / SURE),
        distance=float(distance[stretch].mean()),
        here=int(here[first]),
        there=int(there[first]),
        length=after - first,
        window=window,
        mirrored=mirrored,
    )


def _kadane(gain: Floats) -> tuple[int, int, float]:
    """Return (first, after, sum) of the stretch with the largest sum; never empty."""
    total = np.concatenate([[0.0], np.cumsum(gain)])
    lowest = np.minimum.accumulate(total[:-1])
    after = int(np.argmax(total[1:] - lowest)) + 1
    first = int(np.argmin(total[:after]))
    return first, after, float(total[after] - total[first])
